// Package journal records what of a plan was begun, what is done and what is taken back, so that a killed run is seen
// and goes on, or back.
package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Entry is one step of the recorded plan.
type Entry struct {
	Step   string    `json:"step"`
	Begun  time.Time `json:"begun"`
	Done   time.Time `json:"done,omitzero"`
	Undone time.Time `json:"undone,omitzero"`
}

// Record is the content of the journal file. It holds names and times, never values.
type Record struct {
	Operation string          `json:"operation"`
	Started   time.Time       `json:"started"`
	Backward  bool            `json:"backward,omitempty"` // it is being taken back
	Ticket    json.RawMessage `json:"ticket,omitempty"`   // what a later run must know to go on or back
	Entries   []Entry         `json:"entries"`
}

// Store keeps the journal's bytes durably: Write must survive kill -9 as soon as it returns.
type Store interface {
	Write(data []byte) error
	Remove() error
}

// Journal records one operation.
type Journal struct {
	store  Store
	record Record
	now    func() time.Time
}

// Open starts the record of an operation, replacing one that an earlier run left. ticket is encoded as JSON; nil for
// none.
func Open(store Store, operation string, ticket any, now func() time.Time) (*Journal, error) {
	j := &Journal{store: store, record: Record{Operation: operation, Started: now()}, now: now}
	return j, j.Note(ticket)
}

// Continue goes on with a record that an earlier run left.
func Continue(store Store, record Record, now func() time.Time) *Journal {
	return &Journal{store: store, record: record, now: now}
}

// Note replaces the ticket.
func (j *Journal) Note(ticket any) error {
	if ticket != nil {
		data, err := json.Marshal(ticket)
		if err != nil {
			return fmt.Errorf("encoding the journal: %w", err)
		}
		j.record.Ticket = data
	}
	return j.save()
}

// Begin records that a step begins, or begins again.
func (j *Journal) Begin(step string) error {
	if e := j.record.find(step); e != nil {
		*e = Entry{Step: step, Begun: j.now()}
	} else {
		j.record.Entries = append(j.record.Entries, Entry{Step: step, Begun: j.now()})
	}
	return j.save()
}

// Done records that a step that was begun is done.
func (j *Journal) Done(step string) error {
	e := j.record.find(step)
	if e == nil {
		return fmt.Errorf("recording step %q as done: it was not begun", step)
	}
	e.Done = j.now()
	return j.save()
}

// Back records that the operation is taken back from now on.
func (j *Journal) Back() error {
	j.record.Backward = true
	return j.save()
}

// Begun reports whether a step was begun and is not taken back.
func (j *Journal) Begun(step string) bool {
	e := j.record.find(step)
	return e != nil && e.Undone.IsZero()
}

// Undone records that a step is taken back.
func (j *Journal) Undone(step string) error {
	if e := j.record.find(step); e != nil {
		e.Undone = j.now()
	}
	return j.save()
}

// Close removes the record: the operation is complete and nothing is left to resume.
func (j *Journal) Close() error { return j.store.Remove() }

// Parse reads a journal that an earlier run left.
func Parse(data []byte) (Record, error) {
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		return Record{}, fmt.Errorf("reading the journal: %w", err)
	}
	if r.Operation == "" {
		return Record{}, errors.New("reading the journal: it names no operation")
	}
	return r, nil
}

// Interrupted returns the step at which the recorded run stopped, or the empty string where all begun steps are done.
func (r Record) Interrupted() string {
	for _, e := range r.Entries {
		if e.Done.IsZero() {
			return e.Step
		}
	}
	return ""
}

// Finished reports whether a step is done.
func (r Record) Finished(step string) bool {
	e := r.find(step)
	return e != nil && !e.Done.IsZero()
}

func (r Record) find(step string) *Entry {
	for i := range r.Entries {
		if r.Entries[i].Step == step {
			return &r.Entries[i]
		}
	}
	return nil
}

func (j *Journal) save() error {
	data, err := json.MarshalIndent(j.record, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the journal: %w", err)
	}
	if err := j.store.Write(append(data, '\n')); err != nil {
		return fmt.Errorf("writing the journal: %w", err)
	}
	return nil
}
