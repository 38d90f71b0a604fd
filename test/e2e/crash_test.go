package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// freshSteps is how many steps init of a whole stack takes in an empty folder with all images present.
const freshSteps = 10

// inTheMidst is how long after its begin a step is killed: most steps do something then.
const inTheMidst = 150 * time.Millisecond

// killPoint is an instant of a run: before, in or after its step of a number, from 1.
type killPoint struct {
	when string
	step int
}

// TestKillAtEveryStep kills init without mercy, and expects the next one to end healthy with the same secrets.
func TestKillAtEveryStep(t *testing.T) {
	for _, p := range points("init", freshSteps, "init") {
		t.Run(fmt.Sprintf("%s step %d", p.when, p.step), func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			s.killAt(p.killPoint)
			secrets := s.secrets()
			got := s.init(whole...).is(t, 0).says(t, "healthy")
			s.mustBeHealthy(all...)
			for name, value := range secrets {
				if now := s.secrets()[name]; now != value {
					t.Errorf("%s has changed", name)
				}
			}
			if entries := s.leftovers(); len(entries) > 0 {
				t.Errorf("left behind: %v\n%s", entries, got.said())
			}
		})
	}
}

// TestKillBeforeFirstStep kills init while it looks around: nothing but the lock may be there.
func TestKillBeforeFirstStep(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	p := begin(t, s.command(whole...))
	eventually(t, func() error {
		_, err := os.Stat(filepath.Join(s.dir, ".syncmaster-setup", "lock"))
		return err
	})
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.wait().is(t, 128+int(syscall.SIGKILL))
	s.init(whole...).is(t, 0)
	s.mustBeHealthy(all...)
}

// killAt runs init and kills it at a point. A step that is over before the moment in its midst is killed after it.
func (s *stack) killAt(point killPoint) {
	s.t.Helper()
	p := begin(s.t, s.command(append(whole, "--output", "json")...))
	kind := map[string]string{"before": "step-started", "in": "step-started", "after": "step-done"}[point.when]
	var total int
	reached := p.until(func(line string) bool {
		var e event
		if json.Unmarshal([]byte(line), &e) != nil {
			return false
		}
		total = max(total, e.Total)
		return e.Event == kind && e.Index == point.step
	})
	if total != freshSteps {
		s.t.Fatalf("init has %d steps, and the kill points are made for %d\n%s", total, freshSteps, p.out.String())
	}
	if !reached {
		s.t.Fatalf("init never came to the point\n%s", p.wait().said())
	}
	if point.when == "in" {
		<-time.After(inTheMidst)
	}
	if err := p.cmd.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
	got := p.wait()
	overtaken := point.when == "in" && got.code == 0 // the last steps take less time than it takes to kill in their midst
	if got.code != 128+int(syscall.SIGKILL) && point.step < freshSteps && !overtaken {
		s.t.Fatalf("init was to be killed and ended with %d\n%s", got.code, got.said())
	}
}

// secrets are the values in the env files that must never change, as far as they are written: in the folder, otherwise
// in the generation that is not in place yet.
func (s *stack) secrets() map[string]string {
	s.t.Helper()
	found := map[string]string{}
	for _, v := range []struct{ file, name string }{
		{".env", "POSTGRES_PASSWORD"}, {".env", "RABBITMQ_PASSWORD"},
		{".env.docker", "SYNCMASTER__ENCRYPTION__SECRET_KEY"}, {".env.docker", "SYNCMASTER__AUTH__ACCESS_TOKEN__SECRET_KEY"},
	} {
		if _, err := os.Stat(filepath.Join(s.dir, v.file)); err == nil {
			found[v.name] = s.setting(v.file, v.name)
			if found[v.name] == "" {
				s.t.Errorf("%s has no %s", v.file, v.name)
			}
		}
	}
	return found
}

// leftovers returns temporary files and journals in the folder.
func (s *stack) leftovers() []string {
	s.t.Helper()
	var list []string
	for name := range s.files() {
		base := filepath.Base(name)
		known := slices.Contains([]string{".env", ".env.docker", ".syncmaster-setup"}, base)
		if base == "journal.json" || strings.HasPrefix(base, ".") && !known {
			list = append(list, name)
		}
	}
	return list
}
