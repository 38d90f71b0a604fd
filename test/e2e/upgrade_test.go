package e2e_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
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

// TestUpgradeEveryRelease goes from each release to each later one and back, with rows in every table and an edit of
// the user's in each env file.
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
	rows, secrets := s.rows(), s.secrets()
	edit := map[string]string{
		".env":        "# mine\nWORKER_STOP_GRACE_PERIOD=7m # short\n",
		".env.docker": "# mine, too\nSYNCMASTER__SCHEDULER__MISFIRE_GRACE_TIME_SECONDS=77 # late\n",
	}
	for file, text := range edit {
		write(t, filepath.Join(s.dir, file), read(t, filepath.Join(s.dir, file))+text)
	}
	for from := part; from < len(releases)-1; from += walkers {
		for to := from + 1; to < len(releases); to++ {
			if !everything && to != from+1 && to != len(releases)-2 {
				continue
			}
			s.do("upgrade", "--to", releases[to].Tag).is(t, 0).says(t, "running and healthy", "did not answer for")
			s.mustBe(releases[to].Tag, rows, secrets)
			for file, text := range edit {
				if got := read(t, filepath.Join(s.dir, file)); !strings.Contains(got, text) {
					t.Errorf("%s has lost the user's edit:\n%s", file, got)
				}
			}
			if t.Failed() {
				return
			}
			s.do("rollback", "--lose-newer-data").is(t, 0).says(t, "running and healthy")
			s.mustBe(releases[from].Tag, rows, secrets)
		}
		s.init().is(t, 0).says(t, "nothing had to be changed")
		if next := from + walkers; next < len(releases)-1 {
			s.do("upgrade", "--to", releases[next].Tag).is(t, 0)
			s.mustBe(releases[next].Tag, rows, secrets)
			s.mustTransferAgain()
			rows = s.rows()
		}
	}
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
