package terminal

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Session is a program at work on a terminal.
type Session struct {
	cmd     *exec.Cmd
	master  *os.File
	size    unix.Winsize
	ended   chan struct{} // closed when nobody writes to the terminal any more
	mu      sync.Mutex
	written strings.Builder
	seen    int // how much of it has been waited for
}

// Start begins a command whose three streams are a terminal with a window of that size.
func Start(cmd *exec.Cmd, columns, rows uint16) (*Session, error) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	s := &Session{cmd: cmd, master: master, size: unix.Winsize{Col: columns, Row: rows}, ended: make(chan struct{})}
	descriptor := int(master.Fd())
	number, err := unix.IoctlGetInt(descriptor, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(descriptor, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(descriptor, unix.TIOCSWINSZ, &s.size)
	}
	if err != nil {
		return nil, fmt.Errorf("making a terminal: %w", err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tty.Close() }() // the program has its own
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go s.read()
	return s, nil
}

// read takes what is written until the terminal has no writer left, which is an error of its own.
func (s *Session) read() {
	defer close(s.ended)
	buffer := make([]byte, 4096)
	for {
		n, err := s.master.Read(buffer)
		s.mu.Lock()
		s.written.Write(buffer[:n])
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Written returns all that was written so far, what was typed included, as terminals show it.
func (s *Session) Written() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.written.String()
}

// Until waits for a text behind the one that was waited for before.
func (s *Session) Until(text string, limit time.Duration) error {
	deadline := time.After(limit)
	for over := false; ; {
		written := s.Written()
		if at := strings.Index(written[s.seen:], text); at >= 0 {
			s.seen += at + len(text)
			return nil
		}
		if over {
			return fmt.Errorf("%q was not written within %s, but %q", text, limit, written[s.seen:])
		}
		select {
		case <-deadline:
			over = true
		case <-s.ended:
			over = true
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Type types a text; "\x03" is Ctrl-C.
func (s *Session) Type(text string) error {
	_, err := s.master.WriteString(text)
	return err
}

// Wait returns the exit code of the program, and ends one that takes longer than the limit.
func (s *Session) Wait(limit time.Duration) (int, error) {
	timer := time.AfterFunc(limit, func() { _ = s.cmd.Process.Kill() }) // its code tells
	defer timer.Stop()
	err := s.cmd.Wait()
	<-s.ended
	_ = s.master.Close() // nothing is left in it
	if state := s.cmd.ProcessState; state != nil && state.Exited() {
		return state.ExitCode(), nil
	}
	return 0, err
}

// Answer types answers to questions: each line is a text to wait for, " = ", and what is typed then with a return
// behind it; a text alone is only waited for. ^C and ^D at its end are Ctrl-C and Ctrl-D.
func (s *Session) Answer(lines string, limit time.Duration) error {
	for line := range strings.Lines(lines) {
		question, answer, typed := strings.Cut(strings.TrimSuffix(line, "\n"), " =")
		if err := s.Until(question, limit); err != nil {
			return err
		}
		if !typed {
			continue
		}
		answer = strings.NewReplacer("^C\n", "\x03", "^D\n", "\x04").Replace(strings.TrimPrefix(answer, " ") + "\n")
		if err := s.Type(answer); err != nil {
			return err
		}
	}
	return nil
}
