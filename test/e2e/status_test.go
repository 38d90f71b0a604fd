package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// status is the result object of status --output json.
type status struct {
	Result   string
	Healthy  bool
	Services []struct {
		Name, State, Reason, Digest string
		Restarts                    int
		Ports                       []string
	}
	Database struct{ Problem, Revision, Head string }
	Broker   struct{ Problem, Version string }
	Queues   []struct {
		Slug                       string
		Known                      bool
		Workers, Messages, Waiting int
	}
	Transfers []struct {
		ID       int
		Transfer string
		Stranded bool
	}
	Volumes []struct {
		Name  string
		Bytes int64
	}
	Backup   struct{ Name string }
	Problems []struct{ What, Next, Logs string }
	Notes    []struct{ What, Next string }
}

// look runs a command that only looks at the stack.
func (s *stack) look(command string, args ...string) result {
	s.t.Helper()
	cmd := program(append([]string{command, "--dir", s.dir}, args...)...)
	cmd.Env = append(os.Environ(), s.env...)
	return finish(s.t, s.wrap(cmd))
}

// status returns what status says, and fails the test unless it ends with a code.
func (s *stack) status(code int) status {
	s.t.Helper()
	got := s.look("status", "--output", "json").is(s.t, code)
	st := readStatus(s.t, got)
	if st.Result != "ok" || st.Healthy != (code == 0) || got.stderr != "" {
		s.t.Errorf("healthy is %v with exit code %d\n%s", st.Healthy, code, got.said())
	}
	return st
}

func readStatus(t *testing.T, r result) status {
	t.Helper()
	var st status
	if err := json.Unmarshal([]byte(r.stdout), &st); err != nil {
		t.Fatalf("%v\n%s", err, r.said())
	}
	return st
}

// state returns the state of a service.
func (st status) state(service string) string {
	for _, s := range st.Services {
		if s.Name == service {
			return s.State
		}
	}
	return "not listed"
}

// says fails the test unless a problem with a next step says a text.
func (st status) says(t *testing.T, what, next string) {
	t.Helper()
	for _, p := range st.Problems {
		if strings.Contains(p.What, what) && strings.Contains(p.Next, next) {
			return
		}
	}
	t.Errorf("no problem says %q with %q: %+v", what, next, st.Problems)
}

