package database

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"syncmaster-setup/internal/fault"
)

func TestRevisionsThatAreRefused(t *testing.T) {
	cases := []struct {
		kind RevisionKind
		ids  []string
		hint string
	}{
		{Newer, []string{"0014"}, "a newer SyncMaster"},
		{Foreign, []string{"8f3a2b1c9d0e"}, "SyncMaster 0.1"},
		{Foreign, []string{"0000"}, "SyncMaster 0.1"},
		{Multiple, []string{"0011", "0012"}, "delete the row"},
	}
	db := open(t, newDatabase(t))
	to(t, db, "0012")
	for _, c := range cases {
		exec(t, db, "DELETE FROM alembic_version; INSERT INTO alembic_version VALUES ('"+strings.Join(c.ids, "'), ('")+"')")
		before := snapshot(t, db)
		_, err := db.Plan(t.Context(), "head")
		var refused *RevisionError
		if !errors.As(err, &refused) || refused.Kind != c.kind || fault.CodeOf(err) != fault.Refused {
			t.Errorf("%v: %v", c.ids, err)
		}
		if !strings.Contains(fault.HintOf(err), c.hint) {
			t.Errorf("%v: hint %q", c.ids, fault.HintOf(err))
		}
		if _, err := db.Stamp(t.Context(), "0012", false, nil); !errors.As(err, &refused) {
			t.Errorf("%v: stamp: %v", c.ids, err)
		}
		if snapshot(t, db) != before {
			t.Errorf("%v: something was changed", c.ids)
		}
	}
	if _, err := db.Stamp(t.Context(), "0012", true, nil); err != nil {
		t.Error(err)
	}
	compareCatalog(t, db, "0012")
	if _, err := db.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestGoalsThatAreRefused(t *testing.T) {
	db := open(t, newDatabase(t))
	for _, goal := range []string{"", "0014", "+14", "-1", "+x", "-", "latest", "12"} {
		if _, err := db.Plan(t.Context(), goal); fault.CodeOf(err) != fault.BadInput {
			t.Errorf("goal %q: %v", goal, err)
		}
	}
}

func TestSchemasThatAreRefused(t *testing.T) {
	cases := []struct{ name, at, sql, want string }{
		{"another application's", "base", "CREATE TABLE orders (id int)", "tables that are not SyncMaster's: orders"},
		{"without a revision", "0003", "DELETE FROM alembic_version", "table queue is not part of this revision"},
		{"a column is missing", "0008", "ALTER TABLE run DROP COLUMN log_url", "column run.log_url is missing"},
		{"a constraint is missing", "0008", "ALTER TABLE run DROP CONSTRAINT fk__run__transfer_id__transfer", "constraint run.fk__run__transfer_id__transfer is missing"},
		{"an index is missing", "0008", "DROP INDEX ix__run__type", "index ix__run__type is missing"},
		{"a revision too far", "0011", "UPDATE alembic_version SET version_num = '0012'", "column connection.search_vector is"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			db := open(t, newDatabase(t))
			to(t, db, c.at)
			exec(t, db, c.sql)
			before := snapshot(t, db)
			_, err := db.Plan(t.Context(), "head")
			if fault.CodeOf(err) != fault.Refused || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v", err)
			}
			if snapshot(t, db) != before {
				t.Error("something was changed")
			}
		})
	}
}

