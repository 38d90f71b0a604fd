package plan_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"syncmaster-setup/internal/plan"
	"syncmaster-setup/internal/report"
)

// tape records what a run tells its recorder and reporter, in order.
type tape struct{ lines []string }

func (t *tape) Begin(step string) error { t.lines = append(t.lines, "begin "+step); return nil }
func (t *tape) Done(step string) error  { t.lines = append(t.lines, "done "+step); return nil }
func (t *tape) Report(e report.Event)   { t.lines = append(t.lines, string(e.Kind)) }

func steps(t *tape, fail error) plan.Plan {
	do := func(name string, err error) plan.Step {
		return plan.Step{Name: name, Why: "because", Do: func(context.Context) error {
			t.lines = append(t.lines, "do "+name)
			return err
		}}
	}
	return plan.Plan{Operation: "test", Steps: []plan.Step{do("one", nil), do("two", fail), do("three", nil)}}
}

func TestRunRecordsEachStepBeforeAndAfter(t *testing.T) {
	rec := &tape{}
	p := steps(rec, nil)
	p.Steps = p.Steps[:1]
	if err := plan.Run(t.Context(), p, rec, rec); err != nil {
		t.Fatal(err)
	}
	want := []string{"begin one", "step-started", "do one", "done one", "step-done"}
	if !slices.Equal(rec.lines, want) {
		t.Errorf("got %q, want %q", rec.lines, want)
	}
}

func TestRunStopsAtTheFirstFailure(t *testing.T) {
	rec, cause := &tape{}, errors.New("no luck")
	err := plan.Run(t.Context(), steps(rec, cause), rec, report.Discard{})
	var failed *plan.StepError
	if !errors.As(err, &failed) || failed.Step != "two" || !errors.Is(err, cause) {
		t.Fatalf("got %v", err)
	}
	if slices.Contains(rec.lines, "done two") || slices.Contains(rec.lines, "do three") {
		t.Errorf("went on after the failure: %q", rec.lines)
	}
}

func TestRunStopsBetweenStepsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	rec := &tape{}
	p := steps(rec, nil)
	p.Steps[0].Do = func(context.Context) error { cancel(); return nil }
	if err := plan.Run(ctx, p, rec, report.Discard{}); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if slices.Contains(rec.lines, "begin two") {
		t.Errorf("began a step after the cancel: %q", rec.lines)
	}
}

func TestPlanPrintsEachStepWithItsReason(t *testing.T) {
	want := " 1  one    because\n 2  two    because\n 3  three  because\n"
	if got := steps(&tape{}, nil).String(); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}
