package e2e_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"syncmaster-setup/test/kit"
	"syncmaster-setup/test/terminal"
)

// window is a run of a command in a window.
type window struct {
	*terminal.Session
	s             *stack
	columns, rows uint16
}

// onTerminal begins a command in a window of that size, on a terminal of that kind.
func (s *stack) onTerminal(columns, rows uint16, term string, cmd *exec.Cmd) *window {
	s.t.Helper()
	cmd.Env = append(cmd.Environ(), "TERM="+term)
	session, err := terminal.Start(cmd, columns, rows)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = cmd.Process.Kill() }) // ended long ago, as a rule
	return &window{session, s, columns, rows}
}

// answer types answers to questions; see [terminal.Session.Answer].
func (w *window) answer(lines string) *window {
	w.s.t.Helper()
	if err := w.Answer(lines, waitLimit); err != nil {
		w.s.t.Fatal(err)
	}
	return w
}

// ends waits for the end and returns what the window shows. What differs between two stacks is replaced before, since
// it breaks lines.
func (w *window) ends(code int) *terminal.Screen {
	w.s.t.Helper()
	got, err := w.Wait(runLimit)
	written := w.Written()
	if err != nil || got != code {
		w.s.t.Fatalf("ended with %d, %v instead of %d\n%s", got, err, code, written)
	}
	for _, name := range [][2]string{{w.s.dir, "/srv/syncmaster"}, {w.s.project, "syncmaster"}, {kit.Prefix + "/", ""}} {
		written = strings.ReplaceAll(written, name[0], name[1])
	}
	written = digest.ReplaceAllString(written, "0123456789ab")
	written = size.ReplaceAllString(written, "10.0 MiB")
	written = stamp.ReplaceAllString(written, "20260101T000000Z")
	return terminal.Shown(written, int(w.columns), int(w.rows))
}

var (
	digest = regexp.MustCompile(`\b[0-9a-f]{12}\b`)
	stamp  = regexp.MustCompile(`\b\d{8}T\d{6}Z\b`)
	size   = regexp.MustCompile(`\b\d+\.\d [KM]iB\b`)
)