// TestDriftSaysWhatMends runs the SQL that the check proposes, in its order, with rows in every table, and expects no
// difference afterwards and every row that the change itself has left.
func TestDriftSaysWhatMends(t *testing.T) {
	const spoil = `ALTER TABLE "group" DROP COLUMN search_vector; ALTER TABLE "group" ALTER COLUMN name TYPE varchar(300);
		ALTER TABLE "group" ADD COLUMN search_vector tsvector GENERATED ALWAYS AS (to_tsvector('simple'::regconfig, name)) STORED NOT NULL`
	cases := []string{
		"DROP INDEX ix__run__type", `DROP INDEX "ix__user__username"`, "CREATE INDEX mine ON run (log_url)",
		"DROP INDEX ix__run__type; CREATE INDEX ix__run__type ON run (status, type)",
		"ALTER TABLE run DROP CONSTRAINT fk__run__transfer_id__transfer",
		"ALTER TABLE run DROP CONSTRAINT fk__run__transfer_id__transfer; ALTER TABLE run ADD CONSTRAINT fk__run__transfer_id__transfer FOREIGN KEY (transfer_id) REFERENCES transfer (id)",
		"ALTER TABLE run DROP CONSTRAINT pk__run", "ALTER TABLE transfer DROP CONSTRAINT pk__transfer CASCADE",
		"ALTER TABLE queue DROP CONSTRAINT uq__queue__slug; ALTER TABLE queue ADD CONSTRAINT uq__queue__slug UNIQUE (slug, group_id)",
		"ALTER TABLE run ADD CONSTRAINT mine CHECK (id > 0)",
		"ALTER TABLE run DROP COLUMN log_url", "ALTER TABLE auth_data ADD COLUMN note text",
		"ALTER TABLE queue ALTER COLUMN slug TYPE varchar(300)", "ALTER TABLE run ALTER COLUMN log_url TYPE text",
		`ALTER TABLE "user" ALTER COLUMN created_at DROP NOT NULL`, `UPDATE "user" SET email = 'x'; ALTER TABLE "user" ALTER COLUMN email SET NOT NULL`,
		"ALTER TABLE run ALTER COLUMN created_at DROP DEFAULT", "ALTER TABLE run ALTER COLUMN log_url SET DEFAULT 'x'",
		"ALTER TABLE run ALTER COLUMN updated_at SET DEFAULT clock_timestamp()",
		"ALTER TABLE run ALTER COLUMN started_at TYPE timestamp",
		"UPDATE run SET started_at = now(); ALTER TABLE run ALTER COLUMN started_at TYPE text; ALTER TABLE run ALTER COLUMN started_at SET DEFAULT 'never', ALTER COLUMN started_at SET NOT NULL",
		"ALTER TABLE run ALTER COLUMN id TYPE integer", "ALTER TABLE run ALTER COLUMN id DROP DEFAULT; ALTER TABLE run ALTER COLUMN id TYPE text",
		"DROP SEQUENCE run_id_seq CASCADE", "DROP SEQUENCE task_id_sequence", "ALTER SEQUENCE run_id_seq INCREMENT 2 OWNED BY NONE",
		"ALTER SEQUENCE task_id_sequence AS integer START 5",
		"ALTER TABLE run ALTER COLUMN id DROP DEFAULT; DROP SEQUENCE run_id_seq; ALTER TABLE run ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY",
		spoil, spoil + "; ALTER TABLE \"group\" DROP COLUMN search_vector",
		`ALTER TABLE connection ALTER COLUMN search_vector DROP EXPRESSION; ALTER TABLE connection ALTER COLUMN name TYPE varchar(200)`,
		`ALTER TABLE "group" DROP COLUMN search_vector`, "ALTER TABLE transfer DROP COLUMN search_vector",
		"ALTER TABLE run DROP COLUMN type; ALTER TABLE run ADD COLUMN type varchar(64) GENERATED ALWAYS AS (status) STORED NOT NULL",
		"DROP TABLE apscheduler_jobs", "DROP TABLE celery_taskmeta", "DROP TABLE run", "TRUNCATE transfer CASCADE; DROP TABLE transfer CASCADE", `TRUNCATE "user" CASCADE; DROP TABLE connection, "group", queue, transfer, run CASCADE`,
		"DROP EXTENSION pg_trgm", "DROP TABLE user_group, auth_data, run; DROP EXTENSION pg_trgm",
	}
	db := open(t, newDatabase(t))
	fill(t, db)
	for _, sql := range cases {
		t.Run(sql, func(t *testing.T) {
			exec(t, db, "BEGIN")
			defer exec(t, db, "ROLLBACK")
			exec(t, db, sql)
			before := rowCounts(t, db)
			drift, err := db.Check(t.Context())
			if err != nil || len(drift.Differences) == 0 || drift.Known() != "" {
				t.Fatalf("%v, %v", drift, err)
			}
			for _, d := range drift.Differences {
				exec(t, db, d.SQL)
			}
			if drift, err = db.Check(t.Context()); err != nil || len(drift.Differences) > 0 {
				t.Errorf("after mending: %v, %v", drift, err)
			}
			if after := rowCounts(t, db); !strings.HasPrefix(after, before) && !strings.Contains(sql, "DROP TABLE") {
				t.Errorf("rows before %s, after %s", before, after)
			}
			exec(t, db, "INSERT INTO run (transfer_id, status, type, transfer_dump) SELECT id, 'CREATED', 'MANUAL', '{}' FROM transfer")
		})
	}
}

