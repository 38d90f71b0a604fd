package main

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"syncmaster-setup/migrations"
)

// createVersions makes Alembic's version table.
const createVersions = "CREATE TABLE alembic_version (version_num varchar(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num));\n"

// revision is one of the files that init and migrate run.
type revision struct{ id, sql string }

// newest stands for the last revision that there is.
const newest = "9999"

// upTo returns the revisions up to one.
func upTo(last string) ([]revision, error) {
	names, err := fs.Glob(migrations.FS, "*.up.sql")
	if err != nil {
		return nil, fmt.Errorf("listing the migrations: %w", err)
	}
	var list []revision
	for _, name := range names {
		text, err := migrations.FS.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("reading a migration: %w", err)
		}
		if id := name[:4]; id <= last {
			list = append(list, revision{id, string(text) + "\n"})
		}
	}
	return list, nil
}

// schema is the SQL that brings an empty database to the head of the release.
func (b *bench) schema() (string, error) { return schemaAt(b.release.Head) }

// atOnce is the SQL of all revisions.
func atOnce() (string, error) { return schemaAt(newest) }

func schemaAt(last string) (string, error) {
	list, err := upTo(last)
	if err != nil {
		return "", err
	}
	var script strings.Builder
	for _, r := range list {
		script.WriteString(r.sql)
	}
	script.WriteString(createVersions)
	fmt.Fprintf(&script, "INSERT INTO alembic_version VALUES ('%s');\n", list[len(list)-1].id)
	return script.String(), nil
}

// revisionByRevision is the same with each revision in a transaction of its own, together with its row, as migrate does
// it.
func revisionByRevision() (string, error) {
	list, err := upTo(newest)
	if err != nil {
		return "", err
	}
	var script strings.Builder
	for i, r := range list {
		note := fmt.Sprintf("UPDATE alembic_version SET version_num = '%s';\n", r.id)
		if i == 0 {
			note = createVersions + "INSERT INTO alembic_version VALUES ('" + r.id + "');\n"
		}
		script.WriteString("BEGIN;\n" + r.sql + note + "COMMIT;\n")
	}
	return script.String(), nil
}

var (
	replaced = regexp.MustCompile(`(?s)^ALTER TABLE (\S+)\s+DROP COLUMN search_vector,\s+(ADD COLUMN .*)$`)
	indexed  = regexp.MustCompile(`^CREATE INDEX (\S+) ON (\S+) `)
	comment  = regexp.MustCompile(`(?m)^--.*\n`)
)

// oneByOne is revision 0012 in the statements in which Alembic sends it: indexes and columns go first, each by itself;
// then each column comes and the index on it.
func oneByOne() (string, error) {
	list, err := upTo(rewriting)
	if err != nil {
		return "", err
	}
	var drops, adds []string
	index := map[string]string{}
	statements := strings.Split(comment.ReplaceAllString(list[len(list)-1].sql, ""), ";\n")
	for _, s := range statements {
		if found := indexed.FindStringSubmatch(strings.TrimSpace(s)); found != nil {
			index[found[2]] = found[1]
		}
	}
	for _, s := range statements {
		s = strings.TrimSpace(s)
		found := replaced.FindStringSubmatch(s)
		switch {
		case s == "":
		case indexed.MatchString(s):
			adds = append(adds, s)
		case found == nil:
			return "", errors.New("taking revision 0012 apart: it is not what it was: " + s)
		default:
			table := found[1]
			if name, has := index[table]; has {
				drops = append(drops, "DROP INDEX public."+name)
			}
			drops = append(drops, "ALTER TABLE "+table+" DROP COLUMN search_vector")
			adds = append(adds, "ALTER TABLE "+table+" "+found[2])
		}
	}
	version := "UPDATE alembic_version SET version_num = '" + rewriting + "' WHERE version_num = '" + before + "'"
	return strings.Join(append(append(drops, adds...), version), ";\n") + ";\n", nil
}
