package database

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// compareInSubstance fails unless the catalogue is that of the revision, the order of columns and the like left out.
func compareInSubstance(t *testing.T, db *DB, revision string) {
	t.Helper()
	drift, err := db.compareWith(t.Context(), revision)
	if err != nil || len(drift.Differences) > 0 {
		t.Errorf("revision %s: %s, %v", display(revision), drift, err)
	}
}

// compareCatalog fails unless the catalogue is that of the revision: byte for byte on PostgreSQL 17, whose output the
// fingerprints are, and in substance on every other major version.
func compareCatalog(t *testing.T, db *DB, revision string) {
	t.Helper()
	drift, err := db.compareWith(t.Context(), revision)
	if err != nil {
		t.Fatal(err)
	}
	if len(drift.Differences) > 0 {
		t.Errorf("revision %s: %s", display(revision), drift)
	}
	if !drift.Equal && db.version/10000 == 17 {
		t.Errorf("revision %s: the catalogue is not byte for byte the fingerprint", display(revision))
	}
}

// rowsOf fills every table of a revision with rows whose values are easy to get wrong.
var rowsOf = map[string]string{
	"0001": `INSERT INTO "user" (username, email, is_superuser, is_active) VALUES
		('o''brien', NULL, true, true), ('Пользователь', 'a@b.c', false, true);`,
	"0002": `INSERT INTO "group" (name, description, owner_id) VALUES ('Группа данных', '', 1), ('running/foxes_jump', 'x', 2);`,
	"0003": `INSERT INTO queue (name, slug, group_id, description) VALUES ('Очередь', 'queue-1', 1, ''), ('q.2', 'q-2', 2, 'x');`,
	"0004": `INSERT INTO connection (group_id, type, name, description, data) VALUES
		(1, 'postgres', 'Базы-1', '', '{"host": "db-01.example.com", "port": 5432}'),
		(2, 'iceberg', 'no host \ here', 'x', '{"url":  "x"}'), (1, 's3', 'null host', '', '{"host": null}');`,
	"0005": `INSERT INTO user_group VALUES (1, 1, 'Owner'), (2, 1, 'Guest');`,
	"0006": `INSERT INTO auth_data (connection_id, value) VALUES (1, 'gAAAAAB-token-1'), (2, 'gAAAAAB-token-2');`,
	"0007": `INSERT INTO transfer (group_id, name, description, source_connection_id, target_connection_id, strategy_params,
			source_params, target_params, transformations, resources, is_scheduled, schedule, queue_id) VALUES
		(1, 'Перенос таблиц', '', 1, 2, '{"type": "full"}', '{"table_name": "schema.table_one"}',
			'{"directory_path": "/data/out.dir"}', '[]', '{}', true, '0 * * * *', 1),
		(2, 'plain', 'x', 2, 1, '{}', '{}', '{}', '[]', '{"max_parallel_tasks": 1}', false, '', 2);`,
	"0008": `INSERT INTO run (transfer_id, started_at, status, type, transfer_dump) VALUES
		(1, '2026-01-02 03:04:05+00', 'FINISHED', 'MANUAL', '{"a": 1}'), (2, NULL, 'CREATED', 'SCHEDULED', '{}');`,
	"0009": `INSERT INTO celery_taskmeta (id, task_id, status, result) VALUES (nextval('task_id_sequence'), 'a', 'SUCCESS', '\x00ff');
		INSERT INTO celery_tasksetmeta (id, taskset_id) VALUES (nextval('taskset_id_sequence'), 'b');`,
	"0011": `INSERT INTO apscheduler_jobs VALUES ('1', 1767225600.5, '\x80');`,
}

// contents returns all rows of all tables and the sequences' values, one table or sequence a line; the search vectors
// where they are asked for.
func contents(t testing.TB, db *DB, vectors bool) string {
	t.Helper()
	tables := value(t, db, `SELECT coalesce(string_agg(format('%I', relname), ' ' ORDER BY relname), '') FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'`)
	text := value(t, db, `SELECT coalesce(string_agg(sequencename || ' ' || coalesce(last_value, 0), E'\n' ORDER BY sequencename), '')
		FROM pg_sequences WHERE schemaname = 'public'`)
	row := "to_jsonb(x) - 'search_vector'"
	if vectors {
		row = "to_jsonb(x)"
	}
	for _, name := range strings.Fields(tables) {
		text += "\n" + name + " " + value(t, db, fmt.Sprintf(
			"SELECT coalesce(jsonb_agg(%s ORDER BY to_jsonb(x)::text)::text, '') FROM %s x", row, name))
	}
	return text
}

