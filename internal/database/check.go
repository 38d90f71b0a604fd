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
			return lockTimeout(versionTable, nil, nil)
		}
		if err := db.policy.pause(ctx, n); err != nil {
			return fmt.Errorf("waiting for another migration: %w", err)
		}
	}
}

// compareWith compares the catalogue with a revision's fingerprint.
func (db *DB) compareWith(ctx context.Context, revision string) (Drift, error) {
	if err := db.supported(); err != nil {
		return Drift{}, err
	}
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

// differences compares object by object. The order of columns is of no importance to any reader of the tables. The
// differences come in an order in which their SQL can be run.
func differences(want, got catalog) []Difference {
	missing, mended := missingObjects(want, got)
	slices.SortStableFunc(missing, func(a, b object) int { return a.rank() - b.rank() })
	var found []Difference
	for _, o := range missing {
		if d, changed := mended[o.key()]; changed {
			found = append(found, d)
			continue
		}
		found = append(found, Difference{Kind: o.kind, Name: o.name, Words: o.key() + " is missing", SQL: o.create})
	}
	return append(found, additions(want, got)...)
}

// missingObjects returns what is wanted and missing or different, and the differences of the latter by key. What comes
// with an object that is missing is not told apart.
func missingObjects(want, got catalog) (list []object, mended map[string]Difference) {
	present := map[string]object{}
	for _, o := range got.objects() {
		present[o.key()] = o
	}
	mended = map[string]Difference{}
	absent := map[string]bool{}
	for _, w := range want.objects() { // a part comes after its whole
		g, ok := present[w.key()]
		switch {
		case ok && normal(g.definition) == normal(w.definition):
		case ok && w.part != "" && w.kind == "index" && mended[w.part].Kind != "": // of a constraint that is made anew
		case ok:
			mended[w.key()] = Difference{
				Kind: w.kind, Name: w.name, SQL: got.mend(w, g, want), Known: knownDrift(w, g),
				Words: fmt.Sprintf("%s is %s instead of %s", w.key(), g.definition, w.definition),
			}
			list = append(list, w)
		default:
			absent[w.key()] = true
			if !absent[w.part] {
				list = append(list, w)
			}
		}
	}
	return list, mended
}

// additions returns what is there and not wanted: first what other revisions have, the newest first, since it may need
// what older ones have.
func additions(want, got catalog) []Difference {
	expected := map[string]bool{}
	for _, w := range want.objects() {
		expected[w.key()] = true
	}
	type addition struct {
		Difference
		since string
	}
	var list []addition
	for _, g := range got.objects() {
		if expected[g.key()] || (g.part != "" && !expected[g.part]) || (g.table != "" && !expected["table "+g.table]) {
			continue // or it goes with what it is a part of
		}
		list = append(list, addition{Difference{
			Kind: g.kind, Name: g.name, SQL: g.drop, Extra: owned().since[g.key()] == "" || owned().early[g.key()],
			Words: fmt.Sprintf("%s is not part of this revision", g.key()),
		}, owned().since[g.key()]})
	}
	slices.SortStableFunc(list, func(a, b addition) int { return strings.Compare(b.since, a.since) })
	var found []Difference
	for _, a := range list {
		found = append(found, a.Difference)
	}
	return found
}

// knownDrift reports whether a column has the type that 0.2.0 gave it, and nothing else differs.
func knownDrift(want, got object) bool {
	known := knownTypes[want.name]
	if want.field == nil || known == "" {
		return false
	}
	field := *want.field
	field.Type = known
	return got.definition == field.definition()
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

// ownedObjects are everything that some revision of SyncMaster has: the revision that it came with, and what of it may
// be there early.
type ownedObjects struct {
	since map[string]string
	early map[string]bool
}

// owned reads the fingerprints once: a process needs them all or none.
var owned = sync.OnceValue(func() ownedObjects {
	o := ownedObjects{since: map[string]string{}, early: map[string]bool{}}
	for _, r := range embedded().revisions {
		c, _, err := fingerprint(r.ID)
		if err != nil {
			continue // Connect has refused the run by then
		}
		for _, x := range c.objects() {
			if o.since[x.key()] == "" && slices.Contains(ifAbsent, r.ID) {
				o.early[x.key()] = true
			}
			if o.since[x.key()] == "" {
				o.since[x.key()] = r.ID
			}
		}
	}
	return o
})
