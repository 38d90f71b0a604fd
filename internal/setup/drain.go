package setup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/probe"
	"syncmaster-setup/internal/report"
)

const (
	// drainEvery is how often the workers are asked; each question takes them a second.
	drainEvery = 2 * time.Second
	// cutAfter is how long a worker gets whose time to end its transfers is over.
	cutAfter = 10 * time.Second
)

// celery returns a command of Celery's remote control, to be run in a worker's container.
func celery(words ...string) []string {
	return append([]string{"python", "-m", "celery", "-A", "syncmaster.worker.celery"}, words...)
}

func (m *move) quietName() string {
	var names []string
	for _, service := range []string{"scheduler", "worker"} {
		if m.ran(service) {
			names = append(names, service)
		}
	}
	if len(names) == 0 {
		return "make sure that no transfer runs"
	}
	return "stop " + strings.Join(names, " and ")
}

func (m *move) quietWhy() string {
	switch {
	case !m.ran("worker"):
		return "no transfer may begin meanwhile"
	case m.Drain == 0:
		return "running transfers are cut"
	}
	return "running transfers may take " + m.Drain.String() + " to end"
}

// quiet stops the scheduler, lets the running transfers end and stops the worker. The server keeps answering.
func (m *move) quiet(ctx context.Context) error {
	if m.ran("scheduler") {
		if err := m.halt(ctx, "scheduler", 0); err != nil {
			return err
		}
	}
	if !m.ran("worker") {
		return nil
	}
	if err := m.load(ctx); err != nil {
		return err
	}
	c, err := m.engine.Inspect(ctx, m.options.Project, "worker")
	if err != nil {
		return err
	}
	if c.State != "running" {
		return m.halt(ctx, "worker", 0)
	}
	limit, err := m.drain(ctx)
	if err != nil {
		return err
	}
	if err := m.halt(ctx, "worker", limit); err != nil {
		return err
	}
	return m.noteEnd(ctx)
}

// noteEnd records what has become of the transfers, now that the worker has stopped.
func (m *move) noteEnd(ctx context.Context) error {
	err := m.withDatabase(ctx, func(db Database) error {
		runs, err := db.Runs(ctx, 0)
		m.settle(runs, m.options.Queues)
		return err
	})
	if err != nil {
		return err
	}
	return m.journal.Note(m.ticket)
}

// settle keeps of the transfers that were to be cut, or were stranded, those that are still held for running, and adds
// those that the worker had begun in its last moment.
func (t *ticket) settle(runs []Run, queues []string) {
	has := func(list []Transfer, id int64) bool {
		return slices.ContainsFunc(list, func(t Transfer) bool { return t.Run == id })
	}
	var cut, stranded []Transfer
	for _, r := range runs {
		switch {
		case has(t.Stranded, r.ID):
			stranded = append(stranded, r.asTransfer())
		case has(t.Cut, r.ID), slices.Contains(queues, r.Queue):
			cut = append(cut, r.asTransfer())
		}
	}
	t.Cut, t.Stranded = cut, stranded
}

func (r Run) asTransfer() Transfer { return Transfer{Run: r.ID, Name: r.Transfer, Started: r.Started} }

// drain lets running transfers end, and returns how long the worker may take to stop: nothing runs any more, or what
// runs is cut. Only what Celery itself has at work is waited for: the run of a worker that was killed stays STARTED for
// ever (contract.md, section 3).
func (m *move) drain(ctx context.Context) (time.Duration, error) {
	began := m.Now()
	m.holdQueues(ctx)
	var working []Transfer
	look := func(context.Context) error { // an answer takes its time: the limit must not cut the question
		var err error
		if working, err = m.working(ctx); err != nil {
			return err
		}
		if len(working) == 0 {
			return nil
		}
		return fmt.Errorf("%s still running: %s", count(len(working), "transfer"), m.describeRuns(working))
	}
	var err error
	if m.Drain > 0 {
		m.progress("waiting for running transfers")
		told := false
		err = probe.Wait(ctx, probe.Options{What: "running transfers", Limit: m.Drain, Interval: drainEvery}, func(ctx context.Context) error {
			err := look(ctx)
			if err != nil && !told { // where progress is not shown, this is all that explains the wait
				told = true
				m.Report.Report(report.Event{Kind: report.Note, Text: fmt.Sprintf("%v; waiting up to %s", err, m.Drain)})
			}
			if err != nil {
				m.progress(err.Error())
			}
			return err
		})
	} else {
		_ = look(ctx) // only to name those that are cut
	}
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	if err != nil && m.DrainOrAbort {
		if len(working) > 0 {
			err = fmt.Errorf("%s still running after %s: %s", count(len(working), "transfer"), m.Drain, m.describeRuns(working))
		}
		return 0, fault.New(fault.Failed, err, "try again when they have ended, with a longer --drain, or without --drain-or-abort")
	}
	if m.Cut = working; len(working) > 0 {
		m.Report.Report(report.Event{Kind: report.Warning, Text: "what still runs is cut: " + m.describeRuns(working)})
	}
	return m.stopLimit(len(working) == 0, m.Now().Sub(began)), m.noteTransfers(ctx)
}

// stopLimit is how long a worker gets to stop that was waited for. What has begun since the last look at an idle one may
// take what is left of the time for it, unless the release loses it all the same.
func (m *move) stopLimit(idle bool, waited time.Duration) time.Duration {
	if !idle || m.release.DrainBeforeStop() {
		return cutAfter
	}
	return max(cutAfter, m.Drain-waited)
}

