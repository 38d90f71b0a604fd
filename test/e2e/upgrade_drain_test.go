package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestUpgradeDrains has a transfer running when it begins: it goes back, waits for the transfer, or cuts it, as it is
// told, and where it is killed meanwhile. The override file and a stopped service are left as they are.
func TestUpgradeDrains(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	override := "services:\n  worker:\n    environment:\n      SYNCMASTER_KIT_RUN_DURATION: 3s\n      MARK_OF_THE_OVERRIDE: here\n"
	write(t, filepath.Join(s.dir, "docker-compose.override.yml"), override)
	s.init(append(slices.Clone(whole), "--version", "0.2.4")...).is(t, 0)
	s.query(seed(s.token()))

	t.Run("or abort", func(t *testing.T) { s.within(t).mustGoBackForTransfer() })
	t.Run("killed, abort", func(t *testing.T) { s.within(t).mustAbortForTransfer() })
	t.Run("cut, then fails", func(t *testing.T) { s.within(t).mustTellOfCut() })
	s.compose("stop", "frontend").is(t, 0)
	stranded := s.query(`INSERT INTO run (transfer_id, status, type, transfer_dump, started_at)
		VALUES (1, 'STARTED', 'MANUAL', '{}', now() - interval '3 days') RETURNING id`)
	t.Run("wait", func(t *testing.T) { s.within(t).mustWaitForTransfer(stranded) })
	t.Run("cut", func(t *testing.T) { s.within(t).mustCutTransfer("drain-cuts", "0.3.0", "1s", stranded) })
	t.Run("killed, resume", func(t *testing.T) { s.within(t).mustResumeForTransfer() })
	t.Run("cut at once", func(t *testing.T) { s.within(t).mustCutTransfer("drain-cuts-at-once", "0.3.2", "0", stranded) })

	if got := read(t, filepath.Join(s.dir, "docker-compose.override.yml")); got != override {
		t.Errorf("the override file has changed to\n%s", got)
	}
	if env := s.container("worker").Config.Env; !slices.Contains(env, "MARK_OF_THE_OVERRIDE=here") {
		t.Errorf("the override file is not in use: %v", env)
	}
}

// mustGoBackForTransfer finds the worker as it was: with its transfer, and ready for the next one.
func (s *stack) mustGoBackForTransfer() {
	s.t.Helper()
	id, end := s.transfer()
	before, worker := s.stand(), s.identities()["worker"]
	got := s.do("upgrade", "--to", "0.2.5", "--drain", "1s", "--drain-or-abort")
	s.mustBeBack(got, undone, before).says(s.t, fmt.Sprintf("run %s of \"transfer\"", id), "release 0.2.4 runs and is healthy")
	s.transcript("drain-or-abort", got)
	s.mustGoOn(worker, id, end)
}

// killWaiting kills an upgrade while it waits for a run to end.
func (s *stack) killWaiting(to, run string) {
	s.t.Helper()
	p := begin(s.t, s.on("upgrade", "--to", to))
	s.waitsFor(p, run)
	if err := p.cmd.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
	p.wait().is(s.t, 128+int(syscall.SIGKILL))
}

// mustGoOn finds the same worker, which finishes its transfer and the next one.
func (s *stack) mustGoOn(worker, id string, end func()) {
	s.t.Helper()
	if now := s.identities()["worker"]; now != worker {
		s.t.Errorf("the worker was %s and is %s", worker, now)
	}
	end()
	s.mustFinish(id)
	next, end := s.transfer()
	end()
	s.mustFinish(next)
}

// waitsFor returns when a program says that it waits for a run to end.
func (s *stack) waitsFor(p *process, run string) {
	s.t.Helper()
	if !p.until(func(line string) bool { return strings.Contains(line, fmt.Sprintf("run %s of \"transfer\"", run)) }) {
		s.t.Fatalf("nobody waits for the transfer\n%s", p.wait().said())
	}
}

// mustAbortForTransfer goes back from a killed upgrade while the transfer still runs, in the worker that is ready for the
// next one.
func (s *stack) mustAbortForTransfer() {
	s.t.Helper()
	id, end := s.transfer()
	before, worker := s.stand(), s.identities()["worker"]
	s.killWaiting("0.2.5", id)
	s.mustBeBack(s.do("abort"), 0, before)
	s.mustGoOn(worker, id, end)
}

