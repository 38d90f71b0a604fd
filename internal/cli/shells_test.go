package cli_test

import (
	"os/exec"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestShells types into real shells.
func TestShells(t *testing.T) {
	for _, name := range []string{"bash", "zsh", "fish", "script"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Fatalf("%v: test/needs installs it; test/run does that", err)
		}
	}
	testscript.Run(t, testscript.Params{Dir: "testdata/shells", RequireExplicitExec: true, RequireUniqueNames: true, Setup: schemaPath})
}
