package e2e_test

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// upset is an instant of an upgrade from 0.2.4 to 0.2.5 at which the Docker Engine goes away, and comes back.
type upset struct {
	name string
	hold func(s *stack) (release func()) // keeps the upgrade there
	wait string                          // statement that waits then
	step string                          // or the step that has begun
	way  string                          // takes over where the program is killed with the engine, as in a power failure
	says string
}

var upsets = []upset{
	{name: "back up", hold: (*stack).holdDump, wait: "LOCK TABLE%dba.big", says: "had not touched the stack yet"},
	{name: "stop", step: "stop scheduler"},
	{name: "migrate", hold: (*stack).holdMigration, wait: "ALTER TABLE", says: "the Docker Engine"},
	{name: "start", step: "start server"},
	{name: "power failure in start", step: "start server", way: "abort"},
	{name: "power failure in migrate", hold: (*stack).holdMigration, wait: "ALTER TABLE", way: "resume"},
}

// TestUpgradeEngineKilled ends a Docker Engine of its own under upgrades, by SIGTERM or by SIGKILL, and starts it again:
// each upgrade ends by itself, or by the command that takes over, in a healthy stack of one of the two releases. Every
// second instant is taken, unless all are wanted.
func TestUpgradeEngineKilled(t *testing.T) {
	t.Parallel()
	e := newPrivateEngine(t, imagesOf("0.2.4", "0.2.5")...)
	s := e.newStack()
	s.init(append(slices.Clone(whole), "--version", "0.2.4")...).is(t, 0)
	s.fill()
	s.query("CREATE SCHEMA dba; CREATE TABLE dba.big AS SELECT 1 AS a")
	rows, secrets := s.rows(), s.secrets()
	taken := chosen("instants", []int{0, 1})
	for i, u := range upsets {
		if !slices.Contains(taken, i%2) {
			continue
		}
		signals := chosen(u.name, []string{"TERM", "KILL"})
		for _, signal := range signals {
			t.Run(u.name+" "+signal, func(t *testing.T) {
				e.t = t
				s.within(t).mustOutlast(u, e, signal, rows, secrets)
			})
			if t.Failed() {
				return
			}
		}
	}
}

// mustOutlast upgrades, ends the engine at an instant and starts it again.
func (s *stack) mustOutlast(u upset, e *privateEngine, signal, rows string, secrets map[string]string) {
	s.t.Helper()
	if u.hold != nil {
		defer u.hold(s)() // the engine's end is its end
	}
	p := begin(s.t, s.wrap(s.on("upgrade", "--to", "0.2.5", "--output", "json")))
	if u.wait != "" {
		s.waitForLock(u.wait)
	} else if !p.until(func(line string) bool {
		return strings.Contains(line, "step-started") && strings.Contains(line, u.step)
	}) {
		s.t.Fatalf("it never came to %q\n%s", u.step, p.wait().said())
	}
	if u.way != "" {
		_ = p.cmd.Process.Kill() // it works
	} else {
		<-time.After(inTheMidst)
	}
	e.end(signal)
	e.start()
	got := p.wait()
	if u.way != "" {
		e.answers()
		got = s.do(u.way)
	}
	s.t.Logf("%s after %s\n%s", got.command, got.took, got.said())
	if got.code == notUndone { // an engine that is killed while it starts a container may lose track of its port
		got.says(s.t, "port is already allocated", "restart the Docker Engine", "syncmaster-setup abort --dir "+s.dir)
		e.end("TERM")
		e.start()
		e.answers()
		u.way, u.says = "abort", ""
		got = s.do(u.way)
	}
	got.says(s.t, u.says)
	version := s.setting(".env", "VERSION")
	want := "0.2.4"
	if got.code == 0 && u.way != "abort" {
		want = "0.2.5"
	}
	if version != want || got.code != 0 && got.code != undone {
		s.t.Errorf("it ended with code %d in release %s, want %s", got.code, version, want)
	}
	s.mustBe(version, rows, secrets)
	if left := s.leftovers(); len(left) > 0 {
		s.t.Errorf("left behind: %v", left)
	}
	if version == "0.2.5" {
		s.do("rollback").is(s.t, 0)
	}
}

func (s *stack) holdDump() (release func()) { return s.lock("dba.big", "ACCESS EXCLUSIVE") }
func (s *stack) holdMigration() (release func()) {
	return s.lockYoung("public.connection", "ACCESS SHARE")
}

// imagesOf returns the images of the kit that stacks of releases run.
func imagesOf(versions ...string) []string {
	list := []string{"postgres:17", "rabbitmq:4.2"}
	for _, version := range versions {
		for _, role := range []string{"server", "worker", "scheduler", "ui"} {
			list = append(list, "mtsrus/syncmaster-"+role+":"+version)
		}
	}
	return list
}
