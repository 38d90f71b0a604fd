package database

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"syncmaster-setup/internal/release"
)

func TestReversible(t *testing.T) {
	for _, tc := range []struct {
		from, to string
		want     bool
	}{
		{"0011", "0011", true}, {"0011", "0012", true}, {"0012", "0013", true}, {"0013", "0011", true},
		{"0008", "0011", false}, {"0011", "0008", false}, {"", "0001", false}, {"", "0013", false}, {"", "", true},
	} {
		if got := Reversible(tc.from, tc.to); got != tc.want {
			t.Errorf("from %q to %q: %v", tc.from, tc.to, got)
		}
	}
}

// What is asked of a database before SyncMaster has made its tables is answered by nothing.
func TestQuestionsToAnEmptyDatabase(t *testing.T) {
	db := open(t, newDatabase(t))
	if size, err := db.Size(t.Context()); err != nil || size < 1<<20 {
		t.Errorf("size %d, %v", size, err)
	}
	if runs, err := db.Runs(t.Context(), 0); err != nil || runs != nil {
		t.Errorf("runs %v, %v", runs, err)
	}
	for _, rule := range everyRule(t) {
		if rows, err := db.Rows(t.Context(), rule.SQL); err != nil || rows != nil {
			t.Errorf("%s: %v, %v", rule.What, rows, err)
		}
	}
	if _, err := db.Rows(t.Context(), "SELECT nonsense"); err == nil || !strings.HasPrefix(err.Error(), "looking for rows: ") {
		t.Errorf("a wrong query: %v", err)
	}
	if _, err := db.Rows(t.Context(), "SELECT 1, NULL::text"); err == nil {
		t.Error("a row without a name is no error")
	}
}

func TestRunsInProgress(t *testing.T) {
	db := withTransfers(t, newDatabase(t), `('{}', '{}')`)
	exec(t, db, `INSERT INTO run (id, transfer_id, status, started_at, ended_at, type, transfer_dump) VALUES
		(1, 1, 'CREATED', NULL, NULL, 'MANUAL', '{}'),
		(2, 1, 'STARTED', '2026-05-01 12:00:00+00', NULL, 'MANUAL', '{}'),
		(3, 1, 'FINISHED', '2026-05-01 12:00:00+00', '2026-05-01 13:00:00+00', 'MANUAL', '{}'),
		(4, 1, 'SEND_STOP_SIGNAL', '2026-05-01 12:30:00+00', NULL, 'MANUAL', '{}'),
		(5, 1, 'SEND_STOP_SIGNAL', NULL, NULL, 'MANUAL', '{}'),
		(6, 1, 'SEND_STOP_SIGNAL', '2026-05-01 12:30:00+00', '2026-05-01 12:31:00+00', 'MANUAL', '{}'),
		(7, 1, 'STOPPED', '2026-05-01 12:30:00+00', NULL, 'MANUAL', '{}'),
		(8, 1, 'FAILED', '2026-05-01 12:30:00+00', NULL, 'MANUAL', '{}'),
		(9, 1, 'STARTED', NULL, NULL, 'SCHEDULED', '{}')`)
	runs, err := db.Runs(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	var ids []int64
	for _, r := range runs {
		ids = append(ids, r.ID)
		if r.Transfer != "t1" || r.Queue != "1-q" || r.Status == "" || r.Started.IsZero() || r.Age < 0 {
			t.Errorf("run %+v", r)
		}
	}
	if !slices.Equal(ids, []int64{2, 4, 9}) {
		t.Errorf("in progress are %v", ids)
	}
	if noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC); len(runs) > 0 && !runs[0].Started.Equal(noon) {
		t.Errorf("started %s", runs[0].Started)
	}
	if oldest, err := db.Runs(t.Context(), 2); err != nil || len(oldest) != 2 || oldest[1].ID != 4 {
		t.Errorf("the oldest two: %+v, %v", oldest, err)
	}
}

func TestConnectionsThatAReleaseCannotRead(t *testing.T) {
	db := open(t, newDatabase(t))
	to(t, db, "0011")
	exec(t, db, `INSERT INTO "user" (username, is_superuser, is_active) VALUES ('a', false, true);
		INSERT INTO "group" (name, description, owner_id) VALUES ('g', '', 1);
		INSERT INTO connection (id, group_id, type, name, description, data) VALUES
		(1, 1, 's3', 'with', '', '{"host": "h", "region": "eu-1"}'),
		(2, 1, 's3', 'without', '', '{"host": "h"}'),
		(3, 1, 's3', 'empty', '', '{"region": ""}'),
		(4, 1, 's3', 'null', '', '{"region": null}'),
		(5, 1, 'S3', 'upper', '', '{}'),
		(6, 1, 'S3', 'upper with', '', '{"region": "eu-1"}'),
		(7, 1, 'postgres', 'other', '', '{}'),
		(8, 1, 'iceberg', 'ice', '', '{}'),
		(9, 1, 'Iceberg', 'upper ice', '', '{}')`)
	expect(t, db, rule(t, "S3 connections"), "2 without", "3 empty", "4 null", "5 upper")
	expect(t, db, rule(t, "Iceberg connections"), "8 ice", "9 upper ice")
}