// within returns the lines of one text that another does not have.
func within(part, whole string) []string {
	have := strings.Split(whole, "\n")
	return slices.DeleteFunc(strings.Split(part, "\n"), func(line string) bool { return slices.Contains(have, line) })
}

func TestEveryRevisionUpAndDown(t *testing.T) {
	db := open(t, newDatabase(t))
	after := map[string]string{"": contents(t, db, true)}
	last := ""
	for _, r := range Revisions() {
		before := contents(t, db, rewrites[r.ID] == nil)
		result := to(t, db, "+1")
		if len(result.Applied) != 1 || result.To != r.ID || result.Applied[0].Revision() != r.ID || !result.Applied[0].Up() {
			t.Errorf("revision %s: result %+v", r.ID, result)
		}
		compareCatalog(t, db, r.ID)
		if changed := within(before, contents(t, db, rewrites[r.ID] == nil)); last != "" && len(changed) > 0 {
			t.Errorf("revision %s changed rows, which were %q", r.ID, changed)
		}
		if sql := rowsOf[r.ID]; sql != "" {
			exec(t, db, sql)
		}
		after[r.ID], last = contents(t, db, true), r.ID
	}
	if got := value(t, db, "SELECT search_vector::text FROM connection WHERE id = 1"); !strings.Contains(got, "'баз'") || !strings.Contains(got, "'example'") {
		t.Errorf("search vector of a connection: %s", got)
	}
	all := Revisions()
	for i := len(all) - 1; i >= 0; i-- {
		previous := ""
		if i > 0 {
			previous = all[i-1].ID
		}
		result := to(t, db, "-1")
		if result.From != last || result.To != previous {
			t.Errorf("from %s to %s, result %+v", last, previous, result)
		}
		compareCatalog(t, db, previous)
		if got := contents(t, db, true); got != after[previous] {
			t.Errorf("rows at %s on the way down:\n%s\non the way up:\n%s", display(previous), got, after[previous])
		}
		last = previous
	}
}

func TestAllAtOnceAndBack(t *testing.T) {
	db := open(t, newDatabase(t))
	if result := to(t, db, "head"); len(result.Applied) != len(Revisions()) || (!result.Drift.Equal && db.version/10000 == 17) {
		t.Errorf("result %+v", result)
	}
	if result := to(t, db, "head"); len(result.Applied) != 0 {
		t.Errorf("nothing was to do, result %+v", result)
	}
	if got := value(t, db, `SELECT pg_get_constraintdef(oid) || conname FROM pg_constraint WHERE conrelid = 'alembic_version'::regclass AND contype = 'p'`); got != "PRIMARY KEY (version_num)alembic_version_pkc" {
		t.Errorf("alembic_version is not Alembic's: %s", got)
	}
	if result := to(t, db, "base"); len(result.Applied) != len(Revisions()) {
		t.Errorf("result %+v", result)
	}
	compareCatalog(t, db, "")
	if got := value(t, db, "SELECT count(*)::text FROM alembic_version"); got != "0" {
		t.Errorf("rows in alembic_version: %s", got)
	}
}

// TestRewritesHappenOnce counts the heaps that revision 0012 writes, with an event trigger.
func TestRewritesHappenOnce(t *testing.T) {
	db := open(t, newDatabase(t))
	to(t, db, "0011")
	exec(t, db, `CREATE SCHEMA spy; CREATE TABLE spy.seen (name text);
		CREATE FUNCTION spy.note() RETURNS event_trigger LANGUAGE plpgsql AS
			$$ BEGIN INSERT INTO spy.seen VALUES (pg_event_trigger_table_rewrite_oid()::regclass::text); END $$;
		CREATE EVENT TRIGGER `+databaseName(t, db.target.String())+`_spy ON table_rewrite EXECUTE FUNCTION spy.note()`)
	for _, revision := range []string{"0012", "0011"} {
		to(t, db, revision)
		if got := value(t, db, `SELECT string_agg(name, ' ' ORDER BY name COLLATE "C") FROM spy.seen`); got != `"group" connection queue transfer` {
			t.Errorf("to %s rewrote %s", revision, got)
		}
		exec(t, db, "TRUNCATE spy.seen")
	}
}

