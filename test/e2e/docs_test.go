package e2e_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"syncmaster-setup/internal/secret"
	"syncmaster-setup/test/docs"
	"syncmaster-setup/test/kit"
)

// TestDocuments types the command lines of README.md and docs/ into a shell, in the scenarios of test/docs.
func TestDocuments(t *testing.T) {
	t.Parallel()
	list, err := docs.Scenarios()
	if err != nil {
		t.Fatal(err)
	}
	for _, scenario := range list {
		if scenario.Name == "dev" { // of TestDocumentsOfDev
			continue
		}
		begin, known := stages[scenario.Name]
		if !known {
			t.Errorf("nothing is prepared for the scenario %s", scenario.Name)
			continue
		}
		t.Run(scenario.Name, func(t *testing.T) {
			t.Parallel()
			begin(t, scenario)
		})
	}
}

// stages prepare what the scenarios begin with, and look at what they leave.
var stages = map[string]func(*testing.T, docs.Scenario){
	"install": func(t *testing.T, scenario docs.Scenario) {
		s := newStack(t)
		said := newShell(t, s).run(scenario)
		s.mustBeRecorded(said[recorded])
	},
	"production": func(t *testing.T, scenario docs.Scenario) {
		keycloak := ""
		for _, setting := range []string{"API_URL=http://keycloak", "REALM_NAME=realm", "CLIENT_ID=id", "CLIENT_SECRET=first"} {
			keycloak += " --set SYNCMASTER__AUTH__KEYCLOAK__" + setting
		}
		newShell(t, newStack(t), "KEYCLOAK="+keycloak, "SYNCMASTER__AUTH__KEYCLOAK__CLIENT_SECRET=planted").run(scenario)
	},
	"external": func(t *testing.T, scenario docs.Scenario) {
		outside := newServers(t)
		newShell(t, newStack(t), "DATABASE="+outside.database, "BROKER="+outside.broker).run(scenario)
	},
	"care": func(t *testing.T, scenario docs.Scenario) {
		key, err := secret.FernetKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		rows := filepath.Join(t.TempDir(), "rows.sql")
		write(t, rows, seed(encrypt(t, key.Reveal())))
		newShell(t, newStack(t), "ROWS="+rows, "KEY="+key.Reveal()).run(scenario)
	},
	"interrupted": func(t *testing.T, scenario docs.Scenario) { runKeeping(t, scenario, "0.3.2") },
	"operations":  func(t *testing.T, scenario docs.Scenario) { runKeeping(t, scenario, "0.2.4") },
	"migrate": func(t *testing.T, scenario docs.Scenario) {
		address, _ := addressesOf(t, runContainer(t, "postgres:17", 0, 5432, "POSTGRES_PASSWORD=outside", "POSTGRES_USER=sync", "POSTGRES_DB=sync"))
		database := "postgresql://sync:outside@" + address + ":5432/sync"
		eventually(t, func() error {
			conn, err := pgx.Connect(t.Context(), database)
			if err != nil {
				return err
			}
			return conn.Close(t.Context())
		})
		newShell(t, newStack(t), "DATABASE="+database).run(scenario)
	},
}

// TestDocumentsOfDev does the same with a checkout. Its default ports let it run beside no other test.
func TestDocumentsOfDev(t *testing.T) {
	list, err := docs.Scenarios()
	if err != nil {
		t.Fatal(err)
	}
	e := newSource(t, "99.0.0", "develop", "0013")
	sh := newShell(t, e.stack)
	sh.cmd.Dir = e.checkout
	for _, scenario := range list {
		if scenario.Name == "dev" {
			sh.run(scenario)
		}
	}
}

// runKeeping runs a scenario on an install of 0.2.4 with rows, which must come through it.
func runKeeping(t *testing.T, scenario docs.Scenario, release string) {
	t.Helper()
	s := installed(t, "0.2.4")
	rows, secrets := s.rows(), s.secrets()
	sh := newShell(t, s, "SYNCMASTER_SETUP_DIR="+s.dir)
	sh.cmd.Dir = s.dir
	sh.run(scenario)
	s.mustBeNamed()
	s.mustBe(release, rows, secrets)
	s.mustTransferAgain()
}

