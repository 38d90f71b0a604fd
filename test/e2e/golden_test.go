package e2e_test

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// TestComposeAcceptsGoldenFiles gives every rendered project (each release and preset) to the real Compose CLI.
func TestComposeAcceptsGoldenFiles(t *testing.T) {
	folders, err := filepath.Glob(filepath.Join(root, "internal", "render", "testdata", "*", "*"))
	if err != nil || len(folders) < 70 {
		t.Fatalf("found %d rendered projects, %v; there should be 7 of each release", len(folders), err)
	}
	for _, folder := range folders {
		t.Run(filepath.Base(filepath.Dir(folder))+"/"+filepath.Base(folder), func(t *testing.T) {
			dir := t.TempDir()
			for from, to := range map[string]string{"docker-compose.yml": "docker-compose.yml", "env": ".env", "env.docker": ".env.docker"} {
				write(t, filepath.Join(dir, to), read(t, filepath.Join(folder, from)))
			}
			cmd := exec.Command(composeCLI, "--profile", "*", "config", "-q")
			cmd.Dir = dir
			if got := finish(t, cmd).is(t, 0); got.said() != "" {
				t.Errorf("docker compose says: %s", got.said())
			}
		})
	}
}