// TestStatus looks at a stack in each of its states. It changes nothing by that.
func TestStatus(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.init(whole...).is(t, 0)
	s.query(seed(s.token()))
	var took time.Duration
	eventually(t, func() error { // the worker may not have declared its queue yet
		got := s.look("status")
		if took = got.took; got.code != 0 {
			return fmt.Errorf("exit code %d\n%s", got.code, got.said())
		}
		return nil
	})
	t.Logf("status of a healthy stack took %s", took)
	before := s.snapshot()
	st := s.status(0)
	for _, service := range all {
		if st.state(service) != "healthy" {
			t.Errorf("%s is %s", service, st.state(service))
		}
	}
	if st.Database.Revision != "0012" || st.Database.Head != "0012" || st.Broker.Version == "" || len(st.Volumes) != 2 || st.Volumes[0].Bytes == 0 {
		t.Errorf("%+v", st)
	}
	if len(st.Queues) != 1 || st.Queues[0].Slug != "1-etl" || st.Queues[0].Workers != 1 || len(st.Transfers) != 0 || len(st.Notes) != 0 {
		t.Errorf("queues %+v, transfers %+v, notes %+v", st.Queues, st.Transfers, st.Notes)
	}
	s.look("status").is(t, 0).says(t, ": healthy", "revision 0012 (head)", "1-etl  1 worker", "none running", fmt.Sprintf("127.0.0.1:%d", s.ports.server))
	mustEqual(t, before, s.snapshot())

	t.Run("a backup", func(t *testing.T) {
		finish(t, program("backup", "create", "--dir", s.dir)).is(t, 0)
		if st := s.status(0); st.Backup.Name == "" {
			t.Errorf("%+v", st.Backup)
		}
	})
	t.Run("a queue without a worker", func(t *testing.T) {
		s.query("INSERT INTO queue (name, slug, group_id, description) VALUES ('other', '1-other', 1, '')")
		s.look("status").is(t, 0).says(t, "no worker serves the queue 1-other", "--queue 1-etl,1-other")
		s.query("INSERT INTO run (transfer_id, status, type, transfer_dump) VALUES (1, 'STARTED', 'MANUAL', '{}'); UPDATE transfer SET queue_id = 2")
		if st := s.status(0); len(st.Transfers) != 1 || !st.Transfers[0].Stranded || st.Transfers[0].Transfer != "transfer" {
			t.Errorf("%+v", st.Transfers)
		}
		s.query("UPDATE run SET status = 'CREATED'")
		s.status(1).says(t, "1 transfer waits in the queue 1-other", "--queue 1-etl,1-other")
		s.query("DELETE FROM run; UPDATE transfer SET queue_id = 1; DELETE FROM queue WHERE id = 2")
	})
	t.Run("queues that the user writes into .env", func(t *testing.T) {
		s.query("INSERT INTO queue (name, slug, group_id, description) VALUES ('mine', '1-mine', 1, '')")
		s.edit(".env", "WORKER_QUEUES=1-etl", "WORKER_QUEUES=1-etl,1-mine")
		s.look("status").is(t, 1).says(t, "nobody serves the queue 1-mine", "something else than what runs in: worker")
		s.compose("up", "--detach").is(t, 0)
		eventually(t, func() error {
			if st := readStatus(t, s.look("status", "--output", "json")); !st.Healthy || len(st.Queues) != 2 || st.Queues[1].Workers != 1 {
				return fmt.Errorf("%+v", st)
			}
			return nil
		})
		s.edit(".env", "WORKER_QUEUES=1-etl,1-mine", "WORKER_QUEUES=1-mine")
		s.init().is(t, 0) // waits for this one, and no other
		s.init("--queue", "1-etl").is(t, 0)
		if got := s.setting(".env", "WORKER_QUEUES"); got != "1-etl" {
			t.Errorf("the worker serves %s, though another queue was asked for", got)
		}
		s.query("DELETE FROM queue WHERE slug = '1-mine'")
	})
	t.Run("a schema that is newer than the release", func(t *testing.T) {
		s.query("UPDATE alembic_version SET version_num = '0013'")
		s.status(1).says(t, "newer than release 0.3.2 knows", "syncmaster-setup migrate downgrade --dir "+s.dir+" 0012")
		s.query("UPDATE alembic_version SET version_num = '0012'")
	})
	t.Run("an edited file", func(t *testing.T) {
		path := filepath.Join(s.dir, ".env.docker")
		written := read(t, path)
		write(t, path, strings.Replace(written, "TZ=UTC", "TZ=Europe/Berlin", 1))
		s.look("status").is(t, 0).says(t, ".env.docker was edited", "something else than what runs in: scheduler, server, worker")
		write(t, path, written)
	})
	t.Run("a stopped server", func(t *testing.T) {
		s.compose("stop", "server").is(t, 0)
		st := s.status(1)
		if st.state("server") != "stopped" || st.state("frontend") != "healthy" {
			t.Errorf("%+v", st.Services)
		}
		st.says(t, "service server ended with code", "docker compose start server")
		s.compose("start", "server").is(t, 0)
	})
	t.Run("a paused database and broker", func(t *testing.T) {
		s.compose("pause", "db", "rabbitmq").is(t, 0)
		got := s.look("status").is(t, 1).says(t, "service db is paused", "docker compose unpause db")
		if got.took > 10*time.Second {
			t.Errorf("status took %s", got.took)
		}
		s.compose("unpause", "db", "rabbitmq").is(t, 0)
	})
	t.Run("no engine", func(t *testing.T) {
		s.env = []string{"DOCKER_HOST=unix:///nowhere/docker.sock"}
		defer func() { s.env = nil }()
		if st := s.status(1); st.state("server") != "unknown" || len(st.Problems) != 1 {
			t.Errorf("%+v", st)
		}
		s.look("status").is(t, 1).says(t, "SyncMaster 0.3.2", "/nowhere/docker.sock")
	})
	t.Run("a crash loop", func(t *testing.T) {
		override := filepath.Join(s.dir, "docker-compose.override.yml")
		write(t, override, "services:\n  worker:\n    command: --loglevel=info -Q 1-etl\n") // that of 0.2.x
		s.compose("up", "-d", "--no-deps", "worker").is(t, 0)                               // the engine has not asked the unpaused ones again yet
		var st status
		eventually(t, func() error { // between its first restarts it is like one that has just been started
			if st = s.status(1); st.state("worker") != "crash loop" {
				return fmt.Errorf("the worker is %s", st.state("worker"))
			}
			return nil
		})
		st.says(t, "service worker keeps restarting", "docker compose logs --tail 50 worker")
		if len(st.Problems) != 1 || st.Problems[0].Logs == "" {
			t.Errorf("the last lines are missing: %+v", st.Problems)
		}
	})
}

// TestWatch refreshes in place on a terminal, and ends silently with Ctrl-C.
func TestWatch(t *testing.T) {
	t.Parallel()
	script, err := exec.LookPath("script")
	if err != nil {
		cannot(t, "no script command to make a terminal with: ", err)
	}
	s := newStack(t)
	finish(t, program(append([]string{"render"}, s.args()[1:]...)...)).is(t, 0)
	command := fmt.Sprintf("timeout --signal=INT --foreground 5 %s status --watch --dir %s", binary, s.dir)
	cmd := exec.Command(script, "--quiet", "--return", "--command", command+"; echo ended with $?", "/dev/null")
	cmd.Env = append(os.Environ(), "DOCKER_HOST=unix:///nowhere/docker.sock", "TERM=xterm")
	got := finish(t, cmd).says(t, "every 2s, Ctrl-C ends", "ended with 124") // timeout's own code: it has sent the signal
	if n := strings.Count(got.stdout, "\x1b[H"); n < 2 {
		t.Errorf("the screen was written %d times", n)
	}
	if strings.Contains(got.said(), "error") || strings.Contains(got.said(), "nterrupted") {
		t.Errorf("the end is not silent:\n%s", got.said())
	}
}
