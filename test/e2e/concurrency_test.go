package e2e_test

import (
	"strings"
	"testing"
)

// TestTwentyAtOnce starts 20 runs in one fresh folder: one works, the others say who does.
func TestTwentyAtOnce(t *testing.T) {
	s := newStack(t)
	var runs []*process
	for range 20 {
		runs = append(runs, begin(t, s.command(whole...)))
	}
	won := 0
	for _, p := range runs {
		got := p.wait()
		if got.code == 0 {
			won++
			continue
		}
		got.is(t, 11)
		if !strings.Contains(got.said(), "init is at work since ") {
			t.Errorf("a run that lost does not name the holder: %s", got.said())
		}
	}
	if won != 1 {
		t.Errorf("%d runs succeeded, want 1", won)
	}
	s.mustBeHealthy(all...)
}
