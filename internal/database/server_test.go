package database

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const serverVariable = "SYNCMASTER_TEST_POSTGRES"

// adminURL returns the URL of a superuser on the PostgreSQL server that the tests use.
func adminURL(t testing.TB) string {
	t.Helper()
	raw := os.Getenv(serverVariable)
	if raw == "" {
		t.Fatalf("%s is not set: it must be the URL of a superuser on a PostgreSQL server that tests may use", serverVariable)
	}
	return raw
}

func randomName(t testing.TB, prefix string) string {
	t.Helper()
	b := make([]byte, 6)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return prefix + hex.EncodeToString(b)
}

// admin runs SQL as the superuser in the server's own database.
func admin(t testing.TB, sql string) {
	t.Helper()
	execURL(t, adminURL(t), sql)
}

func execURL(t testing.TB, raw, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, raw)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
		t.Fatalf("%v\nin: %s", err, sql)
	}
}

// until waits for a condition in SQL.
func until(t testing.TB, raw, condition string) {
	t.Helper()
	execURL(t, raw, `DO $$ BEGIN
		WHILE NOT (`+condition+`) LOOP PERFORM pg_stat_clear_snapshot(), pg_sleep(0.02); END LOOP; END $$`)
}

// newDatabase makes an empty database that is dropped after the test and returns the superuser's URL of it.
func newDatabase(t testing.TB) string {
	t.Helper()
	return newDatabaseFrom(t, "template0")
}

func newDatabaseFrom(t testing.TB, template string) string {
	t.Helper()
	name := randomName(t, "smmig_")
	admin(t, "CREATE DATABASE "+name+" TEMPLATE "+template)
	t.Cleanup(func() {
		admin(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+name+"'")
		admin(t, "DROP DATABASE IF EXISTS "+name)
	})
	return withPath(t, adminURL(t), name)
}

func withPath(t testing.TB, raw, name string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

func withUser(t testing.TB, raw, user, password string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(user, password)
	return u.String()
}

func databaseName(t testing.TB, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(u.Path, "/")
}

// open connects through the package under test.
func open(t testing.TB, raw string) *DB {
	t.Helper()
	target, err := ParseURL(raw)
	if err != nil {
		t.Fatal(err)
	}
	db, err := Connect(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	db.policy.runLock, db.policy.tableLock, db.policy.tries = 10*time.Second, 200*time.Millisecond, 3
	db.policy.longest = 200 * time.Millisecond
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	return db
}

// to migrates and fails the test where that fails.
func to(t testing.TB, db *DB, revision string) Result {
	t.Helper()
	p, err := db.Plan(t.Context(), revision)
	if err != nil {
		t.Fatalf("planning %s: %v", revision, err)
	}
	result, err := db.Migrate(t.Context(), p, nil)
	if err != nil {
		t.Fatalf("migrating to %s: %v", revision, err)
	}
	return result
}

func exec(t testing.TB, db *DB, sql string) {
	t.Helper()
	if _, err := db.conn.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
		t.Fatalf("%v\nin: %s", err, sql)
	}
}

// value returns the one value of a query.
func value(t testing.TB, db *DB, sql string) string {
	t.Helper()
	results, err := db.conn.PgConn().Exec(t.Context(), sql).ReadAll()
	if err != nil {
		t.Fatalf("%v\nin: %s", err, sql)
	}
	return firstValue(results)
}

// snapshot describes everything that a failed migration must leave alone.
func snapshot(t testing.TB, db *DB) string {
	t.Helper()
	_, text, err := db.readCatalog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rows, err := readVersions(t.Context(), db.conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + strings.Join(rows, ",")
}
