package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/client"

	"syncmaster-setup/test/kit"
)

// The steps of an upgrade from 0.3.2 to 0.4.0, whose own image migrates, so that the way back is the dump.
const (
	stepsByImage    = 9
	stopStep        = 2
	backUpStep      = 3
	imageMigrations = "db-migrations"
)

// TestUpgradeByImageMeanwhile lets things happen between the end of a killed upgrade and the command that takes over.
// Nothing of what was written or edited then is lost.
func TestUpgradeByImageMeanwhile(t *testing.T) {
	t.Parallel()
	s := installed(t, "0.3.2")
	for _, part := range []struct {
		name string
		must func(s *stack)
	}{
		{"migrations at work, abort", (*stack).mustEndMigrations},
		{"migrations at work, resume", (*stack).mustBeginMigrationsAnew},
		{"a later revision", (*stack).mustLeaveUnknownRevision},
		{"work goes on", (*stack).mustKeepWork},
		{"a file is edited", (*stack).mustKeepEdit},
		{"the schema drifts", (*stack).mustRestoreOverDrift},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.must(s.within(t)) }) {
			return // each begins where the one before has ended
		}
	}
}

// mustEndMigrations kills an upgrade whose migrations have not even connected: they must not come upon the database that
// abort brings back.
func (s *stack) mustEndMigrations() {
	s.t.Helper()
	rows, secrets := s.rows(), s.secrets()
	override := filepath.Join(s.dir, "docker-compose.override.yml")
	write(s.t, override, "services:\n  "+imageMigrations+":\n    image: "+kit.Prefix+"/base:trixie\n    entrypoint: [sleep, '300']\n")
	p := begin(s.t, s.on("upgrade", "--to", "0.4.0"))
	eventually(s.t, func() error {
		found, err := s.engine.ContainerList(s.t.Context(), client.ContainerListOptions{
			Filters: s.filter().Add("label", "com.docker.compose.service="+imageMigrations),
		})
		if err == nil && len(found.Items) == 0 {
			err = errors.New("the migrations have not begun")
		}
		return err
	})
	s.kill(p)
	s.do("abort").is(s.t, 0)
	s.mustBe("0.3.2", rows, secrets) // and nothing else runs
	if err := os.Remove(override); err != nil {
		s.t.Fatal(err)
	}
}

// mustBeginMigrationsAnew goes on with an upgrade whose migrations are still at work.
func (s *stack) mustBeginMigrationsAnew() {
	s.t.Helper()
	rows, secrets := s.rows(), s.secrets()
	release := s.lock("public.celery_taskmeta", "ROW EXCLUSIVE")
	p := begin(s.t, s.on("upgrade", "--to", "0.4.0"))
	s.waitForLock("CREATE INDEX")
	s.kill(p)
	const waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%CREATE INDEX%'"
	p = begin(s.t, s.on("resume"))
	eventually(s.t, func() error { // the server still has the session of the first ones
		if n := s.query(waiting); n != "2" {
			return errors.New(n + " wait for the lock: the migrations do not begin anew")
		}
		return nil
	})
	release()
	p.wait().is(s.t, 0)
	s.mustBe("0.4.0", rows, secrets)
}

// mustLeaveUnknownRevision rolls back from a revision that this program does not carry, as newer images bring along.
func (s *stack) mustLeaveUnknownRevision() {
	s.t.Helper()
	rows, secrets := s.rows(), s.secrets()
	s.query("UPDATE alembic_version SET version_num = '0014'")
	s.do("backup create").is(s.t, 0)
	s.mustLeaveAlone("rollback", []string{"--dry-run"}, "--lose-newer-data")
	s.do("rollback", "--lose-newer-data").is(s.t, 0)
	s.mustBe("0.3.2", rows, secrets)
	if got := s.query("SELECT version_num FROM alembic_version"); got != "0012" {
		s.t.Errorf("the database is at %s", got)
	}
}