func TestTransfersThatAReleaseCannotRead(t *testing.T) {
	params := []struct{ source, target string }{
		1:  {`{"type": "postgres", "table_name": "schema.table"}`, `{"type": "s3", "directory_path": "/data"}`},
		2:  {`{"type": "postgres", "table_name": "table"}`, `{"type": "s3"}`},
		3:  {`{"type": "s3"}`, `{"type": "hive", "table_name": "a.b.c"}`},
		4:  {`{"type": "iceberg", "table_name": "a.b"}`, `{"type": "Iceberg", "table_name": "a.b.c.d"}`},
		5:  {`{"type": "iceberg", "table_name": "a"}`, `{}`},
		6:  {`{"type": "postgres", "table_name": "my schema.table"}`, `{}`},
		7:  {`{"type": "postgres", "table_name": ""}`, `{}`},
		8:  {`{"type": "postgres", "table_name": null}`, `{}`},
		9:  {`{"type": "postgres", "table_name": ".table"}`, `{}`},
		10: {`{"type": "postgres", "table_name": "schema."}`, `{}`},
		11: {`{"type": "oracle", "table_name": "SCHEMA_1.TABLE_2"}`, `{"type": "mssql", "table_name": "схема.таблица"}`},
		12: {`{"type": "postgres", "table_name": "\"schema\".\"table\""}`, `{}`},
		13: {`{"type": "iceberg", "table_name": "a..b"}`, `{}`},
		14: {`{"type": "postgres", "table_name": "a.b\nc"}`, `{}`},
		15: {`{"type": "postgres", "table_name": "a-b.c"}`, `{}`},
		16: {`[]`, `null`},
	}
	var values []string
	for _, p := range params[1:] {
		values = append(values, fmt.Sprintf("('%s', '%s')", p.source, p.target))
	}
	for _, locale := range []string{"", " LOCALE 'C'"} { // in which only ASCII has letters
		db := withTransfers(t, newDatabaseFrom(t, "template0"+locale), values...)
		expect(t, db, rule(t, "transfers with a table"), "2 t2", "3 t3", "5 t5", "6 t6", "7 t7", "9 t9", "10 t10", "12 t12", "13 t13", "14 t14", "15 t15")
	}
}

// withTransfers opens a database and gives it transfers of these source and target parameters, named t1, t2 and so on.
func withTransfers(t *testing.T, raw string, params ...string) *DB {
	t.Helper()
	db := open(t, raw)
	to(t, db, "0012")
	exec(t, db, `INSERT INTO "user" (username, is_superuser, is_active) VALUES ('a', false, true);
		INSERT INTO "group" (name, description, owner_id) VALUES ('g', '', 1);
		INSERT INTO queue (name, slug, group_id, description) VALUES ('q', '1-q', 1, '');
		INSERT INTO connection (group_id, type, name, description, data) VALUES (1, 'postgres', 'c', '', '{}')`)
	exec(t, db, `INSERT INTO transfer (id, group_id, name, description, source_connection_id, target_connection_id, strategy_params,
			source_params, target_params, transformations, resources, is_scheduled, schedule, queue_id)
		SELECT n, 1, 't' || n, '', 1, 1, '{}', s::json, d::json, '[]', '{}', false, '', 1
		FROM (SELECT v.*, row_number() OVER () AS n FROM (VALUES `+strings.Join(params, ", ")+`) AS v(s, d)) AS x`)
	return db
}

// everyRule returns all rules on data between the oldest and the newest release.
func everyRule(t *testing.T) []release.Unreadable {
	t.Helper()
	known := release.Known()
	oldest, newest := known[0], known[len(known)-1]
	return append(newest.Unreadable(oldest), oldest.UnknownOf(newest)...)
}

func rule(t *testing.T, what string) release.Unreadable {
	t.Helper()
	for _, r := range everyRule(t) {
		if strings.HasPrefix(r.What, what) {
			return r
		}
	}
	t.Fatalf("no rule for %s", what)
	return release.Unreadable{}
}

func expect(t *testing.T, db *DB, rule release.Unreadable, want ...string) {
	t.Helper()
	rows, err := db.Rows(t.Context(), rule.SQL)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rows {
		got = append(got, fmt.Sprintf("%d %s", r.ID, r.Name))
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", rule.What, got, want)
	}
}
