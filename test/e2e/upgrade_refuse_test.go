package e2e_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// provider is a variable that 0.2.5 brings along, and that a user may have set before.
const provider = "SYNCMASTER__UI__AUTH_PROVIDER"

// obstacle is one thing that forbids an upgrade, and what the program says about it.
type obstacle struct {
	name  string
	put   func(s *stack) (remove func())
	to    string
	texts []string
}

var obstacles = []obstacle{
	{"s3 without region", rows(
		"INSERT INTO connection (id, group_id, type, name, description, data) VALUES (77, 1, 's3', 'bucket', '', '{}')",
		"DELETE FROM connection WHERE id = 77"), "0.3.0", []string{"S3 connections without a region: 77 (bucket)", "in the UI"}},
	{"table without schema", rows(
		`UPDATE transfer SET source_params = '{"type": "postgres", "table_name": "plain"}'`,
		"UPDATE transfer SET source_params = '{}'"), "0.3.1", []string{"schema.table: 1 (transfer)", "in the UI"}},
	{"wrong key", edited(".env.docker", func(text string) string {
		return replaceValue(text, "SYNCMASTER__ENCRYPTION__SECRET_KEY", wrongKey)
	}), "0.2.5", []string{"the encryption key does not open the credentials", "SYNCMASTER__ENCRYPTION__SECRET_KEY"}},
	{"release changed by hand", edited(".env", func(text string) string {
		return replaceValue(text, "VERSION", "0.2.5")
	}), "0.2.5", []string{".env says VERSION=0.2.5", "write VERSION=0.2.4"}},
	{"edited compose file", edited("docker-compose.yml", func(text string) string {
		return strings.Replace(text, "stop_grace_period: 30s", "stop_grace_period: 31s", 1)
	}), "0.2.5", []string{"- ", "30s", "+ ", "31s", "docker-compose.override.yml", "--keep-compose"}},
	{"drift", rows("DROP INDEX ix__run__type", "CREATE INDEX ix__run__type ON run (type)"), "0.2.5", []string{"ix__run__type is missing"}},
	{"both changed", edited(".env", func(text string) string { return text + provider + "=keycloakAuthProvider\n" }), "0.2.5",
		[]string{provider, `yours is "keycloakAuthProvider", the release's is "dummyAuthProvider"`, "--ours " + provider, "--theirs " + provider}},
}

// TestUpgradeRefuses puts one obstacle after the other in the way, then all of them. Nothing is changed. Then it takes
// both sides of a conflict, follows a plan, and keeps a Compose file.
func TestUpgradeRefuses(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	set, env := plantedOptions()
	s.env = env
	s.init(append(set, "--profile", "server", "--version", "0.2.4")...).is(t, 0)
	s.env = nil
	s.query(seed(s.token()))
	secrets := s.allSecrets()
	for _, o := range obstacles {
		t.Run(o.name, func(t *testing.T) {
			s := s.within(t)
			defer o.put(s)()
			s.mustLeaveAlone("upgrade", []string{"--to", o.to}, o.texts...)
		})
	}
	t.Run("all at once", func(t *testing.T) {
		s := s.within(t)
		var texts []string
		for _, o := range obstacles {
			defer o.put(s)()
			texts = append(texts, o.texts...)
		}
		got := s.mustLeaveAlone("upgrade", []string{"--to", "0.3.1"}, texts...)
		noSecret(t, "the refusal", got.said(), append(secrets, wrongKey)...)
		s.transcript("all-problems", got)
	})
	t.Run("no database", func(t *testing.T) {
		s := s.within(t)
		s.compose("stop", "db").is(t, 0)
		s.transcript("database-stopped", s.mustLeaveAlone("upgrade", []string{"--to", "0.2.5"}, "does not run", "docker compose start db"))
		s.compose("start", "db").is(t, 0)
		s.databaseAnswers()
	})
	t.Run("another database", func(t *testing.T) {
		s := s.within(t)
		s.override("db", "services:\n  db:\n    volumes:\n      - elsewhere:/var/lib/postgresql/data\nvolumes:\n  elsewhere: {}\n")
		s.databaseAnswers()
		s.transcript("another-database", s.mustLeaveAlone("upgrade", []string{"--to", "0.2.5"}, "its system identifier differs"))
		s.override("db", "")
		s.databaseAnswers()
	})
	t.Run("another major", func(t *testing.T) {
		s := s.within(t)
		defer s.newFile("docker-compose.override.yml", "services:\n  db:\n    image: postgres:18\n")()
		got := s.mustLeaveAlone("upgrade", []string{"--to", "0.2.5"}, "PostgreSQL 17 runs on the volume", "would be postgres:18", `image: "postgres:17"`)
		s.transcript("another-major", got)
	})
	t.Run("keep what does not fit", func(t *testing.T) {
		s := s.within(t)
		defer obstacles[4].put(s)()
		got := s.mustLeaveAlone("upgrade", []string{"--to", "0.2.5", "--keep-compose"}, "cannot be kept", "docker-compose.override.yml")
		s.transcript("compose-not-kept", got)
	})
	t.Run("plan", func(t *testing.T) { s.within(t).mustFollowPlan() })
	t.Run("keep compose", func(t *testing.T) { s.within(t).mustKeepCompose() })
	s.mustHideSecrets(secrets)
}

// databaseAnswers waits until it does.
func (s *stack) databaseAnswers() {
	s.t.Helper()
	eventually(s.t, func() error {
		conn, err := pgx.Connect(s.t.Context(), s.databaseAddress())
		if err != nil {
			return err
		}
		return conn.Close(s.t.Context())
	})
}

