package e2e_test

import (
	"testing"
)

// TestMigrateAnInstall steps the schema of an installed stack down and up again, which only works with its writers
// stopped.
func TestMigrateAnInstall(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.init("--version", "0.2.5", "--profile", "server", "--profile", "scheduler").is(t, 0)
	migrate := func(args ...string) result {
		t.Helper()
		return finish(t, program(append([]string{"migrate", args[0], "--dir", s.dir}, args[1:]...)...))
	}
	migrate("current").is(t, 0).says(t, "0012")
	migrate("check").is(t, 0)
	migrate("downgrade", "--yes", "-1").is(t, 4).says(t, "server", "scheduler", "Nothing was changed")
	if got := s.query("SELECT version_num FROM alembic_version"); got != "0012" {
		t.Fatalf("a refusal has moved the schema to %s", got)
	}
	s.compose("stop", "server", "scheduler").is(t, 0)
	migrate("downgrade", "--yes", "-1").is(t, 0)
	if got := s.query("SELECT version_num FROM alembic_version"); got != "0011" {
		t.Errorf("the schema is at %s", got)
	}
	migrate("upgrade", "0013").is(t, 4).says(t, "Nothing was changed")
	migrate("upgrade").is(t, 0)
	s.compose("up", "-d", "db", "db-migrations").is(t, 0) // Alembic has nothing to do
	s.compose("start", "server", "scheduler").is(t, 0)
	s.mustBeHealthy("db", "rabbitmq", "scheduler", "server")
}
