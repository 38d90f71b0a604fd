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

const (
	// stopLimit is how long a program may take to end after it was interrupted.
	stopLimit = 30 * time.Second
	// longestLine that a program writes.
	longestLine = 1 << 20
)

// startInit is method A: the time until the process has returned. Its events give the profile.
func (b *bench) startInit(ctx context.Context, s *site) (measured, error) {
	return b.install(ctx, s, version, "all")
}

// install runs init with one profile.
func (b *bench) install(ctx context.Context, s *site, release, profile string) (measured, error) {
	args := []string{"init", "--dir", s.dir, "--project-name", s.project, "--version", release, "--registry", kit.Prefix,
		"--profile", profile, "--yes", "--output", "json"}
	if profile == "all" {
		args = append(args, "--queue", queue)
	}
	for _, p := range []struct {
		flag string
		port uint16
	}{{"server", s.ports.server}, {"ui", s.ports.ui}, {"db", s.ports.database}, {"broker", s.ports.broker}} {
		args = append(args, fmt.Sprintf("--%s-port=%d", p.flag, p.port))
	}
	got, _, err := b.program(ctx, s, nil, args...)
	return got, err
}

// program runs syncmaster-setup with --output json to its end, hears its events and returns its result object.
func (b *bench) program(ctx context.Context, s *site, env []string, args ...string) (got measured, result []byte, err error) {
	name := args[0]
	cmd := command(ctx, b.binary, args...)
	cmd.Env = append(cmd.Env, env...)
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.StdoutPipe()
	if err != nil {
		return measured{}, nil, fmt.Errorf("connecting to %s: %w", name, err)
	}
	s.began = time.Now()
	if err := cmd.Start(); err != nil {
		return measured{}, nil, fmt.Errorf("starting %s: %w", name, err)
	}
	lines := bufio.NewScanner(out)
	for lines.Buffer(nil, longestLine); lines.Scan(); {
		result = bytes.Clone(lines.Bytes())
		got.hear(result, time.Since(s.began))
	}
	err = cmd.Wait()
	got.took = time.Since(s.began)
	if err = errors.Join(err, lines.Err()); err != nil {
		return measured{}, nil, fmt.Errorf("running %s: %w: %s%s", name, err, result, problem.Bytes())
	}
	got.peak, err = peakMemory(cmd.ProcessState)
	return got, result, err
}

// hear takes one event of syncmaster-setup.
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
