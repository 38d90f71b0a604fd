package e2e_test

import (
	"os"
	"strings"
	"testing"
)

// TestInterrupted ends init with Ctrl-C half-way: it says how to go on, and the next one does.
func TestInterrupted(t *testing.T) {
	for step, line := range map[string]string{"while the database starts": "write files", "while services start": "start server"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			p := begin(t, s.command(whole...))
			if !p.until(func(said string) bool { return strings.Contains(said, line) }) {
				t.Fatalf("init never said %q\n%s", line, p.wait().said())
			}
			if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			p.wait().is(t, 130).says(t, "interrupted at", "init again")
			secrets := s.secrets()
			s.init(whole...).is(t, 0).says(t, "an earlier run was interrupted at")
			s.mustBeHealthy(all...)
			for name, value := range secrets {
				if s.secrets()[name] != value {
					t.Errorf("%s has changed", name)
				}
			}
		})
	}
}

// TestInterruptedJSON gives a program that reads the events the same word.
func TestInterruptedJSON(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	p := begin(t, s.command("--output", "json"))
	p.until(func(said string) bool { return strings.Contains(said, "step-done") })
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if got := p.wait().is(t, 130).object(t); got.Result != "error" || got.ExitCode != 130 || len(got.Problems) != 1 || got.Problems[0].Hint == "" {
		t.Errorf("the result object is %+v", got)
	}
}
