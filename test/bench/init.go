package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"syncmaster-setup/test/kit"
)

// stopLimit is how long a program may take to end after it was interrupted.
const stopLimit = 30 * time.Second

// startInit is method A: the time until the process has returned. Its events give the profile.
func (b *bench) startInit(ctx context.Context, s *site) (measured, error) {
	args := []string{"init", "--dir", s.dir, "--project-name", s.project, "--version", version, "--registry", kit.Prefix,
		"--queue", queue, "--yes", "--output", "json"}
	for _, p := range []struct {
		flag string
		port uint16
	}{{"server", s.ports.server}, {"ui", s.ports.ui}, {"db", s.ports.database}, {"broker", s.ports.broker}} {
		args = append(args, fmt.Sprintf("--%s-port=%d", p.flag, p.port))
	}
	cmd := command(ctx, b.binary, args...)
	var problem, last bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.StdoutPipe()
	if err != nil {
		return measured{}, fmt.Errorf("connecting to init: %w", err)
	}
	var got measured
	s.began = time.Now()
	if err := cmd.Start(); err != nil {
		return measured{}, fmt.Errorf("starting init: %w", err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		last.Reset()
		last.Write(lines.Bytes())
		got.hear(lines.Bytes(), time.Since(s.began))
	}
	err = cmd.Wait()
	got.took = time.Since(s.began)
	if err != nil {
		return measured{}, fmt.Errorf("running init: %w: %s%s", err, last.Bytes(), problem.Bytes())
	}
	got.peak, err = peakMemory(cmd.ProcessState)
	return got, err
}

// hear takes one event of init.
func (m *measured) hear(line []byte, at time.Duration) {
	var event struct {
		Event   string
		Step    string
		Index   int
		Seconds float64
	}
	if json.Unmarshal(line, &event) != nil {
		return // the result object has other fields, and no event
	}
	switch {
	case event.Event == "step-started" && event.Index == 1:
		m.steps = append(m.steps, mark{"observe and decide", at})
	case event.Event != "step-done":
		return
	case strings.HasPrefix(event.Step, "migrate"):
		m.marks = append(m.marks, mark{markSchema, at})
	case event.Step == "wait for the broker":
		m.marks = append(m.marks, mark{markBroker, at})
	}
	if event.Event == "step-done" {
		m.steps = append(m.steps, mark{event.Step, time.Duration(event.Seconds * float64(time.Second))})
	}
}

// command runs a program without what this environment would tell Compose or syncmaster-setup. An interruption reaches
// it as SIGINT.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = stopLimit
	for _, pair := range os.Environ() {
		variable, _, _ := strings.Cut(pair, "=")
		switch {
		case strings.HasPrefix(variable, "COMPOSE_"), strings.HasPrefix(variable, "SYNCMASTER_"), strings.HasSuffix(variable, "_PORT"),
			variable == "VERSION", variable == "IMAGE_PREFIX", variable == "BIND_ADDRESS":
		default:
			cmd.Env = append(cmd.Env, pair)
		}
	}
	return cmd
}

// peakMemory is the largest resident set of a process that has ended, in bytes.
func peakMemory(state *os.ProcessState) (int64, error) {
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0, errors.New("reading the memory of init: this system does not tell")
	}
	return usage.Maxrss * 1024, nil
}