// mustTellOfCut names the transfer that was cut where the upgrade is taken back behind that.
func (s *stack) mustTellOfCut() {
	s.t.Helper()
	id, end := s.transfer()
	before := s.stand()
	s.query(guard("true"))
	p := begin(s.t, s.on("upgrade", "--to", "0.2.5", "--drain", "1s"))
	if !p.until(func(line string) bool { return strings.Contains(line, "stop scheduler and worker") }) {
		s.t.Fatalf("it did not stop the worker\n%s", p.wait().said())
	}
	// the server has not seen yet that the worker is gone: it would still end the run
	s.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE run %'")
	end()
	got := p.wait()
	s.query(unguard)
	s.mustBeBack(got, undone, before)
	if _, told, _ := strings.Cut(got.said(), "error: "); !strings.Contains(told, fmt.Sprintf("run %s of \"transfer\"", id)) {
		s.t.Errorf("the end does not name the run %s that was cut:\n%s", id, got.said())
	}
	s.transcript("cut-then-fails", got)
	s.query("DELETE FROM run WHERE id = " + id)
}

// mustResumeForTransfer goes on after a kill, and waits for the transfer again.
func (s *stack) mustResumeForTransfer() {
	s.t.Helper()
	id, end := s.transfer()
	s.killWaiting("0.3.1", id)
	p := begin(s.t, s.on("resume"))
	s.waitsFor(p, id)
	end()
	p.wait().is(s.t, 0).says(s.t, "SyncMaster 0.3.1 is running and healthy")
	s.mustFinish(id)
}

// mustWaitForTransfer lets a transfer end, while the server answers, and stops the worker then: the scheduler before it,
// the server after it. What is stranded is named and not waited for.
func (s *stack) mustWaitForTransfer(stranded string) {
	s.t.Helper()
	id, end := s.transfer()
	seen, answers := s.watchEngine(), s.keepAsking()
	p := begin(s.t, s.on("upgrade", "--to", "0.2.5"))
	s.waitsFor(p, id)
	ends := moment{"the end of the run", time.Now()}
	end()
	got := p.wait().is(s.t, 0).says(s.t, "stranded", fmt.Sprintf("run %s of \"transfer\": no worker knew", stranded), "stopped    frontend")
	s.transcript("drain-waits", got)
	s.mustFinish(id)
	mustBeInOrder(s.t, seen.first("die", "scheduler"), ends, seen.first("kill", "worker"), seen.first("die", "worker"), seen.first("kill", "server"))
	answers.mustComeUntil(s.t, seen.first("kill", "server").at)
	s.mustBeHealthy("db", "rabbitmq", "scheduler", "server", "worker")
	if c := s.container("frontend"); !strings.HasSuffix(c.Config.Image, ":0.2.5") || c.State.Running {
		s.t.Errorf("the frontend, which was stopped, is %s of %s", c.State.Status, c.Config.Image)
	}
}

// mustCutTransfer names the transfer that it cuts and leaves it as it is in the database.
func (s *stack) mustCutTransfer(name, to, drain, stranded string) {
	s.t.Helper()
	id, end := s.transfer()
	defer end()
	got := s.do("upgrade", "--to", to, "--drain", drain).is(s.t, 0)
	got.says(s.t, fmt.Sprintf("cut        run %s of \"transfer\"", id), fmt.Sprintf("stranded   run %s of \"transfer\"", stranded))
	s.transcript(name, got)
	s.mustBeHealthy("db", "rabbitmq", "scheduler", "server", "worker")
	if status := s.query("SELECT status FROM run WHERE id = " + id); status != "STARTED" {
		s.t.Errorf("the run that was cut is %s", status)
	}
}

// transfer starts a run and returns when the worker is at it. It lasts until end is called.
func (s *stack) transfer() (id string, end func()) {
	s.t.Helper()
	var run struct{ ID int }
	s.call(http.MethodPost, "/v1/runs", s.login("admin"), `{"transfer_id": 1}`, &run)
	id = fmt.Sprint(run.ID)
	eventually(s.t, func() error {
		if status := s.query("SELECT status FROM run WHERE id = " + id); status != "STARTED" {
			return errors.New("the run is " + status)
		}
		return nil
	})
	conn := s.session() // the worker waits for the row, when it would end the run
	if _, err := conn.Exec(s.t.Context(), "BEGIN"); err != nil {
		s.t.Fatal(err)
	}
	var status string
	row := conn.QueryRow(s.t.Context(), "SELECT status FROM run WHERE id = $1 AND status = 'STARTED' FOR UPDATE", run.ID)
	if err := row.Scan(&status); err != nil {
		s.t.Fatal(err)
	}
	return id, func() { _ = conn.Close(context.WithoutCancel(s.t.Context())) } // what it held is free then
}

func (s *stack) mustFinish(id string) {
	s.t.Helper()
	eventually(s.t, func() error {
		if status := s.query("SELECT status FROM run WHERE id = " + id); status != "FINISHED" {
			return fmt.Errorf("run %s is %s", id, status)
		}
		return nil
	})
}
