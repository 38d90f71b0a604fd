// Package e2e_test holds the scenarios: the built program against a real Docker Engine, the kit's images and the real
// Compose CLI. Each test has one intent, checks the real state (containers, database rows, files) and waits for
// conditions, never for time. SYNCMASTER_E2E_ALL=1 adds every release, SYNCMASTER_E2E_MATRIX=1 every kill
// point; DOCKER_COMPOSE names another Compose CLI. Everything that a test makes in the engine is of a project that begins
// with "sme2e-".
package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/moby/moby/client"

	"syncmaster-setup/test/jsonschema"
	"syncmaster-setup/test/kit"
)

// everything is set where all releases are wanted.
var everything = os.Getenv("SYNCMASTER_E2E_ALL") != ""

// cannot leaves a test out for what the machine lacks, but not in CI and not for root, who can have it.
func cannot(t *testing.T, what ...any) {
	t.Helper()
	if everything || os.Getenv("CI") == "true" || os.Geteuid() == 0 {
		t.Fatal(what...)
	}
	t.Skip(what...)
}

var (
	binary     string // the program under test
	composeCLI string
	docker     *client.Client
	root       string // of the repository
	outputs    *jsonschema.Schema
)

func TestMain(m *testing.M) {
	code, err := prepare(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, "preparing the scenarios:", err)
		code = 1
	}
	os.Exit(code)
}

// prepare makes what all tests share, and runs them.
func prepare(run func() int) (int, error) {
	ctx := context.Background()
	var err error
	if root, err = filepath.Abs("../.."); err != nil {
		return 0, err
	}
	if part, err = numberOfPart(ctx); err != nil {
		return 0, err
	}
	fmt.Fprintf(os.Stderr, "the kill points of this run are those of SYNCMASTER_E2E_PART=%d\n", part)
	dir, err := os.MkdirTemp("", "sme2e-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()     // only a build
	if err := os.Chmod(dir, 0o755); err != nil { // some tests run the program as another user
		return 0, err
	}
	binary = filepath.Join(dir, "syncmaster-setup")
	// with the tags of the Makefile: it tests what is built there, and shares its cache
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", "urfave_cli_no_docs,grpcnotrace", "-o", binary, "./cmd/syncmaster-setup")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if err := loud(build); err != nil {
		return 0, fmt.Errorf("building the program: %w", err)
	}
	if outputs, err = jsonschema.Read(filepath.Join(root, "docs", "output.schema.json")); err != nil {
		return 0, err
	}
	if composeCLI, err = findCompose(ctx); err != nil {
		return 0, err
	}
	if err := kit.Build(ctx, os.Stderr); err != nil {
		return 0, fmt.Errorf("building the kit: %w", err)
	}
	if docker, err = client.New(client.FromEnv); err != nil {
		return 0, fmt.Errorf("connecting to the engine: %w", err)
	}
	if code := run(); code != 0 {
		return code, docker.Close()
	}
	return 0, errors.Join(checks.complete(), docker.Close())
}

// findCompose returns the real Compose CLI, which make builds.
func findCompose(ctx context.Context) (string, error) {
	if path := os.Getenv("DOCKER_COMPOSE"); path != "" {
		return path, nil
	}
	path := filepath.Join(root, ".cache", "tools", "docker-compose")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := loud(exec.CommandContext(ctx, "make", path)); err != nil {
		return "", fmt.Errorf("building the Compose CLI: %w", err)
	}
	return path, nil
}

func loud(cmd *exec.Cmd) error {
	cmd.Dir, cmd.Stdout, cmd.Stderr = root, os.Stderr, os.Stderr
	return cmd.Run()
}
