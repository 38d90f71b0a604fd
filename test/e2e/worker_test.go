package e2e_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestWorkerThatFails ends init at once with the container's own words; without the cause the next one is healthy.
func TestWorkerThatFails(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	override := filepath.Join(s.dir, "docker-compose.override.yml")
	write(t, override, "services:\n  worker:\n    command: --loglevel=info -Q 1-etl\n") // that of 0.2.x
	got := s.init(append(whole, "--wait-timeout", "4m")...).is(t, 1).says(t, "worker", "its last lines", "cd "+s.dir+" && docker compose logs --tail 50 worker")
	if got.took > time.Minute {
		t.Errorf("init waited %s for a container that had ended", got.took)
	}
	if err := os.Remove(override); err != nil {
		t.Fatal(err)
	}
	s.init(whole...).is(t, 0)
	if c := s.container("worker"); !c.State.Running {
		t.Errorf("the worker is %s", c.State.Status)
	}
	if got := s.running(); len(got) != len(all) {
		t.Errorf("running are %v", got)
	}
}
