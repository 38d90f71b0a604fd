// Package plan holds an operation as a list of steps, prints it, and runs it in order. The plan that is printed is
// the plan that runs.
package plan

import (
	"context"
	"fmt"
	"strings"
	"time"

	"syncmaster-setup/internal/report"
)

// Step is one change of the host. Do must be idempotent: after a crash the whole plan is run again.
type Step struct {
	Name string // imperative, names the object: "start database and broker"
	Why  string // why this run needs it
	Do   func(ctx context.Context) error
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

// Recorder keeps a durable record of what was begun and what is done.
type Recorder interface {
	Begin(step string) error
	Done(step string) error
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
		if err := ctx.Err(); err != nil {
			return &StepError{Step: s.Name, Err: context.Cause(ctx)}
		}
		if err := rec.Begin(s.Name); err != nil {
			return &StepError{Step: s.Name, Err: err}
		}
		began := time.Now()
		event := report.Event{Kind: report.StepStarted, Step: s.Name, Index: i + 1, Total: len(p.Steps)}
		rep.Report(event)
		err := s.Do(ctx)
		event.Kind, event.Elapsed = report.StepDone, time.Since(began)
		if err == nil {
			err = rec.Done(s.Name)
		}
		if err != nil {
			event.Kind = report.StepFailed
			rep.Report(event)
			return &StepError{Step: s.Name, Err: err}
		}
		rep.Report(event)
	}
	return nil
}
