package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"

	"syncmaster-setup/internal/envfile"
	"syncmaster-setup/internal/probe"
)

const (
	sampleCompose = "docker-compose.yml"
	sampleEnv     = ".env.docker"
	// answerLimit is how long the sample may take to answer after docker compose has returned.
	answerLimit = time.Minute
)

// sample holds the files of SyncMaster's own documentation for the release, changed only where its first lines say.
//
//go:embed testdata/docker-compose.yml testdata/.env.docker
var sample embed.FS

// startSample is method C: the time until docker compose has returned. Some versions return 1 where a one-off container
// has ended well (docker/compose#10596), which is told and is no failure as long as server and UI answer then, or soon.
func (b *bench) startSample(ctx context.Context, s *site) (measured, error) {
	if err := b.writeSample(s); err != nil {
		return measured{}, err
	}
	s.began = time.Now()
	note, err := b.runCompose(ctx, s, version, "--profile", "all", "up", "-d", "--wait")
	if err != nil {
		return measured{}, err
	}
	got := measured{took: time.Since(s.began), note: note}
	if err := b.sampleAnswers(ctx, s); err != nil {
		return measured{}, fmt.Errorf("after docker compose %s: %w", got.note, err)
	}
	health, err := b.health(ctx, s)
	got.note += "; then " + health
	return got, err
}

func (b *bench) writeSample(s *site) error {
	for _, name := range []string{sampleCompose, sampleEnv} {
		text, err := sample.ReadFile("testdata/" + name)
		if err != nil {
			return fmt.Errorf("reading the sample: %w", err)
		}
		if err := os.WriteFile(filepath.Join(s.dir, name), text, 0o600); err != nil {
			return fmt.Errorf("writing the sample: %w", err)
		}
	}
	return nil
}

// runCompose runs docker compose on the sample. A code other than 0 of up --wait is told and is no failure
// (docker/compose#10596): what counts is whether the stack answers.
func (b *bench) runCompose(ctx context.Context, s *site, release string, words ...string) (note string, err error) {
	cmd := command(ctx, b.compose, append([]string{"--ansi", "never"}, words...)...)
	cmd.Dir = s.dir
	cmd.Env = append(cmd.Env, "COMPOSE_PROJECT_NAME="+s.project, "VERSION="+release,
		fmt.Sprintf("DB_PORT=%d", s.ports.database), fmt.Sprintf("BROKER_PORT=%d", s.ports.broker),
		fmt.Sprintf("SERVER_PORT=%d", s.ports.server), fmt.Sprintf("UI_PORT=%d", s.ports.ui))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "returned 0", nil
	case errors.As(err, &exit) && ctx.Err() == nil && words[len(words)-1] == "--wait":
		return fmt.Sprintf("returned %d: %s", exit.ExitCode(), lastLine(out.String())), nil
	}
	return "", fmt.Errorf("running docker compose: %w: %s", err, out.String())
}

// sampleAnswers makes sure that the stack really works.
func (b *bench) sampleAnswers(ctx context.Context, s *site) error {
	ctx, cancel := context.WithTimeoutCause(ctx, answerLimit, fmt.Errorf("no answer after %s", answerLimit))
	defer cancel()
	for _, address := range []string{
		fmt.Sprintf("http://127.0.0.1:%d/monitoring/ping", s.ports.server), fmt.Sprintf("http://127.0.0.1:%d/", s.ports.ui),
	} {
		if err := until(ctx, address, probe.HTTP(address, nil)); err != nil {
			return err
		}
	}
	return nil
}

// health tells what the engine thinks of each container.
func (b *bench) health(ctx context.Context, s *site) (string, error) {
	list, err := b.containers(ctx, s)
	if err != nil {
		return "", err
	}
	var words []string
	for service, c := range list {
		state := string(c.State.Status)
		switch {
		case c.State.Status == container.StateExited:
			state = fmt.Sprintf("ended with %d", c.State.ExitCode)
		case c.State.Health != nil:
			state = string(c.State.Health.Status)
		}
		words = append(words, service+" "+state)
	}
	slices.Sort(words)
	return strings.Join(words, ", "), nil
}

// sampleSettings are the settings in the sample's .env.docker, as NAME=value.
func sampleSettings() ([]string, error) {
	text, err := sample.ReadFile("testdata/" + sampleEnv)
	if err != nil {
		return nil, fmt.Errorf("reading the sample: %w", err)
	}
	file, err := envfile.Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("reading the sample: %w", err)
	}
	var settings []string
	for _, name := range file.Keys() {
		value, _ := file.Get(name)
		settings = append(settings, name+"="+value)
	}
	return slices.Clip(settings), nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