// TestDriftOfALaterSchema runs what the check proposes for a schema that is further than alembic_version says.
func TestDriftOfALaterSchema(t *testing.T) {
	db := open(t, newDatabase(t))
	to(t, db, "head")
	exec(t, db, "UPDATE alembic_version SET version_num = '0001'")
	drift, err := db.Check(t.Context())
	if err != nil || len(drift.Unexplained()) == 0 {
		t.Fatalf("%v, %v", drift, err)
	}
	for _, d := range drift.Unexplained() {
		exec(t, db, d.SQL)
	}
	if drift, err = db.Check(t.Context()); err != nil || len(drift.Unexplained()) > 0 {
		t.Errorf("after mending: %v, %v", drift.Unexplained(), err)
	}
}

// fill brings a database to head with rows in every table.
func fill(t testing.TB, db *DB) {
	t.Helper()
	to(t, db, "head")
	for _, r := range Revisions() {
		exec(t, db, rowsOf[r.ID]+";")
	}
}

// rowCounts tells how many rows each table of SyncMaster has.
func rowCounts(t testing.TB, db *DB) string {
	t.Helper()
	tables := value(t, db, `SELECT coalesce(string_agg(format('SELECT %L AS name, count(*) AS n FROM %s', relname, oid::regclass), ' UNION ALL ' ORDER BY relname), '')
		FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'`)
	return value(t, db, "SELECT string_agg(name || ' ' || n, ', ' ORDER BY name) FROM ("+tables+") x")
}

// spoilAs020 gives a database at 0011 the columns that SyncMaster 0.2.0 made.
const spoilAs020 = `ALTER TABLE connection ALTER COLUMN type TYPE varchar(23); ALTER TABLE "group" DROP COLUMN search_vector;
	ALTER TABLE "group" ALTER COLUMN name TYPE varchar(256);
	ALTER TABLE "group" ADD COLUMN search_vector tsvector GENERATED ALWAYS AS (to_tsvector('english'::regconfig, name)) STORED NOT NULL;`

// typeOf25 is a connection that 0.3.x may store and 0.2.0 could not.
const typeOf25 = "INSERT INTO connection (group_id, type, name, description, data) VALUES (1, repeat('t', 25), 'long', '', '{}')"

func TestDatabaseOfRelease020(t *testing.T) {
	db := open(t, newDatabase(t))
	to(t, db, "0011")
	exec(t, db, spoilAs020+rowsOf["0001"]+rowsOf["0002"])
	for _, revision := range []string{"0011", "0012", "0013", "0011"} {
		to(t, db, revision)
		drift, err := db.Check(t.Context())
		if err != nil || drift.Known() != KnownDrift || len(drift.Unexplained()) > 0 || len(drift.Differences) != 2 {
			t.Errorf("%s: %v, %v", revision, drift, err)
		}
		if revision == "0013" {
			continue
		}
		want, _, err := fingerprintFile(embeddedFS, revision+"-created-by-0.2.0")
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := db.readCatalog(t.Context())
		if err != nil || len(differences(want, got)) > 0 {
			t.Errorf("%s: %v, %v", revision, differences(want, got), err)
		}
	}
}

// TestRepair mends a database of 0.2.0 at each revision that has its own search vector, with rows in it.
func TestRepair(t *testing.T) {
	for _, revision := range []string{"0011", "0012", "0013"} {
		t.Run(revision, func(t *testing.T) {
			db := open(t, newDatabase(t))
			to(t, db, "0011")
			exec(t, db, spoilAs020+rowsOf["0001"]+rowsOf["0002"])
			to(t, db, revision)
			if _, err := db.conn.Exec(t.Context(), typeOf25); sqlState(err) != "22001" {
				t.Errorf("a type of 25 characters: %v", err)
			}
			exec(t, db, `INSERT INTO "group" (name, description, owner_id) VALUES (repeat('x', 129), '', 1)`)
			before := snapshot(t, db)
			if _, err := db.Repair(t.Context(), nil); fault.CodeOf(err) != fault.Refused || !strings.Contains(err.Error(), "group 3 has a name of 129") {
				t.Errorf("repair of a long name: %v", err)
			}
			if snapshot(t, db) != before {
				t.Error("a refused repair changed something")
			}
			exec(t, db, `DELETE FROM "group" WHERE id = 3`)
			rows := contents(t, db, true)
			if statements, err := db.Repair(t.Context(), nil); err != nil || len(statements) != 4 {
				t.Errorf("repair: %q, %v", statements, err)
			}
			compareInSubstance(t, db, revision)
			if after := contents(t, db, true); after != rows {
				t.Errorf("rows before:\n%s\nafter:\n%s", rows, after)
			}
			exec(t, db, typeOf25)
			if statements, err := db.Repair(t.Context(), nil); err != nil || len(statements) != 0 {
				t.Errorf("second repair: %v, %v", statements, err)
			}
		})
	}
}