// mustKeepWork kills an upgrade behind its backup, and lets somebody start the stack and work with it. What was written
// then is there when the way on fails.
func (s *stack) mustKeepWork() {
	s.t.Helper()
	secrets := s.secrets()
	s.killed(point{killPoint{"after", backUpStep}, ""}, stepsByImage, "upgrade", "--to", "0.4.0")
	s.compose("up", "-d").is(s.t, 0)
	s.query(`INSERT INTO "group" (name, description, owner_id) SELECT 'meanwhile', '', min(id) FROM "user"`)
	s.query(strings.ReplaceAll(guard("true"), "ALTER TABLE", "CREATE INDEX"))
	rows := s.rows()
	s.do("resume").is(s.t, undone).says(s.t, "no change of tables on Fridays")
	s.query(unguard)
	s.mustBe("0.3.2", rows, secrets)
}

// mustKeepEdit edits a file while an upgrade is interrupted: resume does not go over it, and abort keeps it.
func (s *stack) mustKeepEdit() {
	s.t.Helper()
	rows, secrets := s.rows(), s.secrets()
	s.killed(point{killPoint{"after", stopStep}, ""}, stepsByImage, "upgrade", "--to", "0.4.0")
	file := filepath.Join(s.dir, ".env.docker")
	was := read(s.t, file)
	overwrite(s.t, file, was+"# mine\n")
	before := s.identities()
	got := s.do("resume").is(s.t, refused).says(s.t, ".env.docker was edited since the upgrade to release 0.4.0 was interrupted", "abort --dir "+s.dir)
	mustEqual(s.t, before, s.identities())
	s.transcript("resume-over-an-edit", got, fmt.Sprintf("/%04d/", s.generation()+1), "/NNNN/")
	s.do("abort").is(s.t, 0).says(s.t, ".env.docker was edited meanwhile")
	s.mustBe("0.3.2", rows, secrets)
	kept, err := filepath.Glob(file + ".edited-*")
	if err != nil || len(kept) != 1 || read(s.t, kept[0]) != was+"# mine\n" || read(s.t, file) != was {
		s.t.Errorf("%v, %v; .env.docker is\n%s", kept, err, read(s.t, file))
	}
	if info, err := os.Stat(kept[0]); err != nil || info.Mode().Perm() != 0o600 {
		s.t.Errorf("what is kept has the mode %v, %v", info.Mode(), err)
	}
}

// mustRestoreOverDrift takes a backup of a schema that is not SyncMaster's any more, and restores over one that is even
// less so.
func (s *stack) mustRestoreOverDrift() {
	s.t.Helper()
	rows, secrets := s.rows(), s.secrets()
	s.query("DROP INDEX ix__run__type")
	s.do("backup create").is(s.t, 0)
	s.query("DROP TABLE auth_data, run")
	s.do("backup restore", s.backups()[0]).is(s.t, 0)
	s.mustBe("0.3.2", rows, secrets)
}

// generation is the number of the generation that is recorded as installed.
func (s *stack) generation() int {
	s.t.Helper()
	var state struct{ Generation int }
	if err := json.Unmarshal([]byte(read(s.t, filepath.Join(s.dir, ".syncmaster-setup", "state.json"))), &state); err != nil {
		s.t.Fatal(err)
	}
	return state.Generation
}

// kill ends a program without mercy.
func (s *stack) kill(p *process) {
	s.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
	p.wait()
}

// TestUpgradeCutsAndFails lists the transfer that was cut where the upgrade is taken back, and refuses while a worker of
// the user's own runs.
func TestUpgradeCutsAndFails(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	const second = `services:
  worker:
    environment:
      SYNCMASTER_KIT_RUN_DURATION: 3s
  worker-2:
    image: ${IMAGE_PREFIX:-}mtsrus/syncmaster-worker:${VERSION}
    command: [--loglevel=info, -Q, 2-other]
    env_file: .env.docker
`
	write(t, filepath.Join(s.dir, "docker-compose.override.yml"), second)
	s.init(append(slices.Clone(whole), "--version", "0.2.4")...).is(t, 0)
	s.query(seed(s.token()))
	s.compose("up", "-d", "worker-2").is(t, 0)
	s.mustLeaveAlone("upgrade", []string{"--to", "0.2.5"}, "the service worker-2 of docker-compose.override.yml", "docker compose stop worker-2")
	s.compose("stop", "--timeout", "5", "worker-2").is(t, 0)

	id, end := s.transfer()
	defer end()
	before := s.stand()
	got := s.do("upgrade", "--to", "0.2.5", "--drain", "1s") // the transfer's session still locks a table
	s.mustBeBack(got, undone, before).says(t, "locked", fmt.Sprintf("Cut: run %s of \"transfer\"", id))
}