func TestRewrittenTablesAreVacuumed(t *testing.T) {
	db := open(t, newDatabase(t))
	to(t, db, "0011")
	for _, r := range Revisions()[:11] {
		exec(t, db, rowsOf[r.ID]+";")
	}
	exec(t, db, "ANALYZE")
	var vacuumed []string
	p, err := db.Plan(t.Context(), "0012")
	if err != nil {
		t.Fatal(err)
	}
	if p.Steps[0].Rows() < 9 || p.Bytes() == 0 || p.Disk() != 2*p.Bytes() || !p.Lossless() {
		t.Errorf("plan: %d rows, %d bytes, lossless %v", p.Steps[0].Rows(), p.Bytes(), p.Lossless())
	}
	result, err := db.Migrate(t.Context(), p, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Vacuum(t.Context(), result.Rewritten, func(e Progress) {
		if e.Phase == Vacuuming {
			vacuumed = append(vacuumed, e.Table)
		}
	})
	if err != nil || strings.Join(vacuumed, " ") != "connection group queue transfer" {
		t.Errorf("vacuumed %v, %v", vacuumed, err)
	}
	if got := value(t, db, "SELECT count(*)::text FROM pg_stats WHERE schemaname = 'public' AND attname = 'search_vector'"); got != "4" {
		t.Errorf("statistics of %s search vectors instead of 4", got)
	}
}

// TestRewrittenTablesOfAFailedRun has tables to vacuum whose rows nobody has counted, and a later revision that fails.
func TestRewrittenTablesOfAFailedRun(t *testing.T) {
	raw := newDatabase(t)
	db := open(t, raw)
	to(t, db, "0011")
	for _, r := range Revisions()[:11] {
		exec(t, db, rowsOf[r.ID]+";")
	}
	exec(t, db, "DELETE FROM queue WHERE id = 2") // before statistics are reset
	exec(t, db, "SELECT pg_stat_reset()")
	p, err := db.Plan(t.Context(), "head")
	if err != nil {
		t.Fatal(err)
	}
	exec(t, db, "DROP TABLE celery_taskmeta; CREATE VIEW celery_taskmeta AS SELECT now() AS date_done") // an index on it is not possible
	result, err := db.Migrate(t.Context(), p, nil)
	var names []string
	for _, table := range result.Rewritten {
		names = append(names, table.Name)
	}
	if err == nil || result.To != "0012" || strings.Join(names, " ") != "connection group queue transfer" {
		t.Errorf("%v, %+v", err, result)
	}
	exec(t, db, "DROP VIEW celery_taskmeta")
	holder := open(t, raw)
	exec(t, holder, `BEGIN; LOCK TABLE "group" IN SHARE UPDATE EXCLUSIVE MODE`)
	if err := db.Vacuum(t.Context(), result.Rewritten, nil); err == nil || !strings.Contains(err.Error(), "vacuuming group: ") {
		t.Errorf("vacuum beside another: %v", err)
	}
	if got := value(t, db, "SHOW lock_timeout"); got != readLimit {
		t.Errorf("lock_timeout is left at %s", got)
	}
}

func TestTablesOfWorkersAndSchedulerAreKept(t *testing.T) {
	db := open(t, newDatabase(t))
	to(t, db, "0008")
	celery, scheduler := embedded().up["0009"].body, embedded().up["0011"].body
	exec(t, db, celery+scheduler+rowsOf["0009"]+rowsOf["0011"])
	to(t, db, "head")
	if got := value(t, db, "SELECT (SELECT count(*) FROM celery_taskmeta) || ' ' || (SELECT count(*) FROM apscheduler_jobs)"); got != "1 1" {
		t.Errorf("rows: %s", got)
	}
	compareCatalog(t, db, Head())
}
