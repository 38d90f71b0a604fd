package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// newerRows are what somebody writes after an upgrade.
const newerRows = `INSERT INTO transfer (group_id, name, description, source_connection_id, target_connection_id, strategy_params,
		source_params, target_params, transformations, resources, is_scheduled, schedule, queue_id)
	SELECT group_id, 'newer ' || (SELECT count(*) FROM transfer), '', 1, 1, '{}', '{}', '{}', '[]', '{}', false, '', queue_id FROM transfer WHERE id = 1;
	INSERT INTO run (transfer_id, status, type, transfer_dump, started_at, ended_at) VALUES (1, 'FINISHED', 'MANUAL', '{}', now(), now())`

// TestRollbackWithNewerData goes back from releases in which somebody has worked: what the older release can use stays,
// what it cannot read is named, and what would be lost is counted, and lost only where that was asked for. Secrets were
// planted before, and nobody sees them.
func TestRollbackWithNewerData(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	set, env := plantedOptions()
	s.env = env
	s.init(append(set, "--profile", "server", "--version", "0.2.4")...).is(t, 0)
	s.env = nil
	s.fill()
	secrets := s.allSecrets()
	move := func(t *testing.T, command string, args ...string) result {
		t.Helper()
		return s.within(t).watched(secrets, command, args...).is(t, 0)
	}

	t.Run("stays", func(t *testing.T) {
		s := s.within(t)
		move(t, "upgrade", "--to", "0.2.5")
		s.query(newerRows)
		rows := s.rows()
		s.do("rollback", "--dry-run").is(t, 0).says(t, "goes back from revision 0012 to 0011, with everything that was written since")
		move(t, "rollback")
		s.mustStand("0.2.4", rows)
	})
	t.Run("cannot be read", func(t *testing.T) {
		s := s.within(t)
		move(t, "upgrade", "--to", "0.2.5")
		move(t, "upgrade", "--to", "0.3.0")
		s.query("INSERT INTO connection (id, group_id, type, name, description, data) VALUES (78, 1, 'iceberg', 'lake', '', '{}')")
		rows := s.rows()
		const warning = "release 0.2.5 cannot read Iceberg connections: 78 (lake)"
		s.do("rollback", "--dry-run").is(t, 0).says(t, warning)
		s.transcript("rollback-cannot-read", move(t, "rollback").says(t, warning))
		s.mustStand("0.2.5", rows)
		s.query("DELETE FROM connection WHERE id = 78")
	})
	t.Run("would be lost", func(t *testing.T) {
		s := s.within(t)
		rows := s.rows()
		move(t, "upgrade", "--to", "0.4.0")
		s.query(newerRows)
		newer := s.rows()
		s.transcript("rollback-loses", s.mustLeaveAlone("rollback", nil, "1 run, 1 transfer", "--lose-newer-data"))
		s.query("UPDATE alembic_version SET version_num = '0014'") // as an image would that is newer than this program
		move(t, "rollback", "--lose-newer-data")
		s.mustStand("0.2.5", rows)
		// what was lost is in the backup that was made before
		move(t, "backup restore", s.backups()[0])
		s.mustStand("0.4.0", newer)
	})
	t.Run("damaged backup", func(t *testing.T) {
		s := s.within(t)
		name := s.backups()[0]
		dump := filepath.Join(s.dir, "backups", name, "database.dump")
		whole := read(t, dump)
		overwrite(t, dump, whole[:len(whole)/2]+"?"+whole[len(whole)/2+1:])
		got := s.mustLeaveAlone("backup restore", []string{name}, "database.dump", "backup list")
		s.transcript("restore-damaged", got)
		overwrite(t, dump, whole)
	})
	t.Run("damaged database", func(t *testing.T) {
		s := s.within(t)
		s.query(reader)
		rows := s.rows()
		move(t, "backup create")
		name := s.backups()[0]
		s.query("ALTER DATABASE syncmaster SET work_mem = '10MB'; ALTER DATABASE syncmaster RESET search_path")
		s.query("DROP INDEX ix__run__type; DELETE FROM run")
		move(t, "backup create")
		move(t, "backup restore", name)
		s.mustStand("0.4.0", rows)
		if n := s.query("SELECT count(*) FROM pg_indexes WHERE indexname = 'ix__run__type'"); n != "1" {
			t.Errorf("after the restore there are %s indexes of that name", n)
		}
		s.mustHaveReader()
	})
	s.mustHideSecrets(secrets)
	s.mustHideSecretsInEngine(secrets)
	t.Run("memory", func(t *testing.T) { s.within(t).mustTakeLittleMemory() })
}

// mustStand fails the test unless the stack of server, database and broker is of a release and has the rows.
func (s *stack) mustStand(version, rows string) {
	s.t.Helper()
	s.mustBeHealthy("db", "rabbitmq", "server")
	if c := s.container("server"); !strings.HasSuffix(c.Config.Image, ":"+version) || s.setting(".env", "VERSION") != version {
		s.t.Errorf("the server is of %s, and .env says VERSION=%s; want %s", c.Config.Image, s.setting(".env", "VERSION"), version)
	}
	if now := s.rows(); now != rows {
		s.t.Errorf("the rows have changed from\n%s\nto\n%s", rows, now)
	}
}

// bigBytes is about how much larger a dump is than that of a database without the rows of a test; littleMemory is how
// much more of the machine's memory it may cost.
const (
	bigBytes     = 32 << 20
	littleMemory = 10 << 20
)

// mustTakeLittleMemory makes a backup and brings it back, with few rows and with many bytes: both take the same memory.
func (s *stack) mustTakeLittleMemory() {
	s.t.Helper()
	cycle := func() (create, restore int64) {
		create = s.peak("backup create")
		return create, s.peak("backup restore", s.backups()[0])
	}
	smallCreate, smallRestore := cycle()
	s.query(`CREATE SCHEMA dba; CREATE TABLE dba.big AS SELECT noise FROM (
		SELECT string_agg(sha512(random()::text::bytea), ''::bytea) AS noise FROM generate_series(1, 32768)) n, generate_series(1, 16)`)
	create, restore := cycle()
	info, err := os.Stat(filepath.Join(s.dir, "backups", s.backups()[1], "database.dump")) // the newest is of what the restore replaced
	if err != nil || info.Size() < bigBytes {
		s.t.Fatalf("the dump has %d bytes, want %d: %v", info.Size(), bigBytes, err)
	}
	s.t.Logf("backup create took %d MiB and %d MiB, backup restore %d MiB and %d MiB", smallCreate>>20, create>>20, smallRestore>>20, restore>>20)
	if create > smallCreate+littleMemory || restore > smallRestore+littleMemory {
		s.t.Errorf("%d bytes more in a dump take %d bytes more to make it and %d to bring it back", bigBytes, create-smallCreate, restore-smallRestore)
	}
	s.query("DROP SCHEMA dba CASCADE")
}
