package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"syncmaster-setup/internal/database"
	"syncmaster-setup/internal/report"
)

// steps turns the events of a migration into those of a run: a step for each revision, a note for each new holder of a
// lock.
type steps struct {
	report  report.Reporter
	list    []database.Step
	at      int // index of the step at work
	began   time.Time
	holders string // that the last note named, by process
}

func newSteps(r report.Reporter, plan database.Plan) *steps {
	return &steps{report: r, list: plan.Steps}
}

// start announces the step at work, if there is one.
func (s *steps) start() {
	if s.at < len(s.list) {
		s.began = time.Now()
		s.report.Report(s.event(report.StepStarted))
	}
}

// failed ends the step at work.
func (s *steps) failed() {
	if s.at < len(s.list) {
		failed := s.event(report.StepFailed)
		failed.Elapsed = time.Since(s.began)
		s.report.Report(failed)
	}
}

func (s *steps) event(kind report.Kind) report.Event {
	return report.Event{Kind: kind, Step: stepText(s.list[s.at]), Index: s.at + 1, Total: len(s.list)}
}

func (s *steps) show(e database.Progress) {
	switch e.Phase {
	case database.Done:
		// another run may have done steps in between
		if i := slices.IndexFunc(s.list, func(x database.Step) bool { return x.Revision.ID == e.Revision }); i >= 0 {
			s.at = i
			done := s.event(report.StepDone)
			done.Elapsed = e.Took
			s.report.Report(done)
			s.at++
			s.start()
		}
	case database.Waiting:
		s.waiting(e)
	case database.Vacuuming:
		s.report.Report(report.Event{Kind: report.Note, Text: fmt.Sprintf("vacuumed %s, %s, in %.1fs", e.Table, rows(e.Rows), e.Took.Seconds())})
	}
}

// waiting names who holds the lock, once for each set of holders: the tries between are many.
func (s *steps) waiting(e database.Progress) {
	var ids []string
	for _, h := range e.Holders {
		ids = append(ids, fmt.Sprint(h.PID, h.Prepared))
	}
	text := waitingText(e)
	s.report.Report(report.Event{Kind: report.Progress, Text: text})
	if key := strings.Join(ids, " "); e.Tries == 1 || key != s.holders {
		s.holders = key
		s.report.Report(report.Event{Kind: report.Note, Text: text})
	}
}

// waitingText names who holds the lock that is waited for.
func waitingText(e database.Progress) string {
	var names []string
	for _, h := range e.Holders {
		names = append(names, h.String())
	}
	if len(names) == 0 {
		return "waiting for a lock"
	}
	return "waiting for a lock that is held by " + strings.Join(names, "; ")
}

// stepText names a step for people, with the rows that it writes anew.
func stepText(s database.Step) string {
	text := "upgrade to "
	if !s.Up {
		text = "undo "
	}
	text += s.Revision.ID + " " + s.Revision.Name
	if n := s.Rows(); n > 0 {
		text += ", rewriting " + rows(n)
	}
	return text
}

func rows(n int64) string {
	if n == 1 {
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}

func size(n int64) string { return report.Bytes(n) }