// TestRepairWithoutTheRight is refused, for it is one transaction: nothing is changed.
func TestRepairWithoutTheRight(t *testing.T) {
	raw := newDatabase(t)
	role := newRole(t, raw)
	db := open(t, raw)
	to(t, db, "0011")
	exec(t, db, spoilAs020+"GRANT ALL ON ALL TABLES IN SCHEMA public TO "+role)
	if _, err := open(t, withUser(t, raw, role, "x")).Repair(t.Context(), nil); fault.CodeOf(err) != fault.Refused || fault.HintOf(err) == "" {
		t.Errorf("code %d: %v", fault.CodeOf(err), err)
	}
}

func TestStampOnlyWithProof(t *testing.T) {
	db := open(t, newDatabase(t))
	to(t, db, "0012")
	exec(t, db, "DROP TABLE alembic_version")
	var refused *DriftError
	if _, err := db.Stamp(t.Context(), "0011", false, nil); !errors.As(err, &refused) || fault.CodeOf(err) != fault.Refused {
		t.Errorf("stamp 0011: %v", err)
	}
	if got := value(t, db, "SELECT coalesce(to_regclass('alembic_version')::text, '')"); got != "" {
		t.Error("the refused stamp made a table")
	}
	if _, err := db.Stamp(t.Context(), "0012", false, nil); err != nil {
		t.Errorf("stamp 0012: %v", err)
	}
	if result := to(t, db, "head"); result.From != "0012" {
		t.Errorf("result %+v", result)
	}
	if _, err := db.Stamp(t.Context(), "0011", true, nil); err != nil || value(t, db, "SELECT version_num FROM alembic_version") != "0011" {
		t.Errorf("forced stamp: %v", err)
	}
}

// TestLeastPrivilege migrates as a role that owns nothing but its database, and as one that may only create tables in
// it, with settings made to hinder.
func TestLeastPrivilege(t *testing.T) {
	for name, gift := range map[string]string{
		"owner of the database":            "ALTER DATABASE %[2]s OWNER TO %[1]s",
		"may create tables, pg_trgm there": "CREATE EXTENSION pg_trgm; REVOKE ALL ON DATABASE %[2]s FROM PUBLIC; GRANT CONNECT ON DATABASE %[2]s TO %[1]s; GRANT CREATE ON SCHEMA public TO %[1]s",
	} {
		t.Run(name, func(t *testing.T) {
			raw := newDatabase(t)
			role := newRole(t, raw)
			execURL(t, raw, fmt.Sprintf(gift, role, databaseName(t, raw)))
			admin(t, fmt.Sprintf(`ALTER ROLE %[1]s PASSWORD 'p@ss:/%%';
				ALTER ROLE %[1]s SET default_transaction_read_only = on; ALTER ROLE %[1]s SET statement_timeout = '1ms';
				ALTER ROLE %[1]s SET search_path = pg_catalog; ALTER ROLE %[1]s SET standard_conforming_strings = off;
				ALTER ROLE %[1]s SET default_transaction_isolation = 'serializable'; ALTER ROLE %[1]s SET lock_timeout = '1ms'`, role))
			db := open(t, withUser(t, raw, role, "p@ss:/%"))
			to(t, db, "head")
			compareCatalog(t, db, Head())
			f, err := db.Observe(t.Context())
			if err != nil || f.Superuser || f.DatabaseOwner != strings.HasPrefix(name, "owner") || !f.ReadOnly || f.SystemIdentifier == "" {
				t.Errorf("%+v, %v", f, err)
			}
			goal := "base"
			if !f.TrigramOwned {
				goal = "0010"
			}
			to(t, db, goal)
			compareCatalog(t, db, strings.TrimPrefix(goal, Base))
		})
	}
}

