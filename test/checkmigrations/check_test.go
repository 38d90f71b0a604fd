package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestNothingIsBuilt gives a migration a COMMIT, with the checksum that belongs to it, and lets make build the program.
func TestNothingIsBuilt(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"Makefile", "go.mod", "go.sum", "migrations", "internal/sqlfile", "test/checkmigrations"} {
		from, to := filepath.Join("..", "..", name), filepath.Join(dir, name)
		info, err := os.Stat(from)
		if err != nil {
			t.Fatal(err)
		}
		if info.IsDir() {
			err = os.CopyFS(to, os.DirFS(from))
		} else {
			err = copyFile(from, to)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	run := func(name string, args ...string) (string, error) {
		command := exec.CommandContext(t.Context(), name, args...)
		command.Dir = dir
		output, err := command.CombinedOutput()
		return string(output), err
	}
	if output, err := run("make", "check-migrations"); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	if output, err := run("sh", "-c", `cd migrations && printf '\ncommit;\n' >>0003_queue.up.sql && sha256sum *.sql fingerprints/* >manifest`); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for _, target := range []string{"build", "cross", "demo"} {
		output, err := run("make", target)
		if err == nil || !strings.Contains(output, "checking 0003_queue.up.sql: COMMIT cannot be part of a migration's transaction") {
			t.Errorf("make %s: %v\n%s", target, err, output)
		}
		if strings.Contains(output, "go build") || strings.Contains(output, "building") {
			t.Errorf("make %s went on to build:\n%s", target, output)
		}
	}
}

func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o600)
}
