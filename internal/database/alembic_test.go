package database

import (
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// These tests run Debian's alembic against the same database, with an environment of SyncMaster's revision ids.

// systemPython is the one that the distribution's packages are made for.
const systemPython = "/usr/bin/python3"

const alembicEnv = `
import os
from alembic import context
from sqlalchemy import create_engine, pool
engine = create_engine(os.environ["ALEMBIC_URL"], poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=None)
    with context.begin_transaction():
        context.run_migrations()
`

const alembicRevision = `
from alembic import op
revision, down_revision = %q, %s
def upgrade():
    op.get_bind().exec_driver_sql(%q)
def downgrade():
    op.get_bind().exec_driver_sql(%q)
`

// newAlembic returns a function that runs alembic with SyncMaster's revision ids on a database.
func newAlembic(t *testing.T, raw string) func(args ...string) (string, error) {
	t.Helper()
	if output, err := osexec.Command(systemPython, "-c", "import alembic, psycopg2").CombinedOutput(); err != nil {
		t.Fatalf("%v: install the packages python3-alembic and python3-psycopg2; test/run does that\n%s", err, output)
	}
	dir := t.TempDir()
	files := map[string]string{"env.py": alembicEnv, "alembic.ini": "[alembic]\nscript_location = " + dir + "\n"}
	previous := "None"
	for _, r := range Revisions() {
		files["versions/"+r.ID+".py"] = fmt.Sprintf(alembicRevision, r.ID, previous, embedded().up[r.ID].body, embedded().down[r.ID].body)
		previous = fmt.Sprintf("%q", r.ID)
	}
	if err := os.Mkdir(filepath.Join(dir, "versions"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func(args ...string) (string, error) {
		command := osexec.CommandContext(t.Context(), systemPython, append([]string{"-m", "alembic", "-c", filepath.Join(dir, "alembic.ini")}, args...)...)
		command.Env = append(os.Environ(), "ALEMBIC_URL="+strings.Replace(raw, "postgres://", "postgresql://", 1))
		output, err := command.CombinedOutput()
		return string(output), err
	}
}

func TestAlembicAndWeInTurn(t *testing.T) {
	raw := newDatabase(t)
	alembic := newAlembic(t, raw)
	must := func(args ...string) string {
		t.Helper()
		output, err := alembic(args...)
		if err != nil {
			t.Fatalf("alembic %v: %v\n%s", args, err, output)
		}
		return output
	}
	db := open(t, raw)
	must("upgrade", "0005")
	compareCatalog(t, db, "0005")
	theirs := versionTableOf(t, db)
	if result := to(t, db, "0009"); result.From != "0005" {
		t.Errorf("result %+v", result)
	}
	must("upgrade", "head")
	compareCatalog(t, db, Head())
	if result := to(t, db, "head"); len(result.Applied) != 0 {
		t.Errorf("after Alembic: %+v", result)
	}
	must("downgrade", "0011")
	to(t, db, "head")
	before := snapshot(t, db)
	must("upgrade", "head")
	if output := must("current"); !strings.Contains(output, Head()+" (head)") || snapshot(t, db) != before {
		t.Errorf("at head Alembic had something to do: %s", output)
	}
	to(t, db, "base")
	must("upgrade", "head")
	must("downgrade", "base")
	to(t, db, "head")
	compareCatalog(t, db, Head())
	other := open(t, newDatabase(t))
	to(t, other, "0001")
	if ours := versionTableOf(t, other); ours != theirs {
		t.Errorf("alembic_version, made by Alembic:\n%s\nmade by us:\n%s", theirs, ours)
	}
}

// versionTableOf describes alembic_version: columns, constraints, indexes, storage and rights.
func versionTableOf(t *testing.T, db *DB) string {
	t.Helper()
	return value(t, db, `SELECT concat_ws(E'\n', relpersistence, relkind, reloptions::text, relacl::text,
		(SELECT string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull, attcollation::regcollation, attidentity, atthasdef), ', ' ORDER BY attnum)
			FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0),
		(SELECT string_agg(conname || ' ' || pg_get_constraintdef(oid), ', ' ORDER BY conname) FROM pg_constraint WHERE conrelid = c.oid),
		(SELECT string_agg(pg_get_indexdef(indexrelid), ', ' ORDER BY indexrelid::regclass::text) FROM pg_index WHERE indrelid = c.oid))
		FROM pg_class c WHERE oid = 'public.alembic_version'::regclass`)
}

func TestAlembicAndWeAtOnce(t *testing.T) {
	for range 3 {
		raw := newDatabase(t)
		alembic := newAlembic(t, raw)
		db := open(t, raw)
		to(t, db, "0001") // two that create Alembic's table at once is a race of Alembic's own
		type outcome struct {
			output string
			err    error
		}
		done := make(chan outcome, 1)
		go func() {
			output, err := alembic("upgrade", "head")
			done <- outcome{output, err}
		}()
		db.policy.tries = 300 // Alembic keeps its locks for all of its revisions
		theirs, rounds := outcome{}, 0
		for running := true; running; rounds++ {
			to(t, db, []string{"head", "0004"}[rounds%2])
			select {
			case theirs = <-done:
				running = false
			default:
			}
		}
		drift, err := db.Check(t.Context())
		if err != nil || len(drift.Differences) > 0 {
			t.Errorf("%s: %s, %v", drift.Revision, drift, err)
		}
		if theirs.err != nil {
			t.Errorf("alembic: %v\n%s", theirs.err, theirs.output)
		}
		t.Logf("%d times up or down beside one run of Alembic", rounds)
	}
}