// differing is what differs between two looks at the same stack, beside what [varying] knows.
var differing = []struct {
	pattern *regexp.Regexp
	shown   string
}{
	{regexp.MustCompile(`\b\d+(s|m|h\d\dm)\b`), "TIME"},
	{regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d\b`), "CLOCK"},
	{regexp.MustCompile(`\blocalhost:\d+`), "localhost:PORT"},
	{regexp.MustCompile(`RabbitMQ [\d.]+`), "RabbitMQ VERSION"},
	{regexp.MustCompile(`(\S)   +`), "$1  "}, // columns are as wide as what is in them
}

// screen compares what a window shows with a golden file; UPDATE=1 writes it.
func (s *stack) screen(name, text string) {
	s.t.Helper()
	for _, v := range slices.Concat(varying, differing) {
		text = v.pattern.ReplaceAllString(text, v.shown)
	}
	golden(s.t, filepath.Join("testdata", "screens", name+".golden"), text)
}

// TestScreens looks over the shoulder of somebody who installs a stack, looks at it, upgrades it and finds what is wrong.
func TestScreens(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	install := func(term string, args ...string) *window {
		return s.onTerminal(80, 24, term, s.command(append(whole, args...)...))
	}
	install("xterm", "--version", "0.3.0").answer("Go on? [yes] = no").ends(refused)
	s.screen("init", install("xterm", "--version", "0.3.0").answer("Go on? [yes] =").ends(0).Coloured())
	s.screen("init-again-dumb", install("dumb").answer("Go on? [yes] =").ends(0).Coloured())
	s.fill()
	eventually(t, func() error { // the worker may not have declared its queue yet
		if got := s.look("status"); got.code != 0 {
			return fmt.Errorf("exit code %d\n%s", got.code, got.said())
		}
		return nil
	})
	look := func(columns, rows uint16, command string, args ...string) *window {
		return s.onTerminal(columns, rows, "xterm", s.on(command, args...))
	}
	s.screen("status", look(80, 24, "status").ends(0).Coloured())
	s.screen("status-wide", look(132, 43, "status", "--no-color").ends(0).Coloured())
	s.screen("status-narrow", look(40, 12, "status").ends(0).Text())
	watched := look(132, 43, "status", "--watch").answer("Ctrl-C ends\nCtrl-C ends = ^C").ends(130)
	s.screen("watch", strings.TrimPrefix(watched.Coloured(), "\n"))

	s.interruptedOnTerminal()
	s.screen("upgrade", look(132, 43, "upgrade", "--to", "0.3.1").answer("Go on? [yes] =").ends(0).Coloured())
	_, narrow, _ := strings.Cut(s.onTerminal(40, 12, "dumb", s.on("upgrade", "--to", "0.3.2")).answer("Go on? [yes] =").ends(0).Coloured(), "Go on?")
	s.screen("upgrade-narrow-dumb", "Go on?"+narrow) // how the plan is broken depends on the sizes of the images
	s.screen("history", look(80, 24, "history").ends(0).Coloured())
	s.followedOnTerminal()

	s.compose("stop", "frontend").is(t, 0)
	s.screen("status-sick", look(80, 24, "status").ends(1).Coloured())
	doctor := look(80, 24, "doctor").ends(1).Coloured()
	s.screen("doctor", ofTheStack(doctor))
}

// interruptedOnTerminal presses Ctrl-C at the question, which changes nothing, and twice at work: the word about it stands
// in a line of its own.
func (s *stack) interruptedOnTerminal() {
	s.t.Helper()
	before := s.snapshot()
	asked := s.onTerminal(80, 24, "xterm", s.on("upgrade", "--to", "0.3.1")).answer("Go on? [yes] = ^C").ends(refused).Text()
	if !strings.HasSuffix(asked, "Go on? [yes] ^C\nerror: no answer: interrupted\nNothing was changed.\n") {
		s.t.Errorf("Ctrl-C at the question ends with:\n%s", asked)
	}
	mustEqual(s.t, before, s.snapshot())
	w := s.onTerminal(80, 24, "xterm", s.on("upgrade", "--to", "0.3.1", "--yes")).answer("stop scheduler and worker = ^C\ncomes to its end = ^C")
	text := w.ends(5).Text()
	if !strings.Contains(text, "\n! interrupted: the step at work comes to its end; Ctrl-C again takes all back\n") {
		s.t.Errorf("the word about Ctrl-C is not in a line of its own:\n%s", text)
	}
}

// followedOnTerminal follows the logs of two services, each in its colour, until Ctrl-C.
func (s *stack) followedOnTerminal() {
	s.t.Helper()
	w := s.onTerminal(80, 24, "xterm", s.on("logs", "--follow", "--tail", "1", "db", "server"))
	w.answer("server |\n") // their order is that of time
	s.query("DO $$BEGIN RAISE LOG 'said in between'; END$$")
	text := w.answer("said in between = ^C").ends(130).Coloured()
	for _, line := range []string{"‹36›db     |‹› ", "‹33›server |‹› "} {
		if !strings.Contains("\n"+text, "\n"+line) {
			s.t.Errorf("no line begins with %q:\n%s", line, text)
		}
	}
}

// ofTheStack leaves out of doctor's screen what it says of the machine, and how much that is.
func ofTheStack(text string) string {
	var kept []string
	machine := false
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "  - "):
			machine = strings.HasPrefix(line, "  - host, ")
		case !strings.HasPrefix(line, "    "):
			machine = machine && strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "‹")
		}
		if !machine {
			kept = append(kept, line)
		}
	}
	return regexp.MustCompile(`\d+ problems?, (no|\d+) warnings?`).ReplaceAllString(strings.Join(kept, ""), "N problems, N warnings")
}

// TestDevScreens looks over the shoulder of somebody who starts database and broker, and deletes them.
func TestDevScreens(t *testing.T) {
	e := newEnvironment(t, "0012")
	dev := func(columns, rows uint16, args ...string) *window {
		cmd := program(append([]string{"dev"}, args...)...)
		cmd.Dir = e.checkout
		return e.onTerminal(columns, rows, "xterm", cmd)
	}
	up := dev(80, 24, "up", "--checkout", ".", "--registry", kit.Prefix)
	if code, err := up.Wait(runLimit); err != nil || code != 0 {
		t.Fatalf("ended with %d, %v\n%s", code, err, up.Written())
	}
	e.project = e.setting(".env", "COMPOSE_PROJECT_NAME")
	e.screen("dev-up", terminal.Shown(strings.ReplaceAll(strings.ReplaceAll(up.Written(), e.checkout, "/home/me/syncmaster"), e.project, "syncmaster-dev"), 80, 24).Coloured())
	e.screen("dev-reset-refused", dev(80, 24, "reset").answer("Delete them? [no] =").ends(refused).Coloured())
}
