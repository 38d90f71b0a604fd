// Package plan holds an operation as a list of steps, prints it, runs it in order and takes it back in reverse. The
// plan that is printed is the plan that runs.
package plan

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"syncmaster-setup/internal/report"
)

// Step is one change of the host. Do and Undo must be idempotent: after a crash they are run again.
type Step struct {
	Name string // imperative, names the object: "start database and broker"
	Why  string // why this run needs it
	Do   func(ctx context.Context) error
	// Undo takes back what Do did, wholly or in part; nil where there is nothing to take back.
	Undo func(ctx context.Context) error
	Back string // what Undo does, for the reader of the plan
	Done bool   // by an earlier run: Do is left out
}

// Plan is the ordered list of steps of one operation.
type Plan struct {
	Operation string
	Steps     []Step
}

// String prints one line a step: its number, its name and why it is there.
func (p Plan) String() string {
	var b strings.Builder
	width := 0
	for _, s := range p.Steps {
		width = max(width, len(s.Name))
	}
	for i, s := range p.Steps {
		fmt.Fprintf(&b, "%2d  %-*s  %s\n", i+1, width, s.Name, s.Why)
	}
	return b.String()
}

// Backward returns what the way back does, in the order in which it is done.
func (p Plan) Backward() []string {
	var list []string
	for _, s := range slices.Backward(p.Steps) {
		if s.Undo != nil {
			list = append(list, s.Back)
		}
	}
	return list
}

// Recorder keeps a durable record of what was begun and what is done.
type Recorder interface {
	Begin(step string) error
	Done(step string) error
}

// BackRecorder keeps a durable record of what is taken back.
type BackRecorder interface {
	// Begun reports whether a step was begun and is not taken back.
	Begun(step string) bool
	Undone(step string) error
}

// StepError says in which step a plan stopped.
type StepError struct {
	Step string
	Err  error
}

// Error returns the step's name and the cause.
func (e *StepError) Error() string { return e.Step + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *StepError) Unwrap() error { return e.Err }

// Run does the steps in order, recording each before and after, and stops at the first failure with a [StepError].
// A cancelled ctx ends the step at work and stops before the next one.
func Run(ctx context.Context, p Plan, rec Recorder, rep report.Reporter) error {
	for i, s := range p.Steps {
		if s.Done {
			continue
		}
		if err := ctx.Err(); err != nil {
			return &StepError{Step: s.Name, Err: context.Cause(ctx)}
		}
		if err := rec.Begin(s.Name); err != nil {
			return &StepError{Step: s.Name, Err: err}
		}
		at := report.Event{Step: s.Name, Why: s.Why, Index: i + 1, Total: len(p.Steps)}
		err := observed(rep, at, func() error {
			if err := s.Do(ctx); err != nil {
				return err
			}
			return rec.Done(s.Name)
		})
		if err != nil {
			return &StepError{Step: s.Name, Err: err}
		}
	}
	return nil
}

// Undo takes back the steps that were begun, the last one first, and stops at the first failure with a [StepError]:
// what comes before it may only be taken back when it is.
func Undo(ctx context.Context, p Plan, rec BackRecorder, rep report.Reporter) error {
	var back []Step
	for _, s := range slices.Backward(p.Steps) {
		if s.Undo != nil && rec.Begun(s.Name) {
			back = append(back, s)
		}
	}
	for i, s := range back {
		at := report.Event{Step: s.Back, Index: i + 1, Total: len(back)}
		err := observed(rep, at, func() error {
			if err := s.Undo(ctx); err != nil {
				return err
			}
			return rec.Undone(s.Name)
		})
		if err != nil {
			return &StepError{Step: s.Back, Err: err}
		}
	}
	return nil
}

// observed reports a piece of work before and after.
func observed(rep report.Reporter, event report.Event, work func() error) error {
	began := time.Now()
	event.Kind = report.StepStarted
	rep.Report(event)
	err := work()
	event.Why = ""
	event.Kind, event.Elapsed = report.StepDone, time.Since(began)
	if err != nil {
		event.Kind = report.StepFailed
	}
	rep.Report(event)
	return err
}
