package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// course is an operation that is killed at its points.
type course struct {
	words  string
	steps  int
	points []point
}

func newCourse(words string, steps int, ways ...string) course {
	return course{words, steps, points(words, steps, ways...)}
}

// TestUpgradeKilled kills upgrades and rollbacks and goes on or back: each is healthy in one of the two releases, with the
// same rows and keys.
func TestUpgradeKilled(t *testing.T) {
	t.Parallel()
	installed(t, "0.2.4").mustSurviveKills([2]string{"0.2.4", "0.2.5"}, [2]course{
		newCourse("upgrade --to 0.2.5", 10, "resume", "abort"), newCourse("rollback", 10, "resume", "abort"),
	})
}

// TestUpgradeByImageKilled does the same where the release's own image migrates and the way back is the dump.
func TestUpgradeByImageKilled(t *testing.T) {
	t.Parallel()
	installed(t, "0.3.2").mustSurviveKills([2]string{"0.3.2", "0.4.0"}, [2]course{
		newCourse("upgrade --to 0.4.0", 9, "resume", "abort"), newCourse("rollback --lose-newer-data", 9, "resume", "abort"),
	})
}

// mustSurviveKills goes to and fro between two releases and kills each way at its points. A way whose points are done
// is gone as a whole.
func (s *stack) mustSurviveKills(releases [2]string, courses [2]course) {
	s.t.Helper()
	rows, secrets := s.rows(), s.secrets()
	for at := 0; len(courses[0].points)+len(courses[1].points) > 0; {
		c, before, after := &courses[at], releases[at], releases[1-at]
		if len(c.points) == 0 {
			s.do(c.words).is(s.t, 0)
			s.mustBe(after, rows, secrets)
			at = 1 - at
			continue
		}
		p := c.points[0]
		c.points = c.points[1:]
		s.killed(p, c.steps, c.words)
		s.mustEnd(p, before, after, rows, secrets)
		if s.setting(".env", "VERSION") == after {
			at = 1 - at
		}
		if s.t.Failed() {
			s.t.Fatalf("after the kill %s step %d of %s and %s", p.when, p.step, c.words, p.way)
		}
	}
}

// TestRestoreKilled kills a restore.
func TestRestoreKilled(t *testing.T) {
	t.Parallel()
	s := installed(t, "0.2.5")
	rows, secrets := s.rows(), s.secrets()
	s.do("backup create").is(t, 0)
	name := s.backups()[0]
	for _, p := range points("restore", 9, "resume", "abort") {
		s.killed(p, 9, "backup restore", name)
		s.mustEnd(p, "0.2.5", "0.2.5", rows, secrets)
		if t.Failed() {
			t.Fatalf("after the kill %s step %d and %s", p.when, p.step, p.way)
		}
	}
}

// TestFreshRestoreKilled kills a restore into an empty folder, on a host that has lost everything but its backups.
func TestFreshRestoreKilled(t *testing.T) {
	t.Parallel()
	s := installed(t, "0.2.5")
	rows, secrets := s.rows(), s.secrets()
	s.do("backup create").is(t, 0)
	name := s.backups()[0]
	killed := func(when, step string, kill func(*process)) {
		s.loseAll()
		kill(begin(t, s.wrap(s.on("backup restore", "--output", "json", name))))
		// the last part is init's, which goes on by itself, as resume says
		if got := s.do("resume"); got.code == refused && strings.Contains(got.said(), "syncmaster-setup init") {
			s.do("init").is(t, 0)
		}
		s.mustEnd(point{killPoint{when, 0}, "resume"}, "", "0.2.5", rows, secrets)
		if t.Failed() {
			t.Fatalf("after the kill %s %q", when, step)
		}
	}
	killed("in", "the look at the host", func(p *process) {
		eventually(t, func() error {
			_, err := os.Stat(filepath.Join(s.dir, ".env"))
			return err
		})
		if err := p.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		p.wait().is(t, 128+int(syscall.SIGKILL))
	})
	for _, step := range []string{"pull what is missing", "start db", "restore the database", "start server"} {
		for _, when := range chosen("fresh restore "+step, []string{"before", "in", "after"}) {
			killed(when, step, func(p *process) {
				s.killWhen(p, when, func(e event) bool { return strings.HasPrefix(e.Step, step) })
			})
		}
	}
}

// loseAll leaves nothing of the install but its backups.
func (s *stack) loseAll() {
	s.t.Helper()
	s.remove()
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() == "backups" {
			continue
		}
		if err := os.RemoveAll(filepath.Join(s.dir, e.Name())); err != nil {
			s.t.Fatal(err)
		}
	}
}

// TestWayBackKilled kills the way back itself, and lets it begin anew.
func TestWayBackKilled(t *testing.T) {
	t.Parallel()
	s := installed(t, "0.2.4")
	rows, secrets := s.rows(), s.secrets()
	const back = 6 // steps of the way back from the start of the scheduler
	for _, p := range points("abort", back, "resume", "abort") {
		s.killed(point{killPoint{"before", 8}, ""}, 10, "upgrade --to 0.2.5")
		s.killed(p, back, "abort")
		s.mustEnd(point{p.killPoint, p.way}, "0.2.4", "0.2.4", rows, secrets)
		if t.Failed() {
			t.Fatalf("after the kill %s step %d of the way back and %s", p.when, p.step, p.way)
		}
	}
}

// TestResumeKilled kills what goes on after a kill.
func TestResumeKilled(t *testing.T) {
	t.Parallel()
	s := installed(t, "0.2.4")
	rows, secrets := s.rows(), s.secrets()
	for _, p := range points("resume", 9, "resume", "abort") {
		p.step++ // the first step is done
		s.killed(point{killPoint{"before", 2}, ""}, 10, "upgrade --to 0.2.5")
		s.killed(p, 10, "resume")
		s.mustEnd(p, "0.2.4", "0.2.5", rows, secrets)
		if s.setting(".env", "VERSION") == "0.2.5" {
			s.do("rollback").is(t, 0)
			s.mustBe("0.2.4", rows, secrets)
		}
		if t.Failed() {
			t.Fatalf("after the kill of resume %s step %d and %s", p.when, p.step, p.way)
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
	total := 0
	s.killWhen(p, at.when, func(e event) bool {
		total = max(total, e.Total)
		return e.Index == at.step
	})
	if total != steps {
		s.t.Fatalf("it has %d steps, and the kill points are made for %d\n%s", total, steps, p.out.String())
	}
}

// killWhen kills a running command before, in or after a step.
func (s *stack) killWhen(p *process, when string, at func(e event) bool) {
	s.t.Helper()
	kind := map[string]string{"before": "step-started", "in": "step-started", "after": "step-done"}[when]
	reached := p.until(func(line string) bool {
		var e event
		return json.Unmarshal([]byte(line), &e) == nil && at(e) && e.Event == kind
	})
	if !reached {
		s.t.Fatalf("it never came to the point\n%s", p.wait().said())
	}
	if when == "in" {
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