// newFile puts a file into the folder until remove is called.
func (s *stack) newFile(name, text string) (remove func()) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	write(s.t, path, text)
	return func() {
		if err := os.Remove(path); err != nil {
			s.t.Error(err)
		}
	}
}

// mustLeaveAlone runs a command that is refused with all texts and changes nothing.
func (s *stack) mustLeaveAlone(command string, args []string, texts ...string) result {
	s.t.Helper()
	before := s.snapshot()
	got := s.do(command, args...).is(s.t, refused).says(s.t, texts...).says(s.t, "Nothing was changed.")
	mustEqual(s.t, before, s.snapshot())
	return got
}

// mustFollowPlan writes a plan that decides a conflict, refuses it when the world has moved, and carries it out.
func (s *stack) mustFollowPlan() {
	s.t.Helper()
	obstacles[6].put(s) // it stays: the plan decides it
	folder := s.t.TempDir()
	ours, theirs := filepath.Join(folder, "ours"), filepath.Join(folder, "theirs")
	before := s.snapshot()
	s.do("upgrade", "--to", "0.2.5", "--ours", provider, "--plan-out", ours).is(s.t, 0)
	s.do("upgrade", "--to", "0.2.5", "--theirs", provider, "--plan-out", theirs).is(s.t, 0).says(s.t, provider, "Nothing was changed.")
	mustEqual(s.t, before, s.snapshot())
	for _, plan := range []string{ours, theirs} {
		noSecret(s.t, "the plan", read(s.t, plan), s.allSecrets()...)
		if info, err := os.Stat(plan); err != nil || info.Mode().Perm() != 0o600 {
			s.t.Errorf("the plan has the mode %v, %v", info.Mode(), err)
		}
	}
	s.do("upgrade", "--plan", theirs, "--ours", provider).is(s.t, badInput).says(s.t, "--ours", "--plan")

	put := edited(".env.docker", func(text string) string { return text + "# a word\n" })(s)
	got := s.mustLeaveAlone("upgrade", []string{"--plan", theirs}, "file .env.docker is not as it was")
	s.transcript("plan-world-moved", got)
	put()
	s.compose("stop", "server").is(s.t, 0)
	got = s.mustLeaveAlone("upgrade", []string{"--plan", theirs}, "container of server is not as it was")
	s.transcript("plan-server-stopped", got)
	s.compose("start", "server").is(s.t, 0)

	s.do("upgrade", "--plan", theirs).is(s.t, 0).says(s.t, "SyncMaster 0.2.5 is running and healthy")
	if got := s.setting(".env", provider); got != "dummyAuthProvider" {
		s.t.Errorf("%s is %q, and the plan took the release's value", provider, got)
	}
	s.do("rollback").is(s.t, 0)
	s.do("upgrade", "--plan", ours).is(s.t, refused) // the containers are others
	s.do("upgrade", "--to", "0.2.5", "--ours", provider).is(s.t, 0)
	if got := s.setting(".env", provider); got != "keycloakAuthProvider" {
		s.t.Errorf("%s is %q after --ours", provider, got)
	}
}

// mustKeepCompose keeps a Compose file that was edited where the next release changes nothing else in it.
func (s *stack) mustKeepCompose() {
	s.t.Helper()
	s.do("upgrade", "--to", "0.3.0").is(s.t, 0)
	obstacles[4].put(s)
	s.mustLeaveAlone("upgrade", []string{"--to", "0.3.1"}, "31s", "--keep-compose")
	s.do("upgrade", "--to", "0.3.1", "--keep-compose").is(s.t, 0).says(s.t, "edited by hand and stays as it is")
	s.mustBeHealthy("db", "rabbitmq", "server")
	if text := read(s.t, filepath.Join(s.dir, "docker-compose.yml")); !strings.Contains(text, "stop_grace_period: 31s") {
		s.t.Errorf("the Compose file is not the one that was to be kept:\n%s", text)
	}
	if c := s.container("server"); c.Config.StopTimeout == nil || *c.Config.StopTimeout != 31 || !strings.HasSuffix(c.Config.Image, ":0.3.1") {
		s.t.Errorf("the server is of %s with the timeout %v", c.Config.Image, c.Config.StopTimeout)
	}
}

// rows puts an obstacle into the database.
func rows(put, remove string) func(*stack) func() {
	return func(s *stack) func() {
		s.query(put)
		return func() { s.query(remove) }
	}
}

// edited puts an obstacle into a file of the install; the file is what it was afterwards.
func edited(name string, edit func(string) string) func(*stack) func() {
	return func(s *stack) func() {
		s.t.Helper()
		path := filepath.Join(s.dir, name)
		was := read(s.t, path)
		now := edit(was)
		if now == was {
			s.t.Fatalf("nothing is there to be changed in %s:\n%s", name, was)
		}
		overwrite(s.t, path, now)
		return func() { overwrite(s.t, path, was) }
	}
}

// overwrite changes what a file holds and nothing else.
func overwrite(t *testing.T, path, text string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err == nil {
		_, err = file.WriteString(text)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

// replaceValue gives a variable of an env file another value.
func replaceValue(text, name, value string) string {
	lines := strings.Split(text, "\n")
	at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+"=") })
	if at >= 0 {
		lines[at] = name + "=" + value
	}
	return strings.Join(lines, "\n")
}
