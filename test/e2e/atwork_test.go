package e2e_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"
)

// work is what status and doctor tell of an operation at work.
type work struct {
	Operation, Target, Step, Text string
	Process                       int
}

// work returns what a command that looks tells of an operation at work; nil for none.
func (s *stack) work(command string) *work {
	s.t.Helper()
	got := s.look(command, "--output", "json")
	var object struct {
		Result string
		Work   *work
	}
	if err := json.Unmarshal([]byte(got.stdout), &object); err != nil || object.Result != "ok" {
		s.t.Fatalf("%v\n%s", err, got.said())
	}
	return object.Work
}

// holdAt stops a run where it begins a step, as if that took for ever.
func holdAt(t *testing.T, p *process, step string) {
	t.Helper()
	if !p.until(func(line string) bool { return strings.Contains(line, "step-started") && strings.Contains(line, step) }) {
		t.Fatalf("it never came to %q\n%s", step, p.wait().said())
	}
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
}

// TestLookingAtAnUpgrade: while it is at work it is not interrupted; when it was killed it is.
func TestLookingAtAnUpgrade(t *testing.T) {
	t.Parallel()
	s := installed(t, "0.3.0")
	rows, secrets := s.rows(), s.secrets()
	p := begin(t, s.wrap(s.on("upgrade", "--to", "0.3.1", "--output", "json")))
	holdAt(t, p, "start server")
	id := p.cmd.Process.Pid
	words := fmt.Sprintf("(process %d), at: start server", id)

	for _, command := range []string{"status", "doctor"} {
		w := s.work(command)
		if w == nil || w.Operation != "upgrade" || w.Target != "0.3.1" || w.Process != id || w.Step != "start server" {
			t.Errorf("%s: %+v", command, w)
		}
		got := s.look(command).says(t, "upgrade to 0.3.1 is at work since ", words, "wait until the upgrade has ended, then look again")
		if strings.Contains(got.said(), "interrupted at") || strings.Contains(got.said(), "docker compose start") {
			t.Errorf("%s gives advice that is for later:\n%s", command, got.said())
		}
	}
	s.do("history").is(t, 0).says(t, "at work")
	for _, command := range []string{"init", "upgrade", "rollback", "resume", "abort", "render", "backup create", "migrate upgrade"} {
		s.do(command).is(t, 11).says(t, "upgrade to 0.3.1 is at work since ", words+", in "+s.dir, "wait until it has ended")
	}

	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.wait().is(t, 128+9)
	s.look("status").is(t, 1).says(t, "upgrade was interrupted at: start server", "syncmaster-setup resume --dir "+s.dir)
	s.found("interrupted", "fail", "upgrade was interrupted at: start server")
	s.do("history").is(t, 0).says(t, "killed")
	if w := s.work("status"); w != nil {
		t.Errorf("a killed run is at work: %+v", w)
	}
	s.transcript("killed", s.mustLeaveAlone("upgrade", nil, "syncmaster-setup resume --dir "+s.dir, "syncmaster-setup abort --dir "+s.dir))
	s.transcript("resume", s.do("resume").is(t, 0))
	s.found("interrupted", "pass", "")
	s.mustBe("0.3.1", rows, secrets)
}

// TestLookingAtAnInit: a folder in which an install comes into being is no empty one, and not interrupted.
func TestLookingAtAnInit(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	p := begin(t, s.command("--output", "json"))
	holdAt(t, p, "")
	s.look("status").is(t, 1).says(t, "init is at work since ")
	if err := p.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	holdAt(t, p, "start db")
	s.look("status").is(t, 1).says(t, "init is at work since ", "at: start db", "the install is not complete", "wait until the init has ended")
	s.found("interrupted", "warn", "init is at work since ")
	s.init().is(t, 11).says(t, "init is at work since ")
	if err := p.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	p.wait().is(t, 0)
	s.found("interrupted", "pass", "")
	if w := s.work("status"); w != nil {
		t.Errorf("init has ended, and is at work: %+v", w)
	}
}
