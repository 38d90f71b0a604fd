package database

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// KnownDrift explains a difference that SyncMaster's own releases made.
const KnownDrift = "created by SyncMaster 0.2.0 or 0.2.1"

// knownTypes are the column types of databases that SyncMaster 0.2.0 or 0.2.1 created: 0.2.2 changed revisions 0002 and
// 0004 in place (contract.md, section 3).
var knownTypes = map[string]string{
	"connection.type": "character varying(23)",
	"group.name":      "character varying(256)",
}

// Difference is one object that is not as its revision has it.
type Difference struct {
	Kind  string // table, column, constraint, index, sequence or extension
	Name  string // of a column or constraint: table.name
	Words string // what differs, for people
	SQL   string // what would mend it; for reading, never run by itself
	Extra bool   // an addition that no revision minds: somebody else's, or what a worker or the scheduler made early
	Known bool   // explained by [KnownDrift]
}

// Drift is how a database differs from its revision.
type Drift struct {
	Revision    string // empty for none
	Equal       bool   // byte for byte what PostgreSQL 17 prints at this revision
	Differences []Difference
}

// Unexplained lists the differences that are neither additions of the user's own nor known drift.
func (d Drift) Unexplained() []Difference {
	return slices.DeleteFunc(slices.Clone(d.Differences), func(x Difference) bool { return x.Extra || x.Known })
}

// Known names the known drift that was found, or is empty.
func (d Drift) Known() string {
	if slices.ContainsFunc(d.Differences, func(x Difference) bool { return x.Known }) {
		return KnownDrift
	}
	return ""
}

// String lists the differences in words, one a line.
func (d Drift) String() string {
	lines := make([]string, len(d.Differences))
	for i, x := range d.Differences {
		lines[i] = x.Words
	}
	return strings.Join(lines, "\n")
}

// Check compares the catalogue with the fingerprint of the revision that alembic_version holds.
func (db *DB) Check(ctx context.Context) (Drift, error) {
	var drift Drift
	err := db.undisturbed(ctx, func(rows []string) error {
		revision, err := soleRevision(rows)
		if err != nil {
			return err
		}
		drift, err = db.compareWith(ctx, revision)
		return err
	})
	return drift, err
}

// undisturbed calls look with alembic_version's rows, again where a migration that runs at the same time changed them
// meanwhile: what look saw was then of two revisions.
func (db *DB) undisturbed(ctx context.Context, look func(rows []string) error) error {
	for n := 0; ; n++ {
		before, err := readVersions(ctx, db.conn)
		if err != nil {
			return err
		}
		lookErr := look(before)
		after, err := readVersions(ctx, db.conn)
		if err != nil {
			return errors.Join(lookErr, err)
		}
		if slices.Equal(before, after) {
			return lookErr
		}
		if n >= len(embedded().revisions) {
			return lockTimeout("alembic_version", nil)
		}
		if err := db.policy.pause(ctx, n); err != nil {
			return fmt.Errorf("waiting for another migration: %w", err)
		}
	}
}

// compareWith compares the catalogue with a revision's fingerprint.
func (db *DB) compareWith(ctx context.Context, revision string) (Drift, error) {
	want, wantText, err := fingerprint(revision)
	if err != nil {
		return Drift{}, err
	}
	got, gotText, err := db.readCatalog(ctx)
	if err != nil {
		return Drift{}, err
	}
	drift := Drift{Revision: revision, Equal: bytes.Equal(wantText, gotText)}
	if !drift.Equal {
		drift.Differences = differences(want, got)
	}
	return drift, nil
}

// differences compares object by object. The order of columns is of no importance to any reader of the tables.
func differences(want, got catalog) []Difference {
	var found []Difference
	missing := map[string]bool{}
	present := map[string]object{}
	for _, o := range got.objects() {
		present[o.key()] = o
	}
	expected := map[string]bool{}
	for _, w := range want.objects() {
		expected[w.key()] = true
		g, ok := present[w.key()]
		owner, _, part := strings.Cut(w.name, ".")
		switch {
		case !ok && part && missing["table "+owner]: // said of the table
		case !ok:
			missing[w.key()] = true
			found = append(found, Difference{Kind: w.kind, Name: w.name, Words: w.key() + " is missing", SQL: w.create})
		case normal(g.definition) != normal(w.definition):
			found = append(found, changed(w, g))
		}
	}
	for _, g := range got.objects() {
		owner, _, part := strings.Cut(g.name, ".")
		if expected[g.key()] || (part && !expected["table "+owner]) {
			continue
		}
		found = append(found, Difference{
			Kind: g.kind, Name: g.name, SQL: g.drop, Extra: !owned().own[g.key()] || owned().early[g.key()],
			Words: fmt.Sprintf("%s is not part of this revision", g.key()),
		})
	}
	return found
}

// changed describes an object that both have, with different definitions.
func changed(want, got object) Difference {
	d := Difference{
		Kind: want.kind, Name: want.name,
		Words: fmt.Sprintf("%s is %s instead of %s", want.key(), got.definition, want.definition),
		SQL:   got.drop + "\n" + want.create,
	}
	if tableName, columnName, isColumn := strings.Cut(want.name, "."); want.kind == "column" && isColumn {
		wantType, _, _ := strings.Cut(want.definition, " NOT NULL")
		gotType, _, _ := strings.Cut(got.definition, " NOT NULL")
		if !strings.Contains(want.definition, " GENERATED ") {
			d.SQL = fmt.Sprintf("ALTER TABLE public.%s ALTER COLUMN %s TYPE %s;", quoteName(tableName), quoteName(columnName), wantType)
		}
		d.Known = knownTypes[want.name] == gotType && strings.HasSuffix(got.definition, " NOT NULL")
	}
	return d
}

var (
	spaces   = regexp.MustCompile(`\s+`)
	brackets = strings.NewReplacer("(", "", ")", "")
)

// normal takes out of a definition what PostgreSQL's major versions print differently: white space and brackets that
// change nothing. Types keep theirs.
func normal(definition string) string {
	text := spaces.ReplaceAllString(definition, " ")
	if strings.Contains(text, " GENERATED ") || strings.Contains(text, " CHECK ") {
		return brackets.Replace(text)
	}
	return text
}

// ifAbsent are the revisions that only make what is not there yet: a worker or the scheduler may have made it before,
// a superuser the extension.
var ifAbsent = []string{"0009", "0010", "0011", "0013"}

// ownedObjects are everything that some revision of SyncMaster has, and what of it may be there early.
type ownedObjects struct{ own, early map[string]bool }

// owned reads the fingerprints once: a process needs them all or none.
var owned = sync.OnceValue(func() ownedObjects {
	o := ownedObjects{own: map[string]bool{}, early: map[string]bool{}}
	for _, r := range embedded().revisions {
		c, _, err := fingerprint(r.ID)
		if err != nil {
			continue // Verify has refused the run by then
		}
		for _, x := range c.objects() {
			if !o.own[x.key()] && slices.Contains(ifAbsent, r.ID) {
				o.early[x.key()] = true
			}
			o.own[x.key()] = true
		}
	}
	return o
})
