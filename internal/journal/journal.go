// Package journal records what of a plan was begun and what is done, so that a killed run is seen and goes on.
package journal

import (
	"encoding/json"
	"fmt"
	"time"
)

// Entry is one step of the recorded plan.
type Entry struct {
	Step  string    `json:"step"`
	Begun time.Time `json:"begun"`
	Done  time.Time `json:"done,omitzero"`
}

// Record is the content of the journal file. It holds names and times, never values.
type Record struct {
	Operation string    `json:"operation"`
	Started   time.Time `json:"started"`
	Entries   []Entry   `json:"entries"`
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

// Open starts the record of an operation, replacing one that an earlier run left.
func Open(store Store, operation string, now func() time.Time) (*Journal, error) {
	j := &Journal{store: store, record: Record{Operation: operation, Started: now()}, now: now}
	return j, j.save()
}

// Begin records that a step begins.
func (j *Journal) Begin(step string) error {
	j.record.Entries = append(j.record.Entries, Entry{Step: step, Begun: j.now()})
	return j.save()
}

// Done records that the step begun last is done.
func (j *Journal) Done(step string) error {
	last := len(j.record.Entries) - 1
	if last < 0 || j.record.Entries[last].Step != step {
		return fmt.Errorf("recording step %q as done: it was not begun", step)
	}
	j.record.Entries[last].Done = j.now()
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
