// Package report shows the events of a run: on a terminal, as plain lines, as NDJSON, or not at all.
package report

import "time"

// Kind tells what an [Event] is about.
type Kind string

// The kinds of events. A step that started ends as done or failed.
const (
	StepStarted Kind = "step-started"
	StepDone    Kind = "step-done"
	StepFailed  Kind = "step-failed"
	Progress    Kind = "progress" // bytes or a state within the step at work
	Note        Kind = "note"     // something the user should know
	Warning     Kind = "warning"  // something the user should look at
)

// Event is one thing that happened in a run. It never carries a secret.
type Event struct {
	Kind    Kind
	Step    string
	Why     string        // the step is there, at its start
	Index   int           // number of the step, from 1
	Total   int           // number of steps
	Elapsed time.Duration // of the step, at its end
	Text    string        // of a note or warning, or what a wait is waiting for
	Bytes   int64         // of a progress, so far
	OfBytes int64         // of a progress, in all; 0 where unknown
}

// Reporter takes events. Report may be called from several goroutines.
type Reporter interface {
	Report(Event)
}

// Discard shows nothing.
type Discard struct{}

// Report drops the event.
func (Discard) Report(Event) {}
