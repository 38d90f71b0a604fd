package e2e_test

import (
	"strings"
	"testing"
)

// TestEngineVanishes cuts the connection to the engine half-way. The next init goes on.
func TestEngineVanishes(t *testing.T) {
	for name, line := range map[string]string{"before the containers": "write files", "while services start": "check the encryption key"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			p := newProxy(t)
			s.env = []string{"DOCKER_HOST=" + p.host()}
			run := begin(t, s.command(append(whole, "--wait-timeout", "30s")...))
			if !run.until(func(said string) bool { return strings.Contains(said, line) }) {
				t.Fatalf("init never said %q\n%s", line, run.wait().said())
			}
			p.stop()
			run.wait().is(t, 1).says(t, "failed to connect to the docker API", "it goes on where it stopped")
			s.env = nil
			s.init(whole...).is(t, 0).says(t, "healthy")
			s.mustBeHealthy(all...)
		})
	}
}

// TestEngineVanishesBeforeFirstChange leaves nothing where the engine goes away while init looks around.
func TestEngineVanishesBeforeFirstChange(t *testing.T) {
	for requests := 1; requests <= 9; requests += 4 {
		s := newStack(t)
		p := newProxy(t)
		p.stopAfter(requests)
		s.env = []string{"DOCKER_HOST=" + p.host()}
		before := s.snapshot()
		got := s.init(append(whole, "--dry-run")...)
		if got.code != 1 && got.code != refused {
			t.Errorf("cut after %d requests, init ended with %d\n%s", requests, got.code, got.said())
		}
		mustEqual(t, before, s.snapshot())
	}
}
