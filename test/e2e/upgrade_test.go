package e2e_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"syncmaster-setup/test/kit/facts"
)

// do runs a command of the program on the stack's folder.
func (s *stack) do(command string, args ...string) result {
	s.t.Helper()
	return finish(s.t, s.wrap(s.on(command, args...)))
}

// on is a command of the program on the stack's folder; command may be two words.
func (s *stack) on(command string, args ...string) *exec.Cmd {
	words := append(strings.Fields(command), "--dir", s.dir)
	cmd := program(append(words, args...)...)
	cmd.Env = append(cmd.Environ(), s.env...)
	return cmd
}

// installed is a stack of a release with rows in every table.
func installed(t *testing.T, version string, args ...string) *stack {
	t.Helper()
	s := newStack(t)
	s.init(append(append(slices.Clone(whole), "--version", version), args...)...).is(t, 0)
	s.fill()
	return s
}

// fill puts rows into every table.
func (s *stack) fill() {
	s.t.Helper()
	s.query(seed(s.token()))
	s.query(furtherRows)
}

// furtherRows are in the tables that seed leaves empty. The transfer is scheduled, so that its job stays.
const furtherRows = `UPDATE transfer SET is_scheduled = true, schedule = '0 0 * * *';
	INSERT INTO user_group (user_id, group_id, role) SELECT id, 1, 'Developer' FROM "user" WHERE username = 'owner';
	INSERT INTO run (transfer_id, status, type, transfer_dump, started_at, ended_at) VALUES (1, 'FINISHED', 'MANUAL', '{"a": "ä"}', now(), now());
	INSERT INTO celery_taskmeta (id, task_id, status, date_done) VALUES (1, 'run-1', 'SUCCESS', now());
	INSERT INTO celery_tasksetmeta (id, taskset_id, date_done) VALUES (1, 'set-1', now());
	INSERT INTO apscheduler_jobs (id, next_run_time, job_state) VALUES ('1', 4102444800, '\x00')`

// rows tells apart what the tables hold, whatever the revision: generated columns are left out. Users log in meanwhile.
func (s *stack) rows() string {
	s.t.Helper()
	var parts []string
	for _, table := range []string{"user", "group", "queue", "connection", "user_group", "auth_data", "transfer", "run",
		"celery_taskmeta", "celery_tasksetmeta", "apscheduler_jobs"} {
		row := "to_jsonb(t) - 'search_vector'"
		if table == "user" { // each start of the server touches its superusers
			row += " - 'updated_at'"
		}
		sum := s.query(fmt.Sprintf(`SELECT count(*) || ' ' || md5(coalesce(string_agg((%s)::text, ',' ORDER BY (%s)::text), '')) FROM %q t`, row, row, table))
		parts = append(parts, table+" "+sum)
	}
	return strings.Join(parts, "\n")
}

// mustBe fails the test unless the stack is healthy in a release, with the rows and the secrets that it had.
func (s *stack) mustBe(version, rows string, secrets map[string]string) {
	s.t.Helper()
	s.mustBeHealthy(all...)
	r, known := facts.Find(version)
	if !known {
		s.t.Fatalf("no release %s", version)
	}
	s.mustRunRelease(r)
	if got := s.setting(".env", "VERSION"); got != version {
		s.t.Errorf(".env says VERSION=%s, want %s", got, version)
	}
	if now := s.rows(); now != rows {
		s.t.Errorf("the rows have changed from\n%s\nto\n%s", rows, now)
	}
	for name, value := range s.secrets() {
		if secrets[name] != value {
			s.t.Errorf("%s has changed", name)
		}
	}
	var state struct{ Version, Phase string }
	if err := json.Unmarshal([]byte(read(s.t, filepath.Join(s.dir, ".syncmaster-setup", "state.json"))), &state); err != nil {
		s.t.Fatal(err)
	}
	if state.Version != version || state.Phase != "installed" {
		s.t.Errorf("the state says %+v, want %s", state, version)
	}
}

// edit is what a user has made of a file of the install: lines in place of others, which must stay together, and in this
// order.
type edit struct {
	file  string
	lines []string // each is of a variable, below a remark where it has one
	want  map[string]string
}

var edits = []edit{
	{".env", []string{
		"# as agreed with the network people\nCORPORATE_PROXY='http://proxy.example.com:3128/#1'",
		"# the night shift needs it\nWORKER_STOP_GRACE_PERIOD=7m # short",
	}, map[string]string{"CORPORATE_PROXY": "http://proxy.example.com:3128/#1", "WORKER_STOP_GRACE_PERIOD": "7m"}},
	{".env.docker", []string{
		"# where we are\nTZ=Europe/Berlin",
		"#SYNCMASTER__SCHEDULER__TRANSFER_FETCHING_TIMEOUT_SECONDS=9999 # tried, and of no use",
		"# ours\nSYNCMASTER__SCHEDULER__MISFIRE_GRACE_TIME_SECONDS=77 # late",
		"AWS_REGION=\"eu $$ 'west'\"",
	}, map[string]string{"TZ": "Europe/Berlin", "SYNCMASTER__SCHEDULER__MISFIRE_GRACE_TIME_SECONDS": "77"}},
}

