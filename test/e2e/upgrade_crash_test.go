package e2e_test

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// matrix is set where every kill point is wanted: make test-crash.
var matrix = os.Getenv("SYNCMASTER_E2E_MATRIX") != ""

// point is an instant of an operation and the way out of it.
type point struct {
	killPoint
	way string // the command that takes over
}

// points returns the kill points of an operation of so many steps: all of them, or for each step one that is drawn anew
// in each run, so that two runs in a row never take the same ones.
func points(t *testing.T, steps int, ways ...string) []point {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("SYNCMASTER_E2E_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("SYNCMASTER_E2E_SEED: %v", err)
		}
	}
	t.Logf("to repeat it: SYNCMASTER_E2E_SEED=%d", seed)
	draw := rand.New(rand.NewPCG(seed, 0))
	var list []point
	for step := 1; step <= steps; step++ {
		var of []point
		for _, when := range []string{"before", "in", "after"} {
			for _, way := range ways {
				of = append(of, point{killPoint{when, step}, way})
			}
		}
		if !matrix {
			of = of[draw.IntN(len(of)):][:1]
		}
		list = append(list, of...)
	}
	return list
}

// TestUpgradeKilled kills an upgrade and goes on or back: it is healthy in one of the two releases, with the same rows
// and keys.
func TestUpgradeKilled(t *testing.T) {
	t.Parallel()
	s := installed(t, "0.2.4")
	rows, secrets := s.rows(), s.secrets()
	for _, p := range points(t, 10, "resume", "abort") {
		s.killed(p, 10, "upgrade", "--to", "0.2.5")
		s.mustEnd(p, "0.2.4", "0.2.5", rows, secrets)
		if s.setting(".env", "VERSION") == "0.2.5" {
			s.do("rollback").is(t, 0)
			s.mustBe("0.2.4", rows, secrets)
		}
		if t.Failed() {
			t.Fatalf("after the kill %s step %d and %s", p.when, p.step, p.way)
		}
	}
}

// TestUpgradeByImageKilled does the same where the release's own image migrates and the way back is the dump.
func TestUpgradeByImageKilled(t *testing.T) {
	t.Parallel()
	s := installed(t, "0.3.2")
	rows, secrets := s.rows(), s.secrets()
	for _, p := range points(t, 9, "resume", "abort") {
		s.killed(p, 9, "upgrade", "--to", "0.4.0")
		s.mustEnd(p, "0.3.2", "0.4.0", rows, secrets)
		if s.setting(".env", "VERSION") == "0.4.0" {
			s.do("rollback", "--lose-newer-data").is(t, 0)
			s.mustBe("0.3.2", rows, secrets)
		}
		if t.Failed() {
			t.Fatalf("after the kill %s step %d and %s", p.when, p.step, p.way)
		}
	}
}

// TestRestoreKilled kills a restore and a rollback.
func TestRestoreKilled(t *testing.T) {
	t.Parallel()
	s := installed(t, "0.2.5")
	rows, secrets := s.rows(), s.secrets()
	s.do("backup create").is(t, 0)
	name := s.backups()[0]
	for _, p := range points(t, 9, "resume", "abort") {
		s.killed(p, 9, "backup restore", name)
		s.mustEnd(p, "0.2.5", "0.2.5", rows, secrets)
		if t.Failed() {
			t.Fatalf("after the kill %s step %d and %s", p.when, p.step, p.way)
		}
	}
}

// TestWayBackKilled kills the way back itself, and lets it begin anew.
func TestWayBackKilled(t *testing.T) {
	t.Parallel()
	s := installed(t, "0.2.4")
	rows, secrets := s.rows(), s.secrets()
	const back = 6 // steps of the way back from the start of the scheduler
	for _, p := range points(t, back, "resume", "abort") {
		s.killed(point{killPoint{"before", 8}, ""}, 10, "upgrade", "--to", "0.2.5")
		s.killed(p, back, "abort")
		s.mustEnd(point{p.killPoint, p.way}, "0.2.4", "0.2.4", rows, secrets)
		if t.Failed() {
			t.Fatalf("after the kill %s step %d of the way back and %s", p.when, p.step, p.way)
		}
	}
}

// mustEnd takes the way out of a killed operation. One that had come to its end leaves nothing to go out of.
func (s *stack) mustEnd(p point, before, after, rows string, secrets map[string]string) {
	s.t.Helper()
	got := s.do(p.way)
	ended := got.code == refused
	if ended {
		got.says(s.t, "nothing was interrupted")
	} else {
		got.is(s.t, 0)
	}
	version := s.setting(".env", "VERSION")
	if want := map[string]string{"resume": after, "abort": before}[p.way]; version != want && !ended {
		s.t.Errorf("%s ended with release %s, want %s", p.way, version, want)
	}
	s.mustBe(version, rows, secrets)
	if left := s.leftovers(); len(left) > 0 {
		s.t.Errorf("left behind: %v", left)
	}
}

// killed runs a command of so many steps and kills it at a point.
func (s *stack) killed(at point, steps int, command string, args ...string) {
	s.t.Helper()
	p := begin(s.t, s.wrap(s.on(command, append([]string{"--output", "json"}, args...)...)))
	s.killWhen(p, at.killPoint, steps)
}

// killWhen kills a running command at a point.
func (s *stack) killWhen(p *process, at killPoint, steps int) {
	s.t.Helper()
	kind := map[string]string{"before": "step-started", "in": "step-started", "after": "step-done"}[at.when]
	var total int
	reached := p.until(func(line string) bool {
		var e event
		if json.Unmarshal([]byte(line), &e) != nil {
			return false
		}
		total = max(total, e.Total)
		return e.Event == kind && e.Index == at.step
	})
	if !reached {
		s.t.Fatalf("it never came to the point\n%s", p.wait().said())
	}
	if total != steps {
		s.t.Fatalf("it has %d steps, and the kill points are made for %d\n%s", total, steps, p.out.String())
	}
	if at.when == "in" {
		<-time.After(inTheMidst)
	}
	if err := p.cmd.Process.Kill(); err != nil && p.cmd.ProcessState == nil {
		s.t.Fatal(err)
	}
	got := p.wait()
	if got.code != 128+int(syscall.SIGKILL) && got.code != 0 {
		s.t.Fatalf("it was to be killed and ended with %d\n%s", got.code, got.said())
	}
}

// backups returns the names of the backups in the folder, the newest first.
func (s *stack) backups() []string {
	s.t.Helper()
	var list struct{ Backups []struct{ Name string } }
	if err := json.Unmarshal([]byte(s.do("backup list", "--output", "json").is(s.t, 0).stdout), &list); err != nil {
		s.t.Fatal(err)
	}
	var names []string
	for _, b := range list.Backups {
		names = append(names, b.Name)
	}
	return names
}
