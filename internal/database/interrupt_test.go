package database

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"syncmaster-setup/internal/fault"
)

// resumes checks, over a fresh session, that the database is whole at one revision and reaches head.
func resumes(t *testing.T, raw, want string) {
	t.Helper()
	db := open(t, raw)
	drift, err := db.Check(t.Context())
	if err != nil || drift.Revision != want || len(drift.Differences) > 0 {
		t.Fatalf("at %s instead of %s: %s %v", display(drift.Revision), display(want), drift, err)
	}
	if result := to(t, db, "head"); result.From != want {
		t.Errorf("result %+v", result)
	}
	compareCatalog(t, db, Head())
}

// commitMessage is COMMIT alone, as the protocol ends it.
const commitMessage = "COMMIT\x00"

// behindProxy plans revision 0005 of a database through a proxy.
func behindProxy(t *testing.T) (raw string, px *proxy, db *DB, p Plan) {
	t.Helper()
	raw = newDatabase(t)
	to(t, open(t, raw), "0004")
	px, through := newProxy(t, raw)
	db = open(t, through)
	p, err := db.Plan(t.Context(), "0005")
	if err != nil {
		t.Fatal(err)
	}
	return raw, px, db, p
}

// TestConnectionCut cuts a TCP connection at every kind of message of revision 0005.
func TestConnectionCut(t *testing.T) {
	cases := []struct {
		name, at  string
		swallow   bool
		committed bool
	}{
		{"before BEGIN arrives", "BEGIN ISOLATION", false, false},
		{"after BEGIN arrived", "BEGIN ISOLATION", true, false},
		{"before the file arrives", "CREATE TABLE public.user_group", false, false},
		{"after the file arrived", "CREATE TABLE public.user_group", true, false},
		{"before the revision arrives", "UPDATE public.alembic_version", false, false},
		{"before COMMIT arrives", commitMessage, false, false},
		{"after COMMIT arrived", commitMessage, true, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			raw, px, db, p := behindProxy(t)
			px.swallow.Store(c.swallow)
			px.cutAt.Store(&c.at)
			result, err := db.Migrate(t.Context(), p, nil)
			if err == nil || px.cuts.Load() != 1 {
				t.Fatalf("%d cuts, error %v", px.cuts.Load(), err)
			}
			want := "0004"
			if c.committed {
				want = "0005"
			}
			var doubt *InDoubtError
			if errors.As(err, &doubt) != (c.at == commitMessage) {
				t.Errorf("error %v", err)
			}
			if doubt != nil && (!doubt.Asked || doubt.Committed != c.committed || (len(result.Applied) == 1) != c.committed) {
				t.Errorf("%+v, result %+v", doubt, result)
			}
			if result.To != want || fault.HintOf(err) == "" {
				t.Errorf("result %+v, hint %q", result, fault.HintOf(err))
			}
			resumes(t, raw, want)
		})
	}
}

// TestConnectionCutElsewhere cuts the connection of what writes no step: a stamp, a forced one, and a repair.
func TestConnectionCutElsewhere(t *testing.T) {
	stamp := func(force bool) func(*testing.T, *DB) error {
		return func(t *testing.T, db *DB) error {
			_, err := db.Stamp(t.Context(), "0011", force, nil)
			return err
		}
	}
	repair := func(t *testing.T, db *DB) error {
		_, err := db.Repair(t.Context(), nil)
		return err
	}
	cases := []struct {
		name, before  string
		run           func(*testing.T, *DB) error
		done, verdict string
	}{
		{"stamp", "DELETE FROM alembic_version", stamp(false), "SELECT string_agg(version_num, '') = '0011' FROM alembic_version", "revision 0011 was committed"},
		{"forced stamp", "UPDATE alembic_version SET version_num = 'abc'; INSERT INTO alembic_version VALUES ('x')", stamp(true),
			"SELECT string_agg(version_num, '') = '0011' FROM alembic_version", "revision 0011 was committed"},
		{"repair", "ALTER TABLE connection ALTER COLUMN type TYPE varchar(23)", repair,
			"SELECT atttypmod = 36 FROM pg_attribute WHERE attrelid = 'connection'::regclass AND attname = 'type'", "the repair was committed"},
	}
	for _, c := range cases {
		for _, swallow := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, arrived %v", c.name, swallow), func(t *testing.T) {
				raw := newDatabase(t)
				to(t, open(t, raw), "0011")
				execURL(t, raw, c.before)
				px, through := newProxy(t, raw)
				db := open(t, through)
				px.swallow.Store(swallow)
				at := commitMessage
				px.cutAt.Store(&at)
				err := c.run(t, db)
				var doubt *InDoubtError
				if !errors.As(err, &doubt) || !doubt.Asked || doubt.Committed != swallow || !strings.Contains(err.Error(), c.verdict) {
					t.Errorf("%+v, %v", doubt, err)
				}
				if strings.Contains(err.Error(), "has committed it") != swallow || strings.Contains(err.Error(), "has not committed it") == swallow {
					t.Errorf("error %v", err)
				}
				if got := value(t, open(t, raw), c.done); (got == "t") != swallow {
					t.Errorf("done: %s", got)
				}
			})
		}
	}
}

