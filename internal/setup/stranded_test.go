package setup

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"syncmaster-setup/internal/probe"
	"syncmaster-setup/internal/stack"
)

// TestStranded: a run is given up only where everybody who could be at work on it is known and younger than it is.
func TestStranded(t *testing.T) {
	const nobody, younger = "nobody serves its queue 1-etl", "every worker of its queue 1-etl was started after it"
	for name, tc := range map[string]struct {
		age    time.Duration // of the run; the worker runs for an hour
		change func(v *sight, worker *stack.Container)
		want   string
	}{
		"begun after the worker":         {time.Minute, func(*sight, *stack.Container) {}, ""},
		"begun before the worker":        {2 * time.Hour, func(*sight, *stack.Container) {}, younger},
		"at the same moment":             {time.Hour, func(*sight, *stack.Container) {}, ""},
		"a worker that is stopped":       {time.Minute, func(v *sight, w *stack.Container) { w.State, v.broker.seen.Queues = "exited", nil }, nobody},
		"a worker that comes to its end": {time.Minute, func(v *sight, _ *stack.Container) { v.broker.seen.Queues = nil }, ""},
		"a worker that keeps restarting": {2 * time.Hour, func(v *sight, w *stack.Container) { w.State, v.broker.seen.Queues = "restarting", nil }, younger},
		"a worker of another queue": {time.Minute, func(v *sight, w *stack.Container) {
			w.Command, v.broker.seen.Queues = []string{"worker", "-Q", "2-b"}, nil
		}, nobody},
		"a worker that was told to serve it later": {2 * time.Hour, func(_ *sight, w *stack.Container) { w.Command = []string{"worker", "-Q", "2-b"} }, ""},
		"a worker whose queues cannot be told":     {time.Minute, func(_ *sight, w *stack.Container) { w.Command = []string{"./mine.sh"} }, ""},
		"a second worker of another host":          {2 * time.Hour, func(v *sight, _ *stack.Container) { v.broker.seen.Queues["1-etl"] = probe.Queue{Consumers: 2} }, ""},
		"an older second worker":                   {2 * time.Hour, addWorker(3 * time.Hour), ""},
		"a younger second worker":                  {2 * time.Hour, addWorker(time.Minute), younger},
		"an external database":                     {2 * time.Hour, func(v *sight, _ *stack.Container) { v.options.ExternalDatabase = true }, ""},
		"an external database, no worker": {time.Minute, func(v *sight, w *stack.Container) {
			w.State, v.broker.seen.Queues, v.options.ExternalDatabase = "exited", nil, true
		}, nobody},
		"a broker that does not answer": {2 * time.Hour, func(v *sight, _ *stack.Container) { v.broker.err = errors.New("refused") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			v := wellSight(t)
			i := slices.IndexFunc(v.observed.Containers, func(c stack.Container) bool { return c.Service == "worker" })
			tc.change(v, &v.observed.Containers[i])
			v.database.runs = []Run{{ID: 3, Transfer: "nightly", Queue: "1-etl", Started: v.at.Add(-tc.age), Age: tc.age}}
			if got := v.runStatus()[0]; got.Reason != tc.want || got.Stranded != (tc.want != "") {
				t.Errorf("%+v, want %q", got, tc.want)
			}
		})
	}
}

func addWorker(age time.Duration) func(*sight, *stack.Container) {
	return func(v *sight, w *stack.Container) {
		second := *w
		second.Service, second.Image, second.StartedAt = "second", "x/syncmaster-worker:0.3.2", v.at.Add(-age)
		v.observed.Containers = append(v.observed.Containers, second)
		v.broker.seen.Queues["1-etl"] = probe.Queue{Consumers: 2}
	}
}

// TestAdviceForStrandedRuns is one command for all of them, and none that this program cannot know.
func TestAdviceForStrandedRuns(t *testing.T) {
	v := wellSight(t)
	runs := []RunStatus{{ID: 3, Stranded: true}, {ID: 4}, {ID: 5, Stranded: true}}
	if got := v.afterStranding(runs); !strings.HasPrefix(got, "cd /srv/sm && docker compose exec -T db psql ") || !strings.Contains(got, "id IN (3, 5)") {
		t.Error(got)
	}
	v.options.ExternalDatabase = true
	if got := v.afterStranding(runs); strings.Contains(got, "docker compose") || !strings.Contains(got, "id IN (3, 5)") {
		t.Error(got)
	}
}
