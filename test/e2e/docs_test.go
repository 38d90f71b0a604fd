package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestOperationsDocument types the command lines of docs/operations.md into a shell, in the document's order, on one
// stack: a look, backups, an upgrade by a plan, what an interruption needs, back, a restore, and a new host.
func TestOperationsDocument(t *testing.T) {
	t.Parallel()
	s := installed(t, "0.2.4")
	rows, secrets := s.rows(), s.secrets()
	r := reader{t: t, stack: s, work: t.TempDir()}
	for line := range strings.Lines(read(t, filepath.Join(root, "docs", "operations.md"))) {
		line = strings.TrimRight(line, "\n")
		switch command, is := strings.CutPrefix(line, "    syncmaster-setup "); {
		case strings.HasPrefix(line, "## "):
			r.section = line
			if line == newHost {
				r.loseHost()
			}
		case is:
			r.typed = append(r.typed, command)
			r.follow(command)
		}
	}
	if len(r.typed) < 15 {
		t.Errorf("the document has only these commands: %q", r.typed)
	}
	s.mustBe("0.2.4", rows, secrets)
	s.mustTransferAgain()
}

// newHost is the section of the document before which the old host is lost.
const newHost = "## When a host is lost"

// otherwise are the commands that end with another code than 0: nothing was interrupted here, and what the document
// says of their refusal is true, too.
var otherwise = map[string]int{"resume": 4, "abort": 4}

// reached are the releases to which commands lead.
var reached = map[string]string{"upgrade --dry-run": "0.2.4", "upgrade": "0.3.2", "rollback --dry-run": "0.3.2", "rollback": "0.2.4"}

// reader does what the document says.
type reader struct {
	t       *testing.T
	stack   *stack
	work    string // folder in which the commands are typed
	section string
	backup  string // the name that NAME stands for: the first one that was made
	typed   []string
}

// follow types one command.
func (r *reader) follow(command string) {
	r.t.Helper()
	cmd := exec.Command("sh", "-c", "syncmaster-setup "+strings.ReplaceAll(command, "NAME", r.backup))
	cmd.Dir = r.work
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"), "SYNCMASTER_SETUP_DIR="+r.stack.dir)
	finish(r.t, cmd).is(r.t, otherwise[command])
	if made, err := filepath.Glob(filepath.Join(r.stack.dir, "backups", "*")); err == nil && len(made) > 0 && r.backup == "" {
		r.backup = filepath.Base(made[0])
	}
	if release, checked := reached[command]; checked && r.stack.setting(".env", "VERSION") != release {
		r.t.Errorf("%s: release %s is installed, want %s", command, r.stack.setting(".env", "VERSION"), release)
	}
	if r.t.Failed() {
		r.t.Fatalf("in %q", r.section)
	}
}

// loseHost takes the stack and its folder away. Another folder has one backup, as the document says.
func (r *reader) loseHost() {
	r.t.Helper()
	r.stack.remove()
	lost := r.stack.dir
	r.stack.dir = filepath.Join(openFolder(r.t), "install")
	if err := os.CopyFS(filepath.Join(r.stack.dir, "backups", r.backup), os.DirFS(filepath.Join(lost, "backups", r.backup))); err != nil {
		r.t.Fatal(err)
	}
	if err := os.RemoveAll(lost); err != nil {
		r.t.Fatal(err)
	}
}
