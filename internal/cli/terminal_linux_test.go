package cli_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"syncmaster-setup/test/terminal"
)

const terminalLimit = 30 * time.Second

// TestTerminal runs scripts that have a command more:
//
//	terminal COLUMNSxROWS FILE|- COMMAND...
//
// runs a command in a window of that size and types the answers in FILE. The file screen says what the window has shown
// in the end, scrolled lines included, and the exit code; the file colours says it with the codes of the colours.
func TestTerminal(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/terminal", UpdateScripts: os.Getenv("UPDATE") != "", RequireExplicitExec: true, RequireUniqueNames: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"terminal": onTerminal},
		Setup: func(env *testscript.Env) error {
			env.Setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
			env.Setenv("TERM", "xterm")
			return schemaPath(env)
		},
	})
}

func onTerminal(ts *testscript.TestScript, _ bool, args []string) {
	var columns, rows uint16
	if len(args) < 3 {
		ts.Fatalf("usage: terminal COLUMNSxROWS FILE|- COMMAND...")
	}
	_, err := fmt.Sscanf(args[0], "%dx%d", &columns, &rows)
	ts.Check(err)
	cmd := exec.Command("/usr/bin/env", args[2:]...)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "TERM", "NO_COLOR", "DOCKER_HOST", "SCHEMA"} {
		if value := ts.Getenv(name); value != "" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	session, err := terminal.Start(cmd, columns, rows)
	ts.Check(err)
	if args[1] != "-" {
		ts.Check(session.Answer(ts.ReadFile(args[1]), terminalLimit))
	}
	code, err := session.Wait(terminalLimit)
	ts.Check(err)
	// the folder of the script has another name each time
	written := strings.ReplaceAll(session.Written(), ts.Getenv("WORK"), "/srv")
	shown, end := terminal.Shown(written, int(columns), int(rows)), fmt.Sprintf("exit code %d\n", code)
	ts.Check(os.WriteFile(ts.MkAbs("screen"), []byte(shown.Text()+end), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("colours"), []byte(shown.Coloured()+end), 0o600))
}
