package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// mendLimit is more than a user with five faults takes who types what doctor says, even where the engine waits long before
// it restarts a container.
const mendLimit = 6 * time.Minute

// TestFiveFaults plants five faults in one running stack. The user does nothing but what doctor says first, again and again.
func TestFiveFaults(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	disk := s.volumeOnDisk(volumeBytes)
	s.init(whole...).is(t, 0)
	s.query(seed(s.token()))
	waiting := s.plantFaults(disk)

	var typed []string
	for deadline := time.Now().Add(mendLimit); ; {
		f, found := s.firstAdvice()
		if !found {
			break
		}
		if typed = slices.Compact(append(typed, f.ID+": "+f.Next)); time.Now().After(deadline) {
			t.Fatalf("doctor is not content after:\n%s", strings.Join(typed, "\n"))
		}
		if f.Next == "" {
			t.Fatalf("%+v", f)
		}
		if strings.Contains(f.Next, "space on the disk") {
			disk.grow(t)
		}
		if f.ID == "disk" { // it names no command
			continue
		}
		s.typed(f.Next) // whatever comes of it, doctor knows best
	}
	t.Logf("typed was:\n%s", strings.Join(typed, "\n"))
	s.mustFinish(waiting)
	var run struct{ ID int }
	s.call(http.MethodPost, "/v1/runs", s.login("admin"), `{"transfer_id": 1}`, &run)
	s.mustFinish(fmt.Sprint(run.ID))
	s.restarts = true
	s.mustBeHealthy(all...)
	s.status(0)
}

// plantFaults gives the stack a queue without a worker where a transfer waits, an edited Compose file, another key, a
// stopped broker and a database whose disk is full. It returns the run that waits.
func (s *stack) plantFaults(disk disk) string {
	s.t.Helper()
	s.query("INSERT INTO queue (name, slug, group_id, description) VALUES ('new', '1-new', 1, ''); UPDATE transfer SET queue_id = 2")
	var run struct{ ID int }
	s.call(http.MethodPost, "/v1/runs", s.login("admin"), `{"transfer_id": 1}`, &run)

	s.edit("docker-compose.yml", "stop_grace_period: 30s", "stop_grace_period: 31s")
	const key = "SYNCMASTER__ENCRYPTION__SECRET_KEY"
	s.edit(".env.docker", key+"="+s.setting(".env.docker", key), key+"=d3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3I=")
	s.compose("up", "--detach").is(s.t, 0)
	s.compose("stop", "rabbitmq").is(s.t, 0)
	disk.fill(s.t, 0)
	s.endLog()
	return fmt.Sprint(run.ID)
}

// firstAdvice is what doctor says first: of what fails, and otherwise of what it warns of beside this machine itself.
func (s *stack) firstAdvice() (finding, bool) {
	s.t.Helper()
	all := s.findings()
	for _, level := range []string{"fail", "warn"} {
		for _, f := range all {
			if f.Level == level && !slices.Contains([]string{"memory", "disk", "proxy", "logs"}, f.ID) || f.Level == level && level == "fail" {
				return f, true
			}
		}
	}
	return finding{}, false
}

// grow makes the disk larger than doctor wants it; what fills it stays.
func (d disk) grow(t *testing.T) {
	t.Helper()
	if err := unix.Mount("tmpfs", d.path, "tmpfs", unix.MS_REMOUNT, "size=8g"); err != nil {
		t.Fatal(err)
	}
}
