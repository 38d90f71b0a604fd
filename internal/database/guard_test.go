package database

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"syncmaster-setup/internal/fault"
)

// TestNobodyAskedForTheseRows lets rows come in between the plan of a downgrade, which is what a user agrees to, and the
// run: by another migration, by an application, and by an application that the run has to wait for.
func TestNobodyAskedForTheseRows(t *testing.T) {
	refused := func(t *testing.T, db *DB, p Plan, want string) {
		t.Helper()
		before := snapshot(t, db) + rowCounts(t, db)
		result, err := db.Migrate(t.Context(), p, nil)
		var loss *LossError
		if !errors.As(err, &loss) || fault.CodeOf(err) != fault.Refused || !strings.Contains(err.Error(), want) || !strings.Contains(fault.HintOf(err), "run again") {
			t.Errorf("%v, hint %q", err, fault.HintOf(err))
		}
		if after := snapshot(t, db) + rowCounts(t, db); after != before || len(result.Applied) > 0 {
			t.Errorf("%+v; before:\n%s\nafter:\n%s", result, before, after)
		}
	}
	t.Run("a revision that came after the plan", func(t *testing.T) {
		raw := newDatabase(t)
		db := open(t, raw)
		to(t, db, "0005")
		p, err := db.Plan(t.Context(), "0004")
		if err != nil {
			t.Fatal(err)
		}
		other := open(t, raw)
		to(t, other, "0009")
		refused(t, db, p, "another program has brought the database to revision 0009")
	})
	t.Run("rows that came after the plan", func(t *testing.T) {
		raw := newDatabase(t)
		db := open(t, raw)
		to(t, db, "0002")
		exec(t, db, rowsOf["0001"])
		p, err := db.Plan(t.Context(), "0001")
		if err != nil || p.Steps[0].Drops[0].Rows != 0 {
			t.Fatalf("%+v, %v", p, err)
		}
		execURL(t, raw, rowsOf["0002"])
		refused(t, db, p, "undoing revision 0002 would delete 2 rows of group, and 0 were there")
		if p, err = db.Plan(t.Context(), "0001"); err != nil {
			t.Fatal(err)
		}
		if result, err := db.Migrate(t.Context(), p, nil); err != nil || result.To != "0001" {
			t.Errorf("counted anew: %+v, %v", result, err)
		}
	})
	t.Run("rows that are committed while the run waits", func(t *testing.T) {
		raw := newDatabase(t)
		db := open(t, raw)
		to(t, db, "0002")
		p, err := db.Plan(t.Context(), "base")
		if err != nil {
			t.Fatal(err)
		}
		application := open(t, raw)
		exec(t, application, "BEGIN;"+rowsOf["0001"])
		db.policy.tries, db.policy.tableLock = 100, 5*time.Second
		done := make(chan error, 1)
		go func() {
			_, err := db.Migrate(t.Context(), p, nil)
			done <- err
		}()
		until(t, raw, `EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'public."user"'::regclass)`)
		exec(t, application, "COMMIT")
		var loss *LossError
		if err := <-done; !errors.As(err, &loss) || loss.Table != "user" || loss.Rows != 2 || fault.CodeOf(err) != fault.Refused {
			t.Errorf("%+v, %v", loss, err)
		}
		if got := value(t, db, `SELECT (SELECT count(*) FROM "user") || ' ' || version_num FROM alembic_version`); got != "2 0001" {
			t.Errorf("rows and revision: %s", got) // 0002, which was empty, is undone
		}
	})
}

// TestStampProvesUnderItsLocks commits a migration while a stamp waits for the lock: its proof is then of the schema
// after that.
func TestStampProvesUnderItsLocks(t *testing.T) {
	raw := newDatabase(t)
	db := open(t, raw)
	to(t, db, "0002")
	other := open(t, raw)
	exec(t, other, fmt.Sprintf("SELECT pg_advisory_lock(%d)", lockKey))
	done := make(chan error, 1)
	waits := make(chan Progress, 100)
	go func() {
		_, err := db.Stamp(t.Context(), "0002", false, func(e Progress) { waits <- e })
		done <- err
	}()
	if e := <-waits; e.Phase != Waiting || len(e.Holders) != 1 {
		t.Errorf("%+v", e)
	}
	execURL(t, raw, embedded().up["0003"].body+"UPDATE alembic_version SET version_num = '0003'")
	exec(t, other, fmt.Sprintf("SELECT pg_advisory_unlock(%d)", lockKey))
	var refused *DriftError
	if err := <-done; !errors.As(err, &refused) || fault.CodeOf(err) != fault.Refused {
		t.Errorf("stamped: %v", err)
	}
	compareCatalog(t, db, "0003")
	if got := value(t, db, "SELECT version_num FROM alembic_version"); got != "0003" {
		t.Errorf("at %s", got)
	}
}

