package setup

import (
	"fmt"
	"slices"
	"strings"

	"syncmaster-setup/internal/stack"
)

// stranded says why the task of a run is gone; empty where it may be at work. Nobody takes over what a worker that died
// had begun (contract.md, section 4), so it is gone where none of the workers of its queue is as old as the run. Where
// somebody may serve the queue of whom the engine here does not know, nothing is claimed.
func (v *sight) stranded(r Run) string {
	if v.broker.err != nil {
		return ""
	}
	workers, consumers := v.workersOf(r.Queue), v.broker.seen.Queues[r.Queue].Consumers
	old := slices.ContainsFunc(workers, func(c stack.Container) bool { return !c.StartedAt.After(r.Started) })
	switch {
	case old, consumers > len(workers): // a worker that ends its transfers before it stops consumes no more
		return ""
	case len(workers) == 0:
		return "nobody serves its queue " + printable(r.Queue)
	case v.options.ExternalDatabase: // it may have written when the run began by a clock of its own
		return ""
	}
	return "every worker of its queue " + printable(r.Queue) + " was started after it"
}

// workersOf are the living containers of this install that serve a queue, or whose queues cannot be told.
func (v *sight) workersOf(slug string) []stack.Container {
	return slices.DeleteFunc(slices.Clone(v.observed.Containers), func(c stack.Container) bool {
		queues := queuesOf(c.Command)
		works := c.Service == "worker" || strings.Contains(c.Image, "syncmaster-worker")
		return !works || !c.Alive() || len(queues) > 0 && !slices.Contains(queues, slug)
	})
}

// strandedLines tell of the stranded ones among runs.
func strandedLines(list []RunStatus) []string {
	var lines []string
	for _, r := range list {
		if r.Stranded {
			lines = append(lines, fmt.Sprintf("run %d of %s is marked as running, and %s: it was cut", r.ID, r.Transfer, r.Reason))
		}
	}
	return lines
}

// afterStranding is what to do about runs that nobody will ever end.
func (v *sight) afterStranding(list []RunStatus) string {
	var ids []string
	for _, r := range list {
		if r.Stranded {
			ids = append(ids, fmt.Sprint(r.ID))
		}
	}
	sql := fmt.Sprintf("UPDATE run SET status = 'FAILED', ended_at = now() WHERE ended_at IS NULL AND id IN (%s)", strings.Join(ids, ", "))
	const then = "    (it marks them as failed; look at their targets, then start the transfers again in the UI)"
	if v.options.ExternalDatabase {
		return `type in the database: ` + sql + then
	}
	return v.inFolder(`docker compose exec -T db psql -U syncmaster -c "`+sql+`"`) + then
}
