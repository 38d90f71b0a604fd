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
		if _, err := db.Stamp(t.Context(), "0012", false); !errors.As(err, &refused) {
			t.Errorf("%v: stamp: %v", c.ids, err)
		}
		if snapshot(t, db) != before {
			t.Errorf("%v: something was changed", c.ids)
		}
	}
	if _, err := db.Stamp(t.Context(), "0012", true); err != nil {
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

// TestDriftSaysWhatMends runs the SQL that the check proposes and expects no difference afterwards.
func TestDriftSaysWhatMends(t *testing.T) {
	cases := []string{
		"DROP INDEX ix__run__type", `DROP INDEX "ix__user__username"`, "ALTER TABLE run DROP CONSTRAINT fk__run__transfer_id__transfer",
		"ALTER TABLE run DROP COLUMN log_url", "ALTER TABLE queue ALTER COLUMN slug TYPE varchar(300)",
		"ALTER TABLE auth_data ADD COLUMN note text", "DROP TABLE apscheduler_jobs", "CREATE INDEX mine ON run (log_url)",
		"DROP EXTENSION pg_trgm", "DROP SEQUENCE task_id_sequence", `ALTER TABLE "group" DROP COLUMN search_vector`,
	}
	db := open(t, newDatabase(t))
	to(t, db, "head")
	for _, sql := range cases {
		exec(t, db, sql)
		drift, err := db.Check(t.Context())
		if err != nil || len(drift.Differences) == 0 || drift.Known() != "" {
			t.Fatalf("%s: %v, %v", sql, drift, err)
		}
		for _, d := range drift.Differences {
			if d.Kind == "index" && len(drift.Differences) > 1 { // made with its table
				continue
			}
			exec(t, db, d.SQL)
		}
		if drift, err = db.Check(t.Context()); err != nil || len(unindexed(drift)) > 0 {
			t.Errorf("%s: after mending: %v, %v", sql, drift, err)
		}
		exec(t, db, "CREATE INDEX IF NOT EXISTS ix_apscheduler_jobs_next_run_time ON apscheduler_jobs (next_run_time)")
	}
}

func unindexed(d Drift) []Difference {
	var list []Difference
	for _, x := range d.Differences {
		if x.Kind != "index" {
			list = append(list, x)
		}
	}
	return list
}

func TestDatabaseOfRelease020(t *testing.T) {
	db := open(t, newDatabase(t))
	to(t, db, "0011")
	exec(t, db, `ALTER TABLE connection ALTER COLUMN type TYPE varchar(23); ALTER TABLE "group" ALTER COLUMN search_vector DROP EXPRESSION;
		ALTER TABLE "group" DROP COLUMN search_vector; ALTER TABLE "group" ALTER COLUMN name TYPE varchar(256);
		ALTER TABLE "group" ADD COLUMN search_vector tsvector GENERATED ALWAYS AS (to_tsvector('english'::regconfig, name)) STORED NOT NULL`)
	exec(t, db, rowsOf["0001"]+rowsOf["0002"])
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
	exec(t, db, `INSERT INTO "group" (name, description, owner_id) VALUES (repeat('x', 129), '', 1)`)
	before := snapshot(t, db)
	if _, err := db.Repair(t.Context()); fault.CodeOf(err) != fault.Refused || !strings.Contains(err.Error(), "group 3 has a name of 129") {
		t.Errorf("repair of a long name: %v", err)
	}
	if snapshot(t, db) != before {
		t.Error("a refused repair changed something")
	}
	exec(t, db, `DELETE FROM "group" WHERE id = 3`)
	if statements, err := db.Repair(t.Context()); err != nil || len(statements) != 4 {
		t.Errorf("repair: %v, %v", statements, err)
	}
	compareCatalog(t, db, "0011")
	if statements, err := db.Repair(t.Context()); err != nil || len(statements) != 0 {
		t.Errorf("second repair: %v, %v", statements, err)
	}
	to(t, db, "head")
	compareCatalog(t, db, Head())
}

func TestStampOnlyWithProof(t *testing.T) {
	db := open(t, newDatabase(t))
	to(t, db, "0012")
	exec(t, db, "DROP TABLE alembic_version")
	var refused *DriftError
	if _, err := db.Stamp(t.Context(), "0011", false); !errors.As(err, &refused) || fault.CodeOf(err) != fault.Refused {
		t.Errorf("stamp 0011: %v", err)
	}
	if got := value(t, db, "SELECT coalesce(to_regclass('alembic_version')::text, '')"); got != "" {
		t.Error("the refused stamp made a table")
	}
	if _, err := db.Stamp(t.Context(), "0012", false); err != nil {
		t.Errorf("stamp 0012: %v", err)
	}
	if result := to(t, db, "head"); result.From != "0012" {
		t.Errorf("result %+v", result)
	}
	if _, err := db.Stamp(t.Context(), "0011", true); err != nil || value(t, db, "SELECT version_num FROM alembic_version") != "0011" {
		t.Errorf("forced stamp: %v", err)
	}
}

// TestLeastPrivilege migrates as a role that owns nothing but its database, with settings made to hinder.
func TestLeastPrivilege(t *testing.T) {
	raw := newDatabase(t)
	role, name := randomName(t, "smmig_role_"), databaseName(t, raw)
	admin(t, fmt.Sprintf(`CREATE ROLE %[1]s LOGIN PASSWORD 'p@ss:/%%'; ALTER DATABASE %[2]s OWNER TO %[1]s;
		ALTER ROLE %[1]s SET default_transaction_read_only = on; ALTER ROLE %[1]s SET statement_timeout = '1ms';
		ALTER ROLE %[1]s SET search_path = pg_catalog; ALTER ROLE %[1]s SET standard_conforming_strings = off;
		ALTER ROLE %[1]s SET default_transaction_isolation = 'serializable'; ALTER ROLE %[1]s SET lock_timeout = '1ms'`, role, name))
	t.Cleanup(func() {
		admin(t, "DROP DATABASE "+name+" WITH (FORCE)")
		admin(t, "DROP ROLE "+role)
	})
	db := open(t, withUser(t, raw, role, "p@ss:/%"))
	if db.version < 150000 {
		execURL(t, raw, "ALTER SCHEMA public OWNER TO "+role)
	}
	to(t, db, "head")
	compareCatalog(t, db, Head())
	if f, err := db.Observe(t.Context()); err != nil || f.Superuser || !f.DatabaseOwner || !f.ReadOnly || f.SystemIdentifier == "" {
		t.Errorf("%+v, %v", f, err)
	}
	to(t, db, "base")
	compareCatalog(t, db, "")
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
	if err != nil {
		t.Log("NOT RUN over IPv6, which this machine does not have: ", err)
	} else {
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