// mustBeNamed wants every file of the folder in the first table of docs/files.md.
func (s *stack) mustBeNamed() {
	s.t.Helper()
	table, _, _ := strings.Cut(read(s.t, filepath.Join(root, "docs", "files.md")), "\n## Variables")
	var names []*regexp.Regexp
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)`").FindAllStringSubmatch(table, -1) {
		name := regexp.MustCompile(`NNNN|TIME|OPERATION|SERVICE|NAME`).ReplaceAllString(regexp.QuoteMeta(m[1]), `[^/]+`)
		if strings.HasSuffix(name, "/") {
			name += ".*"
		}
		names = append(names, regexp.MustCompile("^"+name+"$"))
	}
	for path := range s.files() {
		file := strings.TrimPrefix(path, "file /")
		if info, err := os.Stat(filepath.Join(s.dir, file)); err != nil || info.IsDir() {
			continue
		}
		if !slices.ContainsFunc(names, func(name *regexp.Regexp) bool { return name.MatchString(file) }) {
			s.t.Errorf("docs/files.md does not name %s", file)
		}
	}
}

// shell is a bash in which a reader types.
type shell struct {
	t   *testing.T
	cmd *exec.Cmd
}

// newShell prepares a shell in an empty folder; env is what the placeholders of its scenario stand for.
func newShell(t *testing.T, s *stack, env ...string) shell {
	t.Helper()
	work, home, bin := openFolder(t), t.TempDir(), t.TempDir()
	// the Compose CLI that the tests have is not a plugin
	docker := "#!/bin/sh\n[ \"$1\" = compose ] && shift && exec " + composeCLI + " \"$@\"\n"
	if err := os.WriteFile(filepath.Join(bin, "docker"), []byte(docker), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash")
	cmd.Dir = work
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+filepath.Dir(binary)+":"+os.Getenv("PATH"), "HOME="+home, "WORK="+work, "VAULT="+t.TempDir(),
		"DIR="+s.dir, "KIT="+kit.Prefix, "INSTALL="+strings.Join(s.args()[1:], " "), "PORT="+strconv.Itoa(freePort(t)))
	cmd.Env = append(cmd.Env, env...)
	return shell{t, cmd}
}

// stepMark begins the output of a step.
const stepMark = "\x1e"

// interruption is a function of the shell: presses Ctrl-C once a step of a command has begun.
const interruption = `interrupted() {
	step=$1; shift
	"$@" --output json > $WORK/progress & pid=$!
	until grep -q "step-started.*$step" $WORK/progress; do kill -0 $pid || return 1; sleep 0.02; done
	kill -INT $pid; wait $pid; [ $? -eq 130 ]
}
`

// run types a scenario and returns what each line has said. The first line that ends otherwise than written ends the test.
func (sh shell) run(scenario docs.Scenario) map[string]string {
	sh.t.Helper()
	script := interruption
	for _, step := range scenario.Steps {
		script += fmt.Sprintf("printf '\\n%s%%s\\n' %s\n{ %s\n} </dev/null\n", stepMark, quoted(step.Shell), step.Shell) +
			fmt.Sprintf("code=$?; [ $code -eq %d ] || { echo \"ended with $code instead of %[1]d\"; exit 1; }\n", step.Code)
	}
	sh.cmd.Args = append(sh.cmd.Args, "-c", script)
	began := time.Now()
	output, err := sh.cmd.CombinedOutput()
	parts := strings.Split(string(output), stepMark)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		sh.t.Fatalf("in the scenario %s\n%s", scenario.Name, strings.Join(parts[max(0, len(parts)-3):], "$ "))
	case err != nil:
		sh.t.Fatal(err)
	}
	sh.t.Logf("%d lines in %.1f s", len(scenario.Steps), time.Since(began).Seconds())
	said := map[string]string{}
	for i, part := range parts[1:] {
		_, said[scenario.Steps[i].Text], _ = strings.Cut(part, "\n")
	}
	return said
}

func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// recorded is the line of README.md whose recording stands there.
const recorded = "syncmaster-setup init --dir /srv/syncmaster --yes"

// mustBeRecorded compares what init has said, through a pipe, with its recording on a terminal.
func (s *stack) mustBeRecorded(said string) {
	s.t.Helper()
	_, rest, _ := strings.Cut(read(s.t, filepath.Join(root, "README.md")), "$ "+recorded+"\n")
	want, _, found := strings.Cut(rest, "```\n")
	if !found {
		s.t.Fatal("README.md has no recording of init")
	}
	said = regexp.MustCompile(`(?m)^\[ *\d+/\d+\]`).ReplaceAllString(said, "✓")
	for port, shown := range map[int]string{s.ports.server: "8000", s.ports.ui: "3000", s.ports.db: "5432", s.ports.broker: "5672"} {
		said = strings.ReplaceAll(said, fmt.Sprintf(":%d", port), ":"+shown)
	}
	said = strings.ReplaceAll(said, s.dir, "/srv/syncmaster")
	times := regexp.MustCompile(`\d+\.\d ?s\b`)
	if got := times.ReplaceAllString(said, "TIME"); strings.TrimSpace(got) != strings.TrimSpace(times.ReplaceAllString(want, "TIME")) {
		s.t.Errorf("README.md has recorded\n%s\nand now it is\n%s", want, said)
	}
}