// apply puts each line in the place of its variable; one that nobody knows comes at the beginning, or at the end.
func (e edit) apply(t *testing.T, s *stack) {
	t.Helper()
	path := filepath.Join(s.dir, e.file)
	text := read(t, path)
	for i, lines := range e.lines {
		name := regexp.MustCompile(`(?m)^#?([A-Z_]+)=`).FindStringSubmatch(lines)[1]
		place := regexp.MustCompile(`(?m)^#?` + name + `=.*$`)
		switch {
		case place.MatchString(text):
			text = place.ReplaceAllLiteralString(text, lines)
		case i == 0:
			text = lines + "\n" + text
		default:
			text += lines + "\n"
		}
	}
	write(t, path, text)
}

func (e edit) mustBeKept(s *stack) {
	s.t.Helper()
	text := read(s.t, filepath.Join(s.dir, e.file))
	at := 0
	for _, lines := range e.lines {
		found := strings.Index(text[at:], lines+"\n")
		if found < 0 {
			s.t.Errorf("%s has lost, or moved, what the user has written:\n%s\n\nit is\n%s", e.file, lines, text)
			return
		}
		at += found
	}
	for name, value := range e.want {
		if got := s.setting(e.file, name); got != value {
			s.t.Errorf("%s has %s=%q, want %q", e.file, name, got, value)
		}
	}
}

// TestUpgradeEveryRelease goes from each release to each later one and back, with rows in every table and edits of the
// user's in each env file. Database and broker are not touched.
func TestUpgradeEveryRelease(t *testing.T) {
	for part := range walkers {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			walk(t, part)
		})
	}
}

// walkers share the releases: together they are done in the time of the one that begins with the oldest.
const walkers = 4

// walk takes one stack through every fourth release, and from each of them to every later one.
func walk(t *testing.T, part int) {
	releases := facts.Releases
	s := installed(t, releases[part].Tag)
	rows, secrets, servers := s.rows(), s.secrets(), s.servers()
	for _, e := range edits {
		e.apply(t, s)
	}
	for from := part; from < len(releases)-1; from += walkers {
		for to := from + 1; to < len(releases); to++ {
			if !everything && to != from+1 && to != len(releases)-2 {
				continue
			}
			s.do("upgrade", "--to", releases[to].Tag).is(t, 0).says(t, "running and healthy", "did not answer for")
			s.mustBe(releases[to].Tag, rows, secrets)
			for _, e := range edits {
				e.mustBeKept(s)
			}
			s.mustOpenCredentials()
			if releases[from].Old() && !releases[to].Old() { // another command of the worker
				s.mustTransferOnce()
			}
			if t.Failed() {
				return
			}
			s.do("rollback", "--lose-newer-data").is(t, 0).says(t, "running and healthy")
			s.mustBe(releases[from].Tag, rows, secrets)
		}
		mustEqual(t, servers, s.servers())
		s.init().is(t, 0).says(t, "nothing had to be changed")
		if next := from + walkers; next < len(releases)-1 {
			s.do("upgrade", "--to", releases[next].Tag).is(t, 0)
			s.mustBe(releases[next].Tag, rows, secrets)
			s.mustTransferAgain()
			rows = s.rows()
		}
	}
}

// servers tells the containers of database and broker and their starts apart.
func (s *stack) servers() map[string]string {
	s.t.Helper()
	list := s.identities()
	maps.DeleteFunc(list, func(service, _ string) bool { return service != "db" && service != "rabbitmq" })
	return list
}

// mustOpenCredentials asks SyncMaster for what it can only tell with the right key.
func (s *stack) mustOpenCredentials() {
	s.t.Helper()
	var list struct{ Items []struct{ Name string } }
	s.call("GET", "/v1/connections?group_id=1", s.login("admin"), "", &list)
	if len(list.Items) != 1 || list.Items[0].Name != "source" {
		s.t.Errorf("the connections are %+v", list)
	}
}

// mustTransferOnce runs the transfer and forgets the run.
func (s *stack) mustTransferOnce() {
	s.t.Helper()
	last := s.query("SELECT max(id) FROM run")
	s.mustTransferAgain()
	s.query("DELETE FROM run WHERE id > " + last)
}

// mustTransferAgain runs the transfer that seed has made, with credentials that only the right key opens.
func (s *stack) mustTransferAgain() {
	s.t.Helper()
	admin := s.login("admin")
	var run struct {
		ID     int
		Status string
	}
	s.call("POST", "/v1/runs", admin, `{"transfer_id": 1}`, &run)
	eventually(s.t, func() error {
		s.call("GET", fmt.Sprintf("/v1/runs/%d", run.ID), admin, "", &run)
		if run.Status != "FINISHED" {
			return fmt.Errorf("the run is %s", run.Status)
		}
		return nil
	})
}
