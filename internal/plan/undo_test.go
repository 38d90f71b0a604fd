package plan_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"syncmaster-setup/internal/plan"
	"syncmaster-setup/internal/report"
)

// ledger remembers what was begun and in which order things were said.
type ledger struct {
	tape
	begun []string
	fail  error // of Undone
}

func (l *ledger) Begun(step string) bool { return slices.Contains(l.begun, step) }
func (l *ledger) Undone(step string) error {
	l.lines = append(l.lines, "undone "+step)
	return l.fail
}
func (l *ledger) Report(e report.Event) {
	l.lines = append(l.lines, fmt.Sprintf("%s %s %d/%d", e.Kind, e.Step, e.Index, e.Total))
}

// reversible are three steps, of which the second has nothing to take back.
func reversible(l *ledger, fail error) plan.Plan {
	step := func(name string, err error) plan.Step {
		return plan.Step{Name: name, Back: "un" + name, Undo: func(context.Context) error {
			l.lines = append(l.lines, "undo "+name)
			return err
		}}
	}
	return plan.Plan{Steps: []plan.Step{step("one", nil), {Name: "two", Back: "nothing"}, step("three", fail)}}
}

func TestUndo(t *testing.T) {
	broken := errors.New("no luck")
	for name, tc := range map[string]struct {
		begun        []string
		fail, record error
		want         []string
		stoppedAt    string
	}{
		"in reverse": {begun: []string{"one", "two", "three"}, want: []string{
			"step-started unthree 1/2", "undo three", "undone three", "step-done unthree 1/2",
			"step-started unone 2/2", "undo one", "undone one", "step-done unone 2/2"}},
		"only what was begun": {begun: []string{"one", "two"}, want: []string{
			"step-started unone 1/1", "undo one", "undone one", "step-done unone 1/1"}},
		"nothing was begun": {},
		"stops at the first failure": {begun: []string{"one", "three"}, fail: broken, stoppedAt: "unthree", want: []string{
			"step-started unthree 1/2", "undo three", "step-failed unthree 1/2"}},
		"stops where it cannot be recorded": {begun: []string{"one", "three"}, record: broken, stoppedAt: "unthree", want: []string{
			"step-started unthree 1/2", "undo three", "undone three", "step-failed unthree 1/2"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := &ledger{begun: tc.begun, fail: tc.record}
			err := plan.Undo(t.Context(), reversible(l, tc.fail), l, l)
			var stopped *plan.StepError
			if errors.As(err, &stopped) != (tc.stoppedAt != "") || stopped != nil && (stopped.Step != tc.stoppedAt || !errors.Is(err, broken)) {
				t.Errorf("stopped with %v", err)
			}
			if !slices.Equal(l.lines, tc.want) {
				t.Errorf("got  %q\nwant %q", l.lines, tc.want)
			}
		})
	}
}

func TestBackwardNamesWhatIsTakenBack(t *testing.T) {
	if got := reversible(&ledger{}, nil).Backward(); !slices.Equal(got, []string{"unthree", "unone"}) {
		t.Errorf("got %q", got)
	}
}

// A step that is done keeps its number, so that a resumed run counts as the first one did.
func TestRunLeavesOutWhatIsDone(t *testing.T) {
	l := &ledger{}
	p := steps(&l.tape, nil)
	p.Steps[0].Done, p.Steps[2].Done = true, true
	if err := plan.Run(t.Context(), p, l, l); err != nil {
		t.Fatal(err)
	}
	want := []string{"begin two", "step-started two 2/3", "do two", "done two", "step-done two 2/3"}
	if !slices.Equal(l.lines, want) {
		t.Errorf("got %q, want %q", l.lines, want)
	}
}

// unwritable is a recorder on a full disk.
type unwritable struct{ begin, done error }

func (u unwritable) Begin(string) error { return u.begin }
func (u unwritable) Done(string) error  { return u.done }

func TestRunStopsWhereItCannotBeRecorded(t *testing.T) {
	full := errors.New("no space left on device")
	l := &ledger{}
	if err := plan.Run(t.Context(), steps(&l.tape, nil), unwritable{begin: full}, l); !errors.Is(err, full) || len(l.lines) != 0 {
		t.Errorf("went on without a record: %v, %q", err, l.lines)
	}
	err := plan.Run(t.Context(), steps(&l.tape, nil), unwritable{done: full}, l)
	if want := []string{"step-started one 1/3", "do one", "step-failed one 1/3"}; !errors.Is(err, full) || !slices.Equal(l.lines, want) {
		t.Errorf("got %v, %q", err, l.lines)
	}
}

func TestRunTellsWhyItWasCancelled(t *testing.T) {
	why := errors.New("the engine went away")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if err := plan.Run(ctx, steps(&tape{}, nil), unwritable{}, report.Discard{}); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
}
