package e2e_test

import (
	"fmt"
	"slices"
	"testing"
)

// TestSecondInitChangesNothing runs init twice with the same options.
func TestSecondInitChangesNothing(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.init(whole...).is(t, 0)
	before := s.snapshot()
	s.init(whole...).is(t, 0).says(t, "nothing had to be changed")
	mustEqual(t, before, s.snapshot())
	if s.init(append(whole, "--output", "json")...).is(t, 0).object(t).Changed {
		t.Error("the result object says that something has changed")
	}
	mustEqual(t, before, s.snapshot())
	s.mustBeHealthy(all...)
}

// TestStoppedServiceStaysStopped leaves a service alone that the operator has stopped (design.md, invariant 9).
func TestStoppedServiceStaysStopped(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.init(whole...).is(t, 0)
	s.compose("stop", "scheduler").is(t, 0)
	before := s.snapshot()
	s.init(whole...).is(t, 0).says(t, "stopped    scheduler")
	mustEqual(t, before, s.snapshot())
	if got := s.init(append(whole, "--output", "json")...).is(t, 0).object(t).Stopped; !slices.Equal(got, []string{"scheduler"}) {
		t.Errorf("the result object names %v as stopped", got)
	}
	for _, needed := range []string{"rabbitmq", "db"} {
		s.compose("stop", needed).is(t, 0)
		before = s.snapshot()
		s.init(whole...).is(t, refused).says(t, needed+" was stopped", "docker compose start "+needed)
		mustEqual(t, before, s.snapshot())
		s.compose("start", needed).is(t, 0)
	}
}

// TestComposeAdoptsTheStack lets the real Compose CLI work in the folder as if it had made everything itself.
func TestComposeAdoptsTheStack(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.init(whole...).is(t, 0)
	before := s.snapshot()
	s.compose("up", "-d").is(t, 0)
	mustEqual(t, before, s.snapshot())
	for _, service := range all {
		s.compose("ps").is(t, 0).says(t, s.project+"-"+service+"-1")
	}
	s.query("SELECT 1") // the database has not been restarted either

	s.compose("stop", "worker", "scheduler", "frontend", "server").is(t, 0)
	if got := s.running(); !slices.Equal(got, []string{"db", "rabbitmq"}) {
		t.Errorf("after docker compose stop %v are running", got)
	}
	s.compose("up", "-d", "db", "db-migrations").is(t, 0)
	eventually(t, func() error {
		if c := s.container("db-migrations"); c.State.Status != "exited" {
			return fmt.Errorf("Alembic is %s", c.State.Status)
		}
		return nil
	})
	if c := s.container("db-migrations"); c.State.ExitCode != 0 {
		t.Errorf("Alembic after us ended with %d", c.State.ExitCode)
	}
	if got := s.query("SELECT version_num FROM alembic_version"); got != "0012" {
		t.Errorf("after Alembic the database is at %s", got)
	}
	s.compose("start").is(t, 0)
	if got := s.running(); !slices.Equal(got, all) {
		t.Errorf("after docker compose start %v are running", got)
	}
	s.init(whole...).is(t, 0)
	s.mustBeHealthy(all...)
}