// noteTransfers records which transfers are cut and which no worker knows of.
func (m *move) noteTransfers(ctx context.Context) error {
	err := m.withDatabase(ctx, func(db Database) error {
		runs, err := transfersIn(ctx, db)
		m.Stranded = slices.DeleteFunc(runs, func(t Transfer) bool {
			return slices.ContainsFunc(m.Cut, func(c Transfer) bool { return c.Run == t.Run })
		})
		return err
	})
	if err != nil {
		return err
	}
	return m.journal.Note(m.ticket)
}

// transfersIn returns the transfers that the database holds for running.
func transfersIn(ctx context.Context, db Database) ([]Transfer, error) {
	runs, err := db.Runs(ctx, 0)
	var list []Transfer
	for _, r := range runs {
		list = append(list, r.asTransfer())
	}
	return list, err
}

// working returns the transfers that the workers have at work. Where they give no answer, those that the database has.
func (m *move) working(ctx context.Context) ([]Transfer, error) {
	ids, answered := m.activeRuns(ctx)
	var runs []Transfer
	err := m.withDatabase(ctx, func(db Database) (err error) {
		runs, err = transfersIn(ctx, db)
		return err
	})
	if err != nil || !answered {
		return runs, err
	}
	var list []Transfer
	for _, id := range ids {
		at := slices.IndexFunc(runs, func(t Transfer) bool { return t.Run == id })
		if at < 0 { // it has just begun or ended
			list = append(list, Transfer{Run: id, Started: m.Now()})
			continue
		}
		list = append(list, runs[at])
	}
	return list, nil
}

// activeRuns asks the workers what they have at work, and what they have taken and not begun, which they will; false
// where none answers. What is taken is asked for first: it may begin before the second answer, and is in that one then.
func (m *move) activeRuns(ctx context.Context) (ids []int64, answered bool) {
	for _, what := range []string{"reserved", "active"} {
		var out bytes.Buffer
		code, _, err := m.engine.Stream(ctx, m.options.Project, "worker", celery("inspect", what, "--json"), nil, &out)
		found, ok := parseActive(out.Bytes())
		answered = err == nil && code == 0 && ok
		if answered {
			ids = append(ids, found...)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), answered
}

// parseActive reads what `celery inspect active --json` prints: the tasks of each worker. The id of a run is the task's
// only argument, by place or by name. No worker is no answer.
func parseActive(text []byte) (ids []int64, ok bool) {
	var workers map[string][]struct {
		Args   []json.RawMessage          `json:"args"`
		Kwargs map[string]json.RawMessage `json:"kwargs"`
	}
	for !bytes.HasPrefix(text, []byte("{")) { // warnings of Python's may come first, with braces of their own
		_, rest, more := bytes.Cut(text, []byte("\n"))
		if !more {
			return nil, false
		}
		text = rest
	}
	if json.NewDecoder(bytes.NewReader(text)).Decode(&workers) != nil || len(workers) == 0 {
		return nil, false
	}
	for _, tasks := range workers {
		for _, task := range tasks {
			values := task.Args
			for _, v := range task.Kwargs {
				values = append(values, v)
			}
			for _, v := range values {
				var id int64
				if json.Unmarshal(v, &id) == nil && id > 0 { // null is no error
					ids = append(ids, id)
				}
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), true
}

// holdQueues tells the workers to take no new transfers: those that are asked for meanwhile wait in their queues. A
// worker that does not hear it is stopped all the same, later.
func (m *move) holdQueues(ctx context.Context) {
	for _, queue := range m.options.Queues {
		_, _, _ = m.engine.Stream(ctx, m.options.Project, "worker", celery("control", "cancel_consumer", queue), nil, nil)
	}
}

// resumeQueues takes holdQueues back where the worker runs on. Whether it did is seen when its queues are waited for.
func (m *move) resumeQueues(ctx context.Context) error {
	c, err := m.engine.Inspect(ctx, m.options.Project, "worker")
	if !m.ran("worker") || err != nil || c.State != "running" {
		return nil // it is started anew, and takes its queues then
	}
	var errs []error
	for _, queue := range m.options.Queues {
		code, said, err := m.engine.Stream(ctx, m.options.Project, "worker", celery("control", "add_consumer", queue), nil, nil)
		if err == nil && code != 0 {
			err = fmt.Errorf("giving the queue %s back to the worker: exit code %d: %s", queue, code, strings.TrimSpace(said))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// describeRuns names transfers with how long they have been running.
func (m *move) describeRuns(list []Transfer) string {
	names := make([]string, len(list))
	for i, t := range list {
		names[i] = t.describe(m.Now())
	}
	return strings.Join(names, ", ")
}

// CutText says of a transfer that was cut what became of it.
func (t Transfer) CutText() string {
	return fmt.Sprintf("run %d of %q was running and was ended; it is left as STARTED", t.Run, t.Name)
}

// StrandedText says of a transfer that no worker knew of what became of it.
func (t Transfer) StrandedText() string {
	return fmt.Sprintf("run %d of %q: no worker knew of it any more; it is left as STARTED", t.Run, t.Name)
}

func (t Transfer) describe(now time.Time) string {
	age := now.Sub(t.Started).Round(time.Second)
	if t.Name == "" {
		return fmt.Sprintf("run %d", t.Run)
	}
	return fmt.Sprintf("run %d of %q since %s", t.Run, t.Name, age)
}
