package setup

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"time"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/report"
	"syncmaster-setup/internal/secret"
	"syncmaster-setup/internal/workdir"
)

// Entry is one run in the history of an install.
type Entry struct {
	Began     time.Time `json:"began"`
	Operation string    `json:"operation"`
	From      string    `json:"from,omitempty"` // releases
	To        string    `json:"to,omitempty"`
	Outcome   string    `json:"outcome"` // ok, failed, undone, not-undone, refused, interrupted, at work; empty where it was killed
	Seconds   float64   `json:"seconds,omitempty"`
	Error     string    `json:"error,omitempty"`
	Log       string    `json:"log"` // file
}

// auditLog is a reporter that keeps what it is told in a file, and hands it on.
type auditLog struct {
	next     report.Reporter
	file     io.WriteCloser
	redactor *secret.Redactor
	now      func() time.Time
}

// logLine is one line of a log: its first one begins a run, its last one ends it.
type logLine struct {
	Time      time.Time `json:"time"`
	Operation string    `json:"operation,omitempty"`
	From      string    `json:"from,omitempty"`
	To        string    `json:"to,omitempty"`
	Event     string    `json:"event,omitempty"`
	Step      string    `json:"step,omitempty"`
	Seconds   float64   `json:"seconds,omitempty"`
	Text      string    `json:"text,omitempty"`
	Plan      *MovePlan `json:"plan,omitempty"`
	Outcome   string    `json:"outcome,omitempty"`
	Error     string    `json:"error,omitempty"`
}

// Report keeps an event. What a step waits for changes too often to be kept.
func (a *auditLog) Report(e report.Event) {
	a.next.Report(e)
	if e.Kind != report.Progress {
		a.write(logLine{Event: string(e.Kind), Step: e.Step, Seconds: e.Elapsed.Round(time.Millisecond).Seconds(), Text: e.Text})
	}
}

// logPlan keeps what a run is going to do beside what it does: the plan of a move, of anything else its text.
func logPlan(to report.Reporter, text string, p *MovePlan) {
	a, kept := to.(*auditLog)
	if !kept {
		return
	}
	if p != nil {
		short := *p
		short.Files, short.World = nil, nil // the generations have the files, and nobody reads prints
		p = &short
	}
	a.write(logLine{Event: planEvent, Text: text, Plan: p})
}

// planEvent marks the line of a log that holds the plan.
const planEvent = "plan"

// write appends a line. A log that cannot be written must not end the run that it tells of.
func (a *auditLog) write(line logLine) {
	line.Time = a.now().UTC().Truncate(time.Millisecond)
	line.Text, line.Error = a.redactor.String(line.Text), a.redactor.String(line.Error)
	data, err := json.Marshal(line)
	if err == nil && line.Plan != nil {
		data = []byte(a.redactor.String(string(data)))
	}
	if err == nil {
		_, _ = a.file.Write(append(data, '\n'))
	}
}

// record begins the log of a run; end closes it with the run's error, which it returns.
func (s *Setup) record(operation, from, to string, redactor *secret.Redactor) (logged report.Reporter, end func(error) error) {
	logged, end, _ = s.recordUnless(operation, from, to, redactor)
	return logged, end
}

// recordUnless is record, with forget, which takes the log back where the run has changed nothing.
func (s *Setup) recordUnless(operation, from, to string, redactor *secret.Redactor) (logged report.Reporter, end func(error) error, forget func() error) {
	began := s.Now()
	file, err := s.Dir.CreateLog(began, operation)
	if err != nil {
		s.Report.Report(report.Event{Kind: report.Warning, Text: "keeping a log of this run: " + err.Error()})
		return s.Report, func(err error) error { return err }, func() error { return nil }
	}
	a := &auditLog{next: s.Report, file: file, redactor: redactor, now: s.Now}
	a.write(logLine{Operation: operation, From: from, To: to})
	return a, func(err error) error {
		line := logLine{Outcome: outcome(err), Seconds: s.Now().Sub(began).Round(time.Millisecond).Seconds()}
		if err != nil {
			line.Error = err.Error()
		}
		a.write(line)
		_ = file.Close() // every line of it was written
		return err
	}, func() error { return errors.Join(file.Close(), os.Remove(file.Name())) }
}

func outcome(err error) string {
	if err == nil {
		return "ok"
	}
	switch fault.CodeOf(err) {
	case fault.Undone:
		return "undone"
	case fault.NotUndone:
		return "not-undone"
	case fault.Interrupted:
		return "interrupted"
	case fault.Refused, fault.BadInput, fault.Locked:
		return "refused"
	case fault.Failed:
		return "failed"
	}
	return "failed"
}

// keepLog makes a move tell its log what it does.
func (m *move) keepLog(operation string) (end func(error) error) {
	copied := *m.Setup
	copied.Report, end = m.Setup.record(operation, m.From.State.Version, m.To.State.Version, m.redactor())
	m.Setup = &copied
	return end
}

// History returns the runs that have changed the install, the oldest first.
func (s *Setup) History() ([]Entry, error) {
	w, err := s.observeAtWork()
	if err != nil {
		return nil, err
	}
	if !w.installed {
		return nil, w.notYet(w.checkMovable("history"))
	}
	logs, err := s.Dir.Logs()
	if err != nil {
		return nil, err
	}
	if w.work == nil { // it may have begun since
		err = s.noteWork(&w)
	}
	var list []Entry
	for _, log := range logs {
		if e, ok := entryOf(log); ok {
			if e.Outcome == "" && w.work != nil && !e.Began.Before(w.work.Since) {
				e.Outcome = atWork
			}
			list = append(list, e)
		}
	}
	return list, err
}

// atWork is the outcome of a run that has not come to its end yet.
const atWork = "at work"

// entryOf reads the first and the last line of a log.
func entryOf(log workdir.Log) (Entry, bool) {
	var first, last logLine
	if json.Unmarshal([]byte(log.First), &first) != nil || first.Operation == "" {
		return Entry{}, false
	}
	e := Entry{Began: first.Time, Operation: first.Operation, From: first.From, To: first.To, Log: log.Path}
	if json.Unmarshal([]byte(log.Last), &last) == nil {
		e.Outcome, e.Seconds, e.Error = last.Outcome, last.Seconds, last.Error
	}
	return e, true
}
