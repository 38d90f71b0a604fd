package e2e_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/moby/moby/client"
)

// TestMigrateAnInstall steps the schema of an installed stack down and up again, which only works with its writers
// stopped.
func TestMigrateAnInstall(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	options := []string{"--version", "0.2.5", "--profile", "server", "--profile", "scheduler"}
	s.init(options...).is(t, 0)
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
	s.refusesFullDisk()
	s.keepsDeletedRows(migrate)
	migrate("upgrade", "0013").is(t, 4).says(t, "Nothing was changed")
	migrate("upgrade").is(t, 0)
	s.compose("up", "-d", "db", "db-migrations").is(t, 0) // Alembic has nothing to do
	s.compose("start", "server", "scheduler").is(t, 0)
	s.init(options...).is(t, 0) // waits for them
	s.mustBeHealthy("db", "rabbitmq", "scheduler", "server")
}

// refusesFullDisk has less space under the engine's data than the rewriting of the tables may need.
func (s *stack) refusesFullDisk() {
	s.t.Helper()
	info, err := docker.Info(s.t.Context(), client.InfoOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	onFullDisk := inMountNamespace("mount -t tmpfs -o size=64k tmpfs " + info.Info.DockerRootDir)
	finish(s.t, onFullDisk(program("migrate", "upgrade", "--dir", s.dir))).is(s.t, 4).
		says(s.t, "rewriting the tables needs", "for WAL", "has 64.0 KiB free", "Nothing was changed")
	if got := s.query("SELECT version_num FROM alembic_version"); got != "0011" {
		s.t.Errorf("a refusal has moved the schema to %s", got)
	}
	finish(s.t, program("migrate", "upgrade", "--dry-run", "--dir", s.dir)).is(s.t, 0).says(s.t, "for WAL; ", " are free")
}

// keepsDeletedRows goes back to a revision without tables: a backup is taken first, which brings the rows back.
func (s *stack) keepsDeletedRows(migrate func(...string) result) {
	s.t.Helper()
	const rows = "SELECT string_agg(username, ' ' ORDER BY id) FROM \"user\""
	s.query(`INSERT INTO "user" (username, is_active, is_superuser) VALUES ('kept-for-later', true, false)`)
	users := s.query(rows)
	kept := func() []string {
		list, err := filepath.Glob(filepath.Join(s.dir, "backups", "*-downgrade"))
		if err != nil {
			s.t.Fatal(err)
		}
		return list
	}
	migrate("downgrade", "--dry-run", "base").is(s.t, 0).says(s.t, "a backup would be taken")
	migrate("downgrade", "base").is(s.t, 4).says(s.t, "user (", "a backup is taken first", "Nothing was changed")
	if got := s.query(rows); got != users || len(kept()) != 0 {
		s.t.Fatalf("a refusal has left the users %q, and %v", got, kept())
	}
	blocker := filepath.Join(s.dir, "backups")
	write(s.t, blocker, "a file where the folder has to be")
	migrate("downgrade", "--yes", "base").is(s.t, 1).says(s.t, "none was deleted", "--no-backup")
	if got := s.query(rows); got != users {
		s.t.Fatalf("without a backup, the users %q are left", got)
	}
	if err := os.Remove(blocker); err != nil {
		s.t.Fatal(err)
	}
	done := migrate("downgrade", "--yes", "base").is(s.t, 0)
	if len(kept()) != 1 {
		s.t.Fatalf("backups: %v\n%s", kept(), done.said())
	}
	name := filepath.Base(kept()[0])
	done.says(s.t, kept()[0], "backup restore --dir "+s.dir+" "+name)
	finish(s.t, program("backup", "restore", "--dir", s.dir, "--yes", name)).is(s.t, 0)
	if got := s.query(rows); got != users {
		s.t.Errorf("the backup brought back the users %q, not %q", got, users)
	}
	migrate("downgrade", "--yes", "--no-backup", "0007").is(s.t, 0)
	if len(kept()) != 1 {
		s.t.Errorf("--no-backup made one: %v", kept())
	}
	migrate("upgrade", "0011").is(s.t, 0)
}