// TestServerTooOld pretends that the server has no generated columns, whose catalogue cannot be read.
func TestServerTooOld(t *testing.T) {
	db := open(t, newDatabase(t))
	db.version = 110022
	_, planned := db.Plan(t.Context(), "head")
	_, checked := db.Check(t.Context())
	_, stamped := db.Stamp(t.Context(), "base", false, nil)
	_, repaired := db.Repair(t.Context(), nil)
	for name, err := range map[string]error{"plan": planned, "check": checked, "stamp": stamped, "repair": repaired} {
		if fault.CodeOf(err) != fault.Refused || !strings.Contains(fmt.Sprint(err), "PostgreSQL 11 is too old for SyncMaster") || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestExtensionOfAnother goes back past the revision that drops an extension which a superuser made.
func TestExtensionOfAnother(t *testing.T) {
	raw := newDatabase(t)
	role := newRole(t, raw)
	execURL(t, raw, "GRANT CREATE ON SCHEMA public TO "+role+"; CREATE EXTENSION pg_trgm")
	db := open(t, withUser(t, raw, role, "x"))
	to(t, db, "head")
	_, err := db.Plan(t.Context(), "0009")
	if fault.CodeOf(err) != fault.Refused || !strings.Contains(fmt.Sprint(err), "does not own the extension pg_trgm") {
		t.Errorf("planned: %v", err)
	}
	to(t, db, "0010")
	compareCatalog(t, db, "0010")
}

// newRole makes a role that may do nothing yet, with the password x.
func newRole(t *testing.T, raw string) string {
	t.Helper()
	role, name := randomName(t, "smmig_role_"), databaseName(t, raw)
	admin(t, "CREATE ROLE "+role+" LOGIN PASSWORD 'x'")
	t.Cleanup(func() {
		admin(t, "DROP DATABASE "+name+" WITH (FORCE)")
		admin(t, "DROP ROLE "+role)
	})
	return role
}

func TestExtensionAvailable(t *testing.T) {
	raw := newDatabase(t)
	db := open(t, withUser(t, raw, newRole(t, raw), "x")) // no right at all
	for name, want := range map[string]bool{"pg_trgm": true, "nobody_has_this": false, "it's": false} {
		if got, err := db.extensionAvailable(t.Context(), name); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", name, got, err, want)
		}
	}
}

// TestTrigramThatCannotBeMade are servers that the tests do not have.
func TestTrigramThatCannotBeMade(t *testing.T) {
	able := Facts{ServerVersion: 170000, CanCreate: true, CanCreateDB: true, TrigramAvailable: true}
	cases := []struct {
		name string
		edit func(*Facts)
		want string
	}{
		{"all is well", func(*Facts) {}, ""},
		{"no contrib package", func(f *Facts) { f.TrigramAvailable = false }, "does not have the extension pg_trgm"},
		{"12, where no role but a superuser may", func(f *Facts) { f.ServerVersion = 120022 }, "may not create the extension pg_trgm"},
		{"12 as a superuser", func(f *Facts) { f.ServerVersion, f.Superuser = 120022, true }, ""},
		{"12 where it is there", func(f *Facts) { f.ServerVersion, f.Trigram = 120022, true }, ""},
	}
	for _, c := range cases {
		f := able
		c.edit(&f)
		err := Plan{To: Head(), Steps: steps("", Head(), f), Facts: f}.check()
		if (c.want == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestSessionsThatAreHidden looks at a dump of a superuser with the rights of SyncMaster's role, and at a session of its
// own that has forgotten its transaction.
func TestSessionsThatAreHidden(t *testing.T) {
	raw := newDatabase(t)
	role := newRole(t, raw)
	execURL(t, raw, "GRANT CREATE ON SCHEMA public TO "+role+"; CREATE EXTENSION pg_trgm")
	db := open(t, withUser(t, raw, role, "x"))
	to(t, db, "0011")
	dump, forgotten := open(t, raw), open(t, withUser(t, raw, role, "x"))
	exec(t, dump, "SET application_name = 'pg_dump'; BEGIN ISOLATION LEVEL REPEATABLE READ; LOCK TABLE transfer IN ACCESS SHARE MODE")
	exec(t, forgotten, "SET application_name = 'psql'; BEGIN; SELECT 1")
	wait(t, 1100*time.Millisecond)
	facts, err := db.Observe(t.Context())
	if err != nil || len(facts.Sessions) != 2 {
		t.Fatalf("%+v, %v", facts.Sessions, err)
	}
	own, other := facts.Sessions[0].String(), facts.Sessions[1].String()
	if !strings.Contains(own, "of psql, user "+role+", idle in transaction, for 1s") && !strings.Contains(own, "for 2s") {
		t.Errorf("own session: %s", own)
	}
	if !strings.HasSuffix(other, "of pg_dump, user postgres, for how long is not visible to this user") {
		t.Errorf("other's session: %s", other)
	}
	if names, err := db.TableHolders(t.Context(), 300*time.Millisecond); err != nil || len(names) != 1 || !strings.Contains(names[0], "pg_dump") {
		t.Errorf("%v, %v", names, err)
	}
	exec(t, dump, "COMMIT")
	admin(t, "GRANT pg_read_all_stats TO "+role)
	if facts, err = db.Observe(t.Context()); err != nil || facts.Sessions[0].Hidden || facts.Sessions[1].Hidden {
		t.Errorf("with the right: %+v, %v", facts.Sessions, err)
	}
}

// TestOnlyBlockersAreNamed lets four others hold locks: the revision waits for one of them, and for a transaction that
// nobody is connected to any more.
func TestOnlyBlockersAreNamed(t *testing.T) {
	raw := newDatabase(t)
	db := open(t, raw)
	to(t, db, "0006")
	for name, sql := range map[string]string{
		"elsewhere": "SELECT FROM auth_data", "reader": `SELECT FROM "group"`,
		"writer": `INSERT INTO queue (name, slug, group_id, description) SELECT 'q', '1-q', id, '' FROM "group"`,
	} {
		exec(t, open(t, raw), "SET application_name = '"+name+"'; BEGIN; "+sql)
	}
	want := []string{"writer"}
	if value(t, db, "SHOW max_prepared_transactions") != "0" {
		execURL(t, raw, "BEGIN; LOCK TABLE connection IN ROW EXCLUSIVE MODE; PREPARE TRANSACTION 'forgotten'")
		defer execURL(t, raw, "ROLLBACK PREPARED 'forgotten'")
		want = append(want, "forgotten")
	}
	p, err := db.Plan(t.Context(), "head")
	if err != nil {
		t.Fatal(err)
	}
	var waited []Progress
	_, err = db.Migrate(t.Context(), p, func(e Progress) {
		if e.Phase == Waiting {
			waited = append(waited, e)
		}
	})
	if fault.CodeOf(err) != fault.Locked || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "SQLSTATE") {
		t.Errorf("error %v", err)
	}
	if len(waited) == 0 || waited[0].Revision != "0007" || len(waited[0].Holders) != len(want) {
		t.Fatalf("%+v", waited)
	}
	for _, name := range want {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named: %v", name, err)
		}
	}
	for _, name := range []string{"elsewhere", "reader"} {
		if strings.Contains(err.Error(), name) {
			t.Errorf("%s is accused: %v", name, err)
		}
	}
}

// TestSessionKeepsItself looks at what the session was given against networks that only go silent.
func TestSessionKeepsItself(t *testing.T) {
	db := open(t, newDatabase(t))
	want := "10 5 3 25000"
	if got := value(t, db, `SELECT string_agg(setting, ' ' ORDER BY array_position('{tcp_keepalives_idle,tcp_keepalives_interval,tcp_keepalives_count,tcp_user_timeout}', name))
		FROM pg_settings WHERE name LIKE 'tcp\_%'`); got != want {
		t.Errorf("%s instead of %s", got, want)
	}
}
