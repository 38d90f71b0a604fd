package sqlfile_test

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"syncmaster-setup/internal/sqlfile"
	"syncmaster-setup/migrations"
)

func TestCheck(t *testing.T) {
	change := func(edit func(fstest.MapFS)) error {
		files := fstest.MapFS{}
		err := fs.WalkDir(migrations.FS, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := fs.ReadFile(migrations.FS, name)
			files[name] = &fstest.MapFile{Data: content}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		edit(files)
		return sqlfile.Check(files)
	}
	if err := change(func(fstest.MapFS) {}); err != nil {
		t.Fatal(err)
	}
	cases := map[string]func(fstest.MapFS){
		"0003_queue.up.sql: its checksum":          func(f fstest.MapFS) { f["0003_queue.up.sql"].Data = append(f["0003_queue.up.sql"].Data, ' ') },
		"fingerprints/0003.json: its checksum":     func(f fstest.MapFS) { f["fingerprints/0003.json"].Data = []byte("{}") },
		"fingerprints/0003.json of the manifest":   func(f fstest.MapFS) { delete(f, "fingerprints/0003.json") },
		"fingerprints/catalog.sql of the manifest": func(f fstest.MapFS) { delete(f, "fingerprints/catalog.sql") },
		"0003_queue.down.sql of the manifest":      func(f fstest.MapFS) { delete(f, "0003_queue.down.sql") },
		"0014_x.up.sql: COMMIT cannot be part":     func(f fstest.MapFS) { f["0014_x.up.sql"] = &fstest.MapFile{Data: []byte("SELECT 1;\n/* x */ commit;")} },
		"checksums of the embedded":                func(f fstest.MapFS) { delete(f, "manifest") },
	}
	for want, edit := range cases {
		if err := change(edit); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestLint(t *testing.T) {
	bad := []string{
		"COMMIT", "select 1; commit", "SELECT ';'; END;", "-- x\nBEGIN;", "/* ; */ ROLLBACK", "VACUUM x", "DO $$ BEGIN COMMIT; END $$",
		"CREATE INDEX CONCURRENTLY i ON t (a)", "SELECT 1;COMMIT", "START TRANSACTION", "CALL p()", "SELECT 'open", "/* open",
		`SELECT "open`, "SELECT $a$ open", "SELECT '\\'; COMMIT; --'",
		`SELECT E'\''; COMMIT; SELECT E'\''`, `SELECT e'x'`, "SELECT 1 AS a$b$; COMMIT; -- $b$", "DO'BEGIN COMMIT; END'",
		"/* /* */ '*/ ; COMMIT; --'", "-- x\rCOMMIT", "SELECT $1$; COMMIT; $1$", `CREATE INDEX CONCURRENTLY"i" ON t (a)`, "COMMIT/**/AND CHAIN",
	}
	for _, sql := range bad {
		if sqlfile.Lint("x.sql", sql) == nil {
			t.Errorf("passed: %s", sql)
		}
	}
	good := []string{
		"", ";;", "SELECT 'COMMIT; BEGIN'", `SELECT "COMMIT;"`, "-- COMMIT\nSELECT 1", "SELECT $q$ ; COMMIT $q$", "SELECT 'it''s; END'",
		"SELECT a$1, a$b FROM t", "/* /* ; COMMIT; */ COMMIT; */ SELECT 1", "SELECT U&'\\0041', date'2026-01-01'", "SELECT $$;COMMIT$$", "SELECT каталог FROM t",
	}
	for _, sql := range good {
		if err := sqlfile.Lint("x.sql", sql); err != nil {
			t.Errorf("refused: %s: %v", sql, err)
		}
	}
}

func TestStatements(t *testing.T) {
	got, err := sqlfile.Statements("SELECT 1; -- x;\nSELECT ';' /* ; */;;")
	if err != nil || strings.Join(got, "|") != "SELECT 1|SELECT ';'" {
		t.Errorf("%q, %v", got, err)
	}
}