// TestAnotherGoesOn lets another run bring the database further before the one whose answer was lost can ask.
func TestAnotherGoesOn(t *testing.T) {
	raw, px, db, p := behindProxy(t)
	at := commitMessage
	px.cutAt.Store(&at)
	px.swallow.Store(true)
	px.cut = func() { to(t, open(t, raw), "0007") }
	result, err := db.Migrate(t.Context(), p, nil)
	var doubt *InDoubtError
	if !errors.As(err, &doubt) || !doubt.Asked || doubt.Committed || doubt.Found != "0007" || result.To != "0007" || len(result.Applied) != 0 {
		t.Errorf("%+v, %+v", doubt, result)
	}
	if !strings.Contains(err.Error(), "another program has moved the database to revision 0007 since") {
		t.Errorf("error %v", err)
	}
}

// TestBackendTerminated ends the server process between two statements, inside one, and right before COMMIT.
func TestBackendTerminated(t *testing.T) {
	terminate := func(t *testing.T, raw string) {
		const ours = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'syncmaster-setup'"
		execURL(t, raw, "SELECT pg_terminate_backend(pid) "+ours)
		until(t, raw, "NOT EXISTS (SELECT "+ours+")")
	}
	t.Run("before BEGIN", func(t *testing.T) {
		raw := newDatabase(t)
		db := open(t, raw)
		p, err := db.Plan(t.Context(), "0002")
		if err != nil {
			t.Fatal(err)
		}
		terminate(t, raw)
		if result, err := db.Migrate(t.Context(), p, nil); err == nil || result.To != "" {
			t.Errorf("%+v, %v", result, err)
		}
		resumes(t, raw, "")
	})
	t.Run("at BEGIN", func(t *testing.T) {
		raw := newDatabase(t)
		db := open(t, raw)
		to(t, db, "0002")
		p, err := db.Plan(t.Context(), "0003")
		if err != nil {
			t.Fatal(err)
		}
		db.policy.tableLock = 20 * time.Second
		blocker := open(t, raw)
		exec(t, blocker, "SET application_name = 'blocker'; BEGIN; LOCK TABLE alembic_version IN ACCESS SHARE MODE")
		done := make(chan error, 1)
		go func() {
			_, err := db.Migrate(t.Context(), p, nil)
			done <- err
		}()
		until(t, raw, "EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'alembic_version'::regclass)")
		terminate(t, raw)
		if err := <-done; sqlState(err) != codeAdminShutdown || fault.HintOf(err) == "" {
			t.Errorf("error %v", err)
		}
		exec(t, blocker, "ROLLBACK")
		resumes(t, raw, "0002")
	})
	t.Run("inside a statement", func(t *testing.T) {
		raw := newDatabase(t)
		db := slowAt12(t, raw)
		p, err := db.Plan(t.Context(), "head")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			_, err := db.Migrate(t.Context(), p, nil)
			done <- err
		}()
		until(t, raw, "EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep')")
		terminate(t, raw)
		if err := <-done; err == nil || sqlState(err) != codeAdminShutdown {
			t.Errorf("error %v", err)
		}
		execURL(t, raw, "DROP INDEX slow")
		resumes(t, raw, "0011")
	})
	t.Run("before COMMIT", func(t *testing.T) {
		raw := newDatabase(t)
		db := open(t, raw)
		p, err := db.Plan(t.Context(), "0001")
		if err != nil {
			t.Fatal(err)
		}
		db.policy.beforeCommit = func() { db.policy.beforeCommit = nil; terminate(t, raw) }
		result, err := db.Migrate(t.Context(), p, nil)
		var doubt *InDoubtError
		if !errors.As(err, &doubt) || !doubt.Asked || doubt.Committed || result.To != "" {
			t.Errorf("%+v, %v", result, err)
		}
		resumes(t, raw, "")
	})
}