func TestRightsThatAreMissing(t *testing.T) {
	raw := newDatabase(t)
	role := randomName(t, "smmig_role_")
	admin(t, "CREATE ROLE "+role+" LOGIN PASSWORD 'x'")
	t.Cleanup(func() { admin(t, "DROP ROLE "+role) })
	execURL(t, raw, "REVOKE CREATE ON SCHEMA public FROM PUBLIC; CREATE TABLE celery_taskmeta (id int)")
	_, err := open(t, withUser(t, raw, role, "x")).Plan(t.Context(), "head")
	var problems *fault.Problems
	if !errors.As(err, &problems) || len(problems.List) != 3 {
		t.Fatalf("error %v", err)
	}
	for _, want := range []string{"may not create tables", "does not own celery_taskmeta", "may not create the extension"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

func TestConnectErrors(t *testing.T) {
	raw := newDatabase(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name, raw string
		code      fault.Code
		retryable bool
		hint      string
	}{
		{"wrong password", withUser(t, raw, "postgres", "marked-secret"), fault.BadInput, false, "user and password"},
		{"no such database", withPath(t, raw, "absent"), fault.BadInput, false, "create the database"},
		{"nothing listens", "postgresql://u:marked-secret@" + free + "/x", fault.Refused, true, "PostgreSQL runs"},
		{"no such host", "postgresql://u:marked-secret@no-such-host.invalid/x", fault.BadInput, false, "check the host"},
		{"no such socket", "postgresql://u:marked-secret@/x?host=/nonexistent", fault.Refused, true, "PostgreSQL runs"},
		{"no TLS", raw + "?ssl=require", fault.BadInput, false, "offers no TLS"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			target, err := ParseURL(c.raw)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Connect(t.Context(), target)
			if err == nil || fault.CodeOf(err) != c.code || Retryable(err) != c.retryable || !strings.Contains(fault.HintOf(err), c.hint) {
				t.Errorf("code %d, retryable %v, hint %q: %v", fault.CodeOf(err), Retryable(err), fault.HintOf(err), err)
			}
			if strings.Contains(err.Error(), "marked-secret") || strings.Contains(err.Error(), "\n") {
				t.Errorf("password or line break in %q", err)
			}
		})
	}
}

// TestAddresses reaches the server over IPv6 and over a socket, in each form that a URL can have.
func TestAddresses(t *testing.T) {
	raw := newDatabase(t)
	to(t, open(t, raw), "0001")
	dir, err := os.MkdirTemp("", "pg") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	_, u := newProxyAt(t, raw, socket)
	userinfo, path := u.User.String(), u.Path
	forms := []string{
		"postgresql+asyncpg://" + userinfo + "@" + path + "?host=" + dir,
		"postgresql://" + userinfo + "@" + url.QueryEscape(dir) + path,
		"postgresql://" + path + "?host=" + dir + "&port=5432&user=postgres&password=" + strings.TrimPrefix(userinfo, "postgres:"),
	}
	six, err := net.Listen("tcp", "[::1]:0")
	switch {
	case err != nil && os.Getenv("SYNCMASTER_TEST_NO_IPV6") != "":
		t.Log("NOT RUN over IPv6, which this machine does not have: ", err)
	case err != nil:
		t.Errorf("%v; where the machine has no IPv6, set SYNCMASTER_TEST_NO_IPV6=1", err)
	default:
		newProxyAt(t, raw, six)
		forms = append(forms, "postgresql+asyncpg://"+userinfo+"@"+six.Addr().String()+path)
	}
	for _, form := range forms {
		db := open(t, form)
		if drift, err := db.Check(t.Context()); err != nil || drift.Revision != "0001" {
			t.Errorf("%s: %v, %v", db.target, drift, err)
		}
		if err := db.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestDroppedConnections plays a container whose port is published before its server listens, and a server that ends
// between its answer that it has no TLS and the session without.
func TestDroppedConnections(t *testing.T) {
	for name, answer := range map[string]string{"at once": "", "after no to TLS": "N"} {
		t.Run(name, func(t *testing.T) { mustRetryDropped(t, answer) })
	}
}

func mustRetryDropped(t *testing.T, answer string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			request := make([]byte, 8)
			if _, err := io.ReadFull(conn, request); err == nil && binary.BigEndian.Uint32(request[4:]) == 80877103 { // it asks for TLS
				_, _ = conn.Write([]byte(answer))
			}
			_ = conn.Close()
		}
	}()
	target, err := ParseURL("postgresql://u:p@" + listener.Addr().String() + "/x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = Connect(t.Context(), target); !Retryable(err) {
		t.Errorf("not retryable: %v", err)
	}
}

// TestServerRefusals feeds in refusals that the server of the tests is not set up to give.
func TestServerRefusals(t *testing.T) {
	err := connectError(Target{}, &pgx.ScanArgError{Err: errors.New("x")})
	if Retryable(err) {
		t.Error("an unknown error is retried")
	}
	code, hint, _ := serverRefusal(codeInvalidRole, `no pg_hba.conf entry for host "::1", user "u", database "d", no encryption`)
	if code != fault.BadInput || !strings.Contains(hint, "ssl=require") {
		t.Errorf("code %d, hint %q", code, hint)
	}
	for _, state := range []string{codeCannotConnectNow, codeTooManyConnections} {
		if _, _, passing := serverRefusal(state, ""); !passing {
			t.Errorf("%s is not retried", state)
		}
	}
}
