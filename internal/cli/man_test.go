package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestManPage gives the man page to a program that reads such pages, which complains of nothing.
func TestManPage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "syncmaster-setup.1"))
	if err != nil {
		t.Fatal(err)
	}
	if said := groff(t, string(page)); said != "" {
		t.Errorf("groff complains:\n%s", said)
	}
	if said := groff(t, string(page)+".NOSUCH request\n"); !strings.Contains(said, "NOSUCH") {
		t.Errorf("groff takes everything: %s", said)
	}
}

// groff returns what groff says of a page.
func groff(t *testing.T, page string) string {
	t.Helper()
	cmd := exec.Command("groff", "-man", "-Tutf8", "-ww", "-z")
	cmd.Stdin = strings.NewReader(page)
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: test/needs installs it; test/run does that\n%s", err, said)
	}
	return string(said)
}
