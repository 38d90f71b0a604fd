package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// logLine is a line of logs --output json.
type logLine struct {
	Time                             time.Time
	Service, Container, Stream, Text string
}

// TestLogs reads the logs of a whole stack: in the order of time, chosen, followed, and without its secrets.
func TestLogs(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	set, env := plantedOptions()
	s.env = env
	s.init(append(slices.Clone(whole), set...)...).is(t, 0)
	logs := func(args ...string) result {
		t.Helper()
		return finish(t, program(append([]string{"logs", "--dir", s.dir}, args...)...))
	}
	say := func(text string) { s.query("DO $$BEGIN RAISE LOG '%', $log$" + text + "$log$; END$$") }

	secrets := s.allSecrets()
	for _, secret := range secrets {
		say("the secret is " + secret + ".")
	}
	// PostgreSQL repeats the statement; the text of the message is what counts
	hidden := logs("--grep", "LOG:  the secret is", "db").is(t, 0)
	noSecret(t, "the log", hidden.said(), secrets...)
	if got := strings.Count(hidden.stdout, "the secret is ****."); got != len(secrets) {
		t.Errorf("%d of %d secrets were hidden:\n%s", got, len(secrets), hidden.stdout)
	}
	noSecret(t, "the log of all as JSON", logs("--output", "json").is(t, 0).said(), secrets...)
	if got := logs("--grep", secrets[0]).is(t, 0); got.said() != "" {
		t.Errorf("a search tells that a secret was right: %s", got.said())
	}

	lines := logLines(t, logs("--output", "json").is(t, 0).stdout)
	if !slices.IsSortedFunc(lines, func(a, b logLine) int { return a.Time.Compare(b.Time) }) {
		t.Error("the lines are not in the order of time")
	}
	seen := map[string]bool{}
	for _, line := range lines {
		seen[line.Service] = true
		if line.Container != s.project+"-"+line.Service+"-1" || (line.Stream != "stdout" && line.Stream != "stderr") {
			t.Fatalf("a line is %+v", line)
		}
	}
	for _, service := range all {
		if !seen[service] {
			t.Errorf("%s has no line", service)
		}
	}
	if got := logs("--tail", "1", "server", "db").is(t, 0); strings.Count(got.stdout, "\n") != 2 || strings.Contains(got.stdout, "\x1b") {
		t.Errorf("the last lines of two services are %q", got.stdout)
	}
	if got := logs("--since", time.Now().Add(time.Hour).UTC().Format(time.RFC3339)).is(t, 0); got.said() != "" {
		t.Errorf("the log of the future is %s", got.said())
	}
	logs("db", "nobody").is(t, 3).says(t, `no container belongs to a service "nobody"`, "there are db, frontend, rabbitmq, scheduler, server, worker")
	s.followLogs(say)
	s.logsOfAOneOff(logs)
	s.logsOfAnOverride(logs)
}

// followLogs ends as a user does, with Ctrl-C, and where nothing is left to follow.
func (s *stack) followLogs(say func(string)) {
	s.t.Helper()
	p := begin(s.t, program("logs", "--dir", s.dir, "--follow", "--tail", "1"))
	p.until(func(string) bool { return true })
	for _, text := range []string{"first word", "second word"} {
		say(text)
		if !p.until(func(line string) bool { return strings.HasPrefix(line, "db ") && strings.Contains(line, "LOG:  "+text) }) {
			s.t.Fatalf("%s was not followed: %s", text, p.wait().said())
		}
	}
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		s.t.Fatal(err)
	}
	if got := p.wait().is(s.t, 130); got.stderr != "" || strings.Count(got.stdout, "LOG:  first word") != 1 {
		s.t.Errorf("Ctrl-C has left:\n%s", got.said())
	}

	p = begin(s.t, program("logs", "--dir", s.dir, "--follow", "--tail", "1", "frontend"))
	p.until(func(string) bool { return true })
	s.compose("stop", "frontend").is(s.t, 0)
	p.wait().is(s.t, 0)
}

// logsOfAOneOff shows what a container that has done its work has written.
func (s *stack) logsOfAOneOff(logs func(...string) result) {
	s.t.Helper()
	s.compose("up", "--no-deps", "db-migrations").is(s.t, 0)
	if got := logs("--output", "json", "db-migrations").is(s.t, 0); len(logLines(s.t, got.stdout)) == 0 {
		s.t.Error("db-migrations has no line")
	}
}

// logsOfAnOverride hides what a service has from the override file, and still where the file is another one, or is broken.
func (s *stack) logsOfAnOverride(logs func(...string) result) {
	s.t.Helper()
	const secret = "override-marker-secret-1"
	override := filepath.Join(s.dir, "docker-compose.override.yml")
	write(s.t, override, "services:\n  worker:\n    entrypoint: [env]\n    command: []\n    restart: 'no'\n    environment:\n      S3_SECRET: >-\n        "+secret+"\n")
	s.compose("up", "--detach", "--no-deps", "worker").is(s.t, 0)
	for what, change := range map[string]string{"in place": read(s.t, override), "another one": "services: {}\n", "broken": "services: [\n"} {
		write(s.t, override, change)
		eventually(s.t, func() error {
			got := logs("worker").is(s.t, 0)
			noSecret(s.t, "the log of a worker, the override file "+what, got.said(), secret)
			if !strings.Contains(got.stdout, "S3_SECRET=****") {
				return fmt.Errorf("the worker has not said it yet: %s", got.stdout)
			}
			return nil
		})
	}
}

func logLines(t *testing.T, text string) []logLine {
	t.Helper()
	var list []logLine
	for line := range strings.Lines(text) {
		var l logLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%q is no JSON object: %v", line, err)
		}
		list = append(list, l)
	}
	return list
}
