package setup

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/workdir"
)

// Work is an operation that another process carries out in the folder at this moment.
type Work struct {
	Operation string    `json:"operation"` // empty where it has not said so yet
	Target    string    `json:"target,omitempty"`
	Since     time.Time `json:"since"`
	Process   int       `json:"process"`
	Step      string    `json:"step,omitempty"` // that it has come to
	Text      string    `json:"text"`           // all of it, for people

	journalled bool // the open journal is its own
}

// Lock takes the folder's lock for an operation. Where another one holds it, the error names that one.
func (s *Setup) Lock(operation string, now time.Time) (unlock func() error, err error) {
	unlock, err = s.Dir.Lock(operation, now)
	if fault.CodeOf(err) != fault.Locked {
		return unlock, err
	}
	w := world{dir: s.Dir.Path()}
	if s.noteWork(&w) != nil || w.work == nil {
		return nil, err // the lock's own words must do
	}
	return nil, fault.New(fault.Locked, fmt.Errorf("%s, in %s", w.work.Text, w.dir), workdir.HintHeld)
}

// observeAtWork reads the folder, and who is at work in it, for a command that only looks.
func (s *Setup) observeAtWork() (world, error) {
	w, err := s.readFolder()
	if err != nil {
		return w, err
	}
	if err := s.noteWork(&w); err != nil || w.work != nil || w.open == nil {
		return w, err
	}
	if w, err = s.readFolder(); err != nil { // what was open a moment ago may have come to its end
		return w, err
	}
	return w, s.noteWork(&w)
}

// noteWork adds to what the folder holds who is at work in it. The journal is read after that, so that it is not one
// that has come to its end.
func (s *Setup) noteWork(w *world) error {
	h, err := s.Dir.Holder()
	if err != nil || h == nil {
		return err
	}
	s.readJournal(w)
	w.work = w.workOf(*h, s.Now())
	return nil
}

// workOf completes the note of who holds the lock with what the journal tells of the same run.
func (w world) workOf(h workdir.Holder, now time.Time) *Work {
	work := &Work{Operation: h.Operation, Since: h.Since, Process: h.Process, journalled: w.journalOf(h)}
	if work.journalled {
		work.Step = w.open.Interrupted()
		if t, err := reopen(*w.open); err == nil {
			work.Target = t.target()
			h.Operation = t.describe(h.Operation)
		}
	}
	work.Text = h.Words(now)
	if work.Step != "" {
		work.Text += ", at: " + work.Step
	}
	return work
}

// journalOf reports whether the open journal is that of the run that holds the lock, and not of one that was killed and
// keeps this one from beginning.
func (w world) journalOf(h workdir.Holder) bool {
	switch {
	case w.open == nil:
		return false
	case slices.Contains([]string{"resume", "abort"}, h.Operation):
		return true
	case slices.Contains(moves, h.Operation):
		return h.Operation == w.open.Operation && !w.open.Started.Before(h.Since)
	}
	return h.Operation == w.open.Operation // init goes on with what was begun before
}

// interrupted reports whether an operation has not come to its end, and nobody carries it out.
func (w world) interrupted() bool { return w.stopped != "" && (w.work == nil || !w.work.journalled) }

// changing reports whether somebody is at work on what runs, so that what looks wrong may be meant just now.
func (w world) changing() bool { return w.work != nil && w.work.Operation != "backup" }

// meanwhile is what to do about something that looks wrong: nothing in the folder while somebody is at work there.
func (w world) meanwhile(next string) string {
	if !w.changing() || !strings.Contains(next, w.dir) {
		return next
	}
	return w.afterWork()
}

// afterWork tells to wait.
func (w world) afterWork() string {
	name := "the " + w.work.Operation
	if w.work.Operation == "" {
		name = "the other run"
	}
	return "wait until " + name + " has ended, then look again"
}

// notYet is the error for a folder with nothing to look at, in which it may be coming into being.
func (w world) notYet(err error) error {
	if w.work == nil {
		return err
	}
	return fault.New(fault.Failed, errors.New("there is nothing to look at in "+w.dir+" yet: "+w.work.Text), "look again in a moment")
}
