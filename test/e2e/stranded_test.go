package e2e_test

import (
	"fmt"
	"path/filepath"
	"testing"
)

// TestStranded kills a worker at its transfer: the run is stranded while no worker is there, and still when the next one
// serves the queue, which takes nothing over. What that one begins is not.
func TestStranded(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	write(t, filepath.Join(s.dir, "docker-compose.override.yml"), "services:\n  worker:\n    environment:\n      SYNCMASTER_KIT_RUN_DURATION: 3s\n")
	s.init(whole...).is(t, 0)
	s.query(seed(s.token()))

	id, end := s.transfer()
	s.mustShowRun(id, false)
	s.found("stranded", "pass", "")
	s.compose("kill", "worker").is(t, 0)
	end()
	s.mustShowRun(id, true)
	s.found("stranded", "warn", fmt.Sprintf("run %s of transfer is marked as running, and nobody serves its queue 1-etl", id))
	s.compose("start", "worker").is(t, 0)
	f := s.found("stranded", "warn", fmt.Sprintf("run %s of transfer is marked as running, and every worker of its queue 1-etl was started after it", id))
	s.mustShowRun(id, true)
	s.follow(f)

	next, end := s.transfer()
	s.mustShowRun(next, false)
	s.look("status").is(t, 0).says(t, "run "+next+"  transfer  running")
	end()
	s.mustFinish(next)
}

// mustShowRun waits until status shows one run in progress, stranded or not.
func (s *stack) mustShowRun(id string, stranded bool) {
	s.t.Helper()
	eventually(s.t, func() error {
		got := s.look("status", "--output", "json")
		st := readStatus(s.t, got)
		if len(st.Transfers) != 1 || fmt.Sprint(st.Transfers[0].ID) != id || st.Transfers[0].Stranded != stranded {
			return fmt.Errorf("status shows %+v, want run %s, stranded %v", st.Transfers, id, stranded)
		}
		return nil
	})
}