// TestFreshRestoreKilledAtOnce kills a restore into an empty folder as soon as it has written something.
func TestFreshRestoreKilledAtOnce(t *testing.T) {
	t.Parallel()
	s := installed(t, "0.2.5")
	rows, secrets := s.rows(), s.secrets()
	s.query(reader)
	s.do("backup create").is(t, 0)
	name := s.backups()[0]
	s.compose("down", "--volumes").is(t, 0)
	kept := filepath.Join(openFolder(t), "backups")
	for _, move := range [][2]string{{filepath.Join(s.dir, "backups"), kept}, {kept, filepath.Join(s.dir, "backups")}} {
		if err := os.Rename(move[0], move[1]); err != nil {
			t.Fatal(err)
		}
		if move[1] != kept {
			continue
		}
		if err := errors.Join(os.RemoveAll(s.dir), os.MkdirAll(s.dir, 0o700)); err != nil {
			t.Fatal(err)
		}
	}
	p := begin(t, s.on("backup restore", name))
	eventually(t, func() error {
		_, err := os.Stat(filepath.Join(s.dir, ".syncmaster-setup", "state.json"))
		return err
	})
	s.kill(p)
	if _, err := os.Stat(filepath.Join(s.dir, ".syncmaster-setup", "journal.json")); errors.Is(err, fs.ErrNotExist) {
		t.Error("nothing tells of the restore that was killed")
	}
	s.do("init").is(t, refused).says(t, "syncmaster-setup resume")
	resumed := s.do("resume").is(t, 0)
	if strings.Contains(resumed.said(), "another image") {
		t.Errorf("the same images are others now:\n%s", resumed.said())
	}
	s.mustBe("0.2.5", rows, secrets)
	s.mustHaveReader()
}

// reader is what an administrator sets up beside SyncMaster: a role that reads, and settings of the database.
const reader = `CREATE ROLE "Re ader" LOGIN PASSWORD 'reads';
	GRANT pg_monitor TO "Re ader";
	GRANT SELECT ON ALL TABLES IN SCHEMA public TO "Re ader";
	REVOKE CONNECT ON DATABASE syncmaster FROM PUBLIC;
	GRANT CONNECT ON DATABASE syncmaster TO "Re ader";
	COMMENT ON DATABASE syncmaster IS 'of the data team';
	ALTER DATABASE syncmaster SET work_mem = '9MB';
	ALTER DATABASE syncmaster SET search_path = public, "$user";
	ALTER ROLE "Re ader" IN DATABASE syncmaster SET statement_timeout = '7s'`

// mustHaveReader fails the test unless what [reader] sets up is there.
func (s *stack) mustHaveReader() {
	s.t.Helper()
	address := fmt.Sprintf("postgres://Re%%20ader:reads@127.0.0.1:%d/syncmaster", s.ports.db)
	const state = `SELECT concat_ws(', ', current_setting('work_mem'), current_setting('search_path'), current_setting('statement_timeout'),
		has_database_privilege('public', 'syncmaster', 'CONNECT'), pg_has_role('pg_monitor', 'MEMBER'),
		(SELECT count(*) > 0 FROM run), shobj_description(oid, 'pg_database')) FROM pg_database WHERE datname = 'syncmaster'`
	if got, want := query(s.t, address, state), `9MB, public, "$user", 7s, f, t, t, of the data team`; got != want {
		s.t.Errorf("role and settings of the database: %s; want %s", got, want)
	}
}