// slowAt12 returns a session on a database at 0011 that, alone, needs long to rewrite the table group.
func slowAt12(t *testing.T, raw string) *DB {
	t.Helper()
	db := open(t, raw)
	to(t, db, "0011")
	exec(t, db, `CREATE SCHEMA spy; CREATE FUNCTION spy.slow(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
			$$ BEGIN PERFORM pg_sleep(coalesce(current_setting('spy.sleep', true), '0')::float); RETURN true; END $$;
		CREATE INDEX slow ON "group" (name) WHERE spy.slow(name);`+rowsOf["0001"]+rowsOf["0002"]+"SET spy.sleep = 100")
	return db
}

// TestCancelled cancels the context while a statement runs: it ends at once, and the session stays usable.
func TestCancelled(t *testing.T) {
	raw := newDatabase(t)
	db := slowAt12(t, raw)
	p, err := db.Plan(t.Context(), "head")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	started := time.Now()
	result, err := db.Migrate(ctx, p, nil)
	if fault.CodeOf(err) != fault.Interrupted || result.To != "0011" || time.Since(started) > time.Minute {
		t.Errorf("after %v: %+v, %v", time.Since(started), result, err)
	}
	execURL(t, raw, "DROP INDEX slow")
	exec(t, db, "SET spy.sleep = 0")
	if result := to(t, db, "head"); result.From != "0011" {
		t.Errorf("result %+v", result)
	}
	if _, err := db.Migrate(ctx, p, nil); err == nil {
		t.Error("a cancelled context was ignored")
	}
}

// TestLockHeldByStranger leaves a transaction open on a table, then on the run lock, and expects its holder's name.
func TestLockHeldByStranger(t *testing.T) {
	raw := newDatabase(t)
	db := open(t, raw)
	to(t, db, "0011")
	stranger := open(t, raw)
	exec(t, stranger, "SET application_name = 'stranger'; BEGIN; SELECT * FROM transfer")
	p, err := db.Plan(t.Context(), "head")
	if err != nil {
		t.Fatal(err)
	}
	waits := 0
	result, err := db.Migrate(t.Context(), p, func(e Progress) {
		if e.Phase == Waiting && len(e.Holders) == 1 && e.Holders[0].Application == "stranger" {
			waits++
		}
	})
	var locked *LockedError
	if !errors.As(err, &locked) || !strings.Contains(err.Error(), "of stranger") || waits != 2 || result.To != "0011" {
		t.Errorf("waits %d, %+v, %v", waits, result, err)
	}
	committed := make(chan error, 1)
	time.AfterFunc(300*time.Millisecond, func() {
		_, err := stranger.conn.Exec(t.Context(), "COMMIT")
		committed <- err
	})
	to(t, db, "head")
	if err := <-committed; err != nil {
		t.Error(err)
	}
	other := open(t, raw)
	exec(t, other, fmt.Sprintf("SELECT pg_advisory_lock(%d)", lockKey))
	db.policy.runLock = 300 * time.Millisecond
	if p, err = db.Plan(t.Context(), "0011"); err != nil {
		t.Fatal(err)
	}
	if _, err = db.Migrate(t.Context(), p, nil); fault.CodeOf(err) != fault.Locked || !strings.Contains(err.Error(), "of syncmaster-setup") {
		t.Errorf("error %v", err)
	}
	exec(t, stranger, "BEGIN; LOCK TABLE alembic_version")
	exec(t, db, "SET lock_timeout = '200ms'")
	if _, err = db.Plan(t.Context(), "0011"); fault.CodeOf(err) != fault.Locked || !strings.Contains(err.Error(), "of stranger") {
		t.Errorf("error %v", err)
	}
}

// TestAlembicMovesTheRevision plays Alembic, which changes its row in a transaction without any lock of its own.
func TestAlembicMovesTheRevision(t *testing.T) {
	raw := newDatabase(t)
	db := open(t, raw)
	to(t, db, "0012")
	p, err := db.Plan(t.Context(), "0011")
	if err != nil {
		t.Fatal(err)
	}
	execURL(t, raw, embedded().up["0013"].body+"UPDATE alembic_version SET version_num = '0013'")
	var moved *MovedError
	if _, err := db.Migrate(t.Context(), p, nil); err != nil {
		t.Errorf("from a later revision down to the same goal: %v", err)
	}
	if p, err = db.Plan(t.Context(), "0012"); err != nil {
		t.Fatal(err)
	}
	to(t, db, "head")
	if _, err := db.Migrate(t.Context(), p, nil); !errors.As(err, &moved) {
		t.Errorf("moved past the goal: %v", err)
	}
	compareCatalog(t, db, Head())
}
