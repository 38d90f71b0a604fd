package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestUpgradeDrains has a transfer running when it begins: it goes back, waits for the transfer, or cuts it, as it is
// told. The override file and a stopped service are left as they are.
func TestUpgradeDrains(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	override := "services:\n  worker:\n    environment:\n      SYNCMASTER_KIT_RUN_DURATION: 3s\n      MARK_OF_THE_OVERRIDE: here\n"
	write(t, filepath.Join(s.dir, "docker-compose.override.yml"), override)
	s.init(append(slices.Clone(whole), "--version", "0.2.4")...).is(t, 0)
	s.query(seed(s.token()))

	t.Run("or abort", func(t *testing.T) { s.within(t).mustGoBackForTransfer() })
	s.compose("stop", "frontend").is(t, 0)
	stranded := s.query(`INSERT INTO run (transfer_id, status, type, transfer_dump, started_at)
		VALUES (1, 'STARTED', 'MANUAL', '{}', now() - interval '3 days') RETURNING id`)
	t.Run("wait", func(t *testing.T) { s.within(t).mustWaitForTransfer(stranded) })
	t.Run("cut", func(t *testing.T) { s.within(t).mustCutTransfer(stranded) })

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
	if now := s.identities()["worker"]; now != worker {
		s.t.Errorf("the worker was %s and is %s", worker, now)
	}
	end()
	s.mustFinish(id)
	next, end := s.transfer()
	end()
	s.mustFinish(next)
}

// mustWaitForTransfer lets a transfer end, while the server answers. What is stranded is named and not waited for.
func (s *stack) mustWaitForTransfer(stranded string) {
	s.t.Helper()
	id, end := s.transfer()
	p := begin(s.t, s.on("upgrade", "--to", "0.2.5"))
	if !p.until(func(line string) bool { return strings.Contains(line, fmt.Sprintf("run %s of \"transfer\"", id)) }) {
		s.t.Fatalf("nobody waits for the transfer\n%s", p.wait().said())
	}
	s.login("admin") // the server answers
	end()
	got := p.wait().is(s.t, 0).says(s.t, "stranded", fmt.Sprintf("run %s of \"transfer\": no worker knew", stranded), "stopped    frontend")
	s.transcript("drain-waits", got)
	s.mustFinish(id)
	s.mustBeHealthy("db", "rabbitmq", "scheduler", "server", "worker")
	if c := s.container("frontend"); !strings.HasSuffix(c.Config.Image, ":0.2.5") || c.State.Running {
		s.t.Errorf("the frontend, which was stopped, is %s of %s", c.State.Status, c.Config.Image)
	}
}

// mustCutTransfer names the transfer that it cuts and leaves it as it is in the database.
func (s *stack) mustCutTransfer(stranded string) {
	s.t.Helper()
	id, end := s.transfer()
	defer end()
	got := s.do("upgrade", "--to", "0.3.0", "--drain", "1s").is(s.t, 0)
	got.says(s.t, fmt.Sprintf("cut        run %s of \"transfer\"", id), fmt.Sprintf("stranded   run %s of \"transfer\"", stranded))
	s.transcript("drain-cuts", got)
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
