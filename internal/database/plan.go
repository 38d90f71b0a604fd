package database

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"syncmaster-setup/internal/fault"
)

// errStandby refuses a server that accepts no changes.
var errStandby = fault.New(fault.Refused, errors.New("the server is a standby, which accepts no changes"), "give the address of the primary")

// oldestServer is the oldest supported PostgreSQL: stored generated columns came with it.
const oldestServer = 120000

// Step is one revision up or down, in one transaction.
type Step struct {
	Revision Revision
	Up       bool
	Rewrites []TableFacts // tables written anew, with their size before the run
	Drops    []TableFacts // tables deleted with their rows; their counts are exact
}

// Lossless reports whether the opposite step brings everything back.
func (s Step) Lossless() bool { return len(s.Drops) == 0 }

// Rows returns the estimated number of rows that the step rewrites.
func (s Step) Rows() int64 {
	var rows int64
	for _, t := range s.Rewrites {
		rows += t.Rows
	}
	return rows
}

// Plan is what [DB.Migrate] will do. It is made by [DB.Plan], which has made sure that nothing known forbids it.
type Plan struct {
	From, To string // revisions; empty for none
	Steps    []Step // in order; none where there is nothing to do
	Facts    Facts
	Drift    Drift // before the run
}

// Lossless reports whether no step deletes rows.
func (p Plan) Lossless() bool {
	return !slices.ContainsFunc(p.Steps, func(s Step) bool { return !s.Lossless() })
}

// drops reports whether one of the committed steps has deleted a table.
func (p Plan) drops(applied []Applied, name string) bool {
	return slices.ContainsFunc(applied, func(a Applied) bool { return !a.Up() && slices.Contains(drops[a.Revision()], name) })
}

// losses returns the rows that the plan deletes, by revision and table.
func (p Plan) losses() map[string]map[string]int64 {
	all := map[string]map[string]int64{}
	for _, s := range p.Steps {
		all[s.Revision.ID] = map[string]int64{}
		for _, t := range s.Drops {
			all[s.Revision.ID][t.Name] = t.Rows
		}
	}
	return all
}

// Bytes returns the disk space that the rewrites need at most at one time beside what is there, without WAL: each
// revision keeps the old tables until its end.
func (p Plan) Bytes() int64 {
	var most int64
	for _, s := range p.Steps {
		var sum int64
		for _, t := range s.Rewrites {
			sum += t.Bytes
		}
		most = max(most, sum)
	}
	return most
}

// WAL returns about what the rewrites add to the write-ahead log: measured was 0.9 of the size of the tables. The server
// may have to keep all of it until the end, for a standby or an archive.
func (p Plan) WAL() int64 {
	var sum int64
	for _, s := range p.Steps {
		for _, t := range s.Rewrites {
			sum += t.Bytes
		}
	}
	return sum
}

// Disk returns the disk space that the plan may need beside what is there.
func (p Plan) Disk() int64 { return p.Bytes() + p.WAL() }

// Plan observes the database and returns the steps to a revision: "head", "base", an id such as "0012", or a number of
// steps such as "+1" or "-1". Everything that is known to forbid the run is reported at once, as [fault.Problems],
// beside the plan that they forbid; nothing is changed.
func (db *DB) Plan(ctx context.Context, to string) (Plan, error) {
	return db.planFrom(ctx, nil, to)
}

// PlanFrom is [DB.Plan] for a caller who has just observed the database; it observes again where the revision has moved.
func (db *DB) PlanFrom(ctx context.Context, facts Facts, to string) (Plan, error) {
	return db.planFrom(ctx, &facts, to)
}

func (db *DB) planFrom(ctx context.Context, seen *Facts, to string) (Plan, error) {
	var p Plan
	err := db.undisturbed(ctx, func(rows []string) (err error) {
		if seen == nil || !slices.Equal(rows, seen.Revisions) {
			facts, err := db.Observe(ctx)
			if err != nil {
				return err
			}
			seen = &facts
		}
		p, err = db.plan(ctx, rows, *seen, to)
		return err
	})
	return p, err
}

func (db *DB) plan(ctx context.Context, rows []string, facts Facts, to string) (Plan, error) {
	from, err := soleRevision(rows)
	if err != nil {
		return Plan{}, err
	}
	target, err := resolve(from, to)
	if err != nil {
		return Plan{}, err
	}
	p := Plan{From: from, To: target, Facts: facts, Steps: steps(from, target, facts)}
	if p.Drift, err = db.compareWith(ctx, from); err != nil {
		return Plan{}, err
	}
	found := p.check()
	err = db.countDropped(ctx, p.Steps)
	if found == nil || (err != nil && sqlState(err) != codeInsufficientRight) { // which is a finding already
		return p, err
	}
	return p, found
}

// resolve turns Alembic's words into a revision; empty for base.
func resolve(from, to string) (string, error) {
	switch {
	case to == "head" || to == "heads":
		return Head(), nil
	case to == Base:
		return "", nil
	case known(to):
		return to, nil
	case strings.HasPrefix(to, "+") || strings.HasPrefix(to, "-"):
		return relative(from, to)
	}
	return "", fault.New(fault.BadInput, fmt.Errorf("no revision %q", to),
		fmt.Sprintf("give head, base, +N, -N or a revision from %s to %s", embedded().revisions[0].ID, Head()))
}

func relative(from, to string) (string, error) {
	count, err := strconv.Atoi(to)
	position := 0 // 0 is base, n the n-th revision
	if from != "" {
		position = 1 + slices.IndexFunc(embedded().revisions, func(r Revision) bool { return r.ID == from })
	}
	position += count
	if err != nil || position < 0 || position > len(embedded().revisions) {
		return "", fault.New(fault.BadInput, fmt.Errorf("no revision %s of %s", to, display(from)), "")
	}
	if position == 0 {
		return "", nil
	}
	return embedded().revisions[position-1].ID, nil
}

func steps(from, to string, facts Facts) []Step {
	var list []Step
	for _, r := range embedded().revisions {
		if (from < r.ID && r.ID <= to) || (to < r.ID && r.ID <= from) {
			s := Step{Revision: r, Up: from < to}
			s.Rewrites = facts.tables(rewrites[r.ID])
			if !s.Up {
				s.Drops = facts.tables(drops[r.ID])
			}
			list = append(list, s)
		}
	}
	if from > to {
		slices.Reverse(list)
	}
	return list
}

// tables returns the facts of those of the named tables that exist.
func (f Facts) tables(names []string) []TableFacts {
	var list []TableFacts
	for _, name := range names {
		if t, ok := f.Table(name); ok {
			list = append(list, t)
		}
	}
	return list
}

// countDropped replaces the estimates of what is going to be deleted by exact counts.
func (db *DB) countDropped(ctx context.Context, steps []Step) error {
	for _, s := range steps {
		for i := range s.Drops {
			t := &s.Drops[i]
			err := db.conn.QueryRow(ctx, "SELECT count(*) FROM public."+quoteName(t.Name)).Scan(&t.Rows)
			if err != nil {
				return fmt.Errorf("counting the rows of %s: %w", t.Name, err)
			}
		}
	}
	return nil
}

// check collects everything that forbids the plan.
func (p Plan) check() error {
	problems := &fault.Problems{Code: fault.Refused}
	f := p.Facts
	if f.InRecovery {
		problems.Merge(errStandby)
	}
	for _, d := range p.Drift.Unexplained() {
		problems.Add("the schema is not SyncMaster's at "+display(p.From)+": "+d.Words, driftHint(p.From, d))
	}
	if p.From == "" && len(f.ForeignTables) > 0 {
		problems.Add("the database holds tables that are not SyncMaster's: "+strings.Join(f.ForeignTables, ", "),
			"check the database URL; SyncMaster needs a database of its own")
	}
	if len(p.Steps) > 0 && !f.InRecovery {
		p.checkRights(problems)
	}
	return problems.Err()
}

func driftHint(from string, d Difference) string {
	if from == "" {
		return "give SyncMaster an empty database, or stamp this one with the revision that it is at"
	}
	return "after a backup: " + d.SQL
}

// supported refuses a server whose catalogue could not even be read.
func (db *DB) supported() error {
	if db.version >= oldestServer {
		return nil
	}
	return fault.New(fault.Refused, fmt.Errorf("PostgreSQL %d is too old for SyncMaster", db.version/10000), "PostgreSQL 12 or newer is needed")
}

// checkRights looks for what this role may not do.
func (p Plan) checkRights(problems *fault.Problems) {
	f := p.Facts
	if p.creates() && !f.CanCreate {
		problems.Add(fmt.Sprintf("user %s may not create tables in schema public", f.User),
			fmt.Sprintf("as a superuser: GRANT CREATE ON SCHEMA public TO %s", quoteName(f.User)))
	}
	var notOwned []string
	for _, t := range f.Tables {
		if !t.Owned && !slices.Contains(f.ForeignTables, t.Name) {
			notOwned = append(notOwned, t.Name)
		}
	}
	if len(notOwned) > 0 {
		problems.Add(fmt.Sprintf("user %s does not own %s", f.User, strings.Join(notOwned, ", ")),
			"use the user that created SyncMaster's tables")
	}
	trigram := slices.IndexFunc(p.Steps, func(s Step) bool { return s.Revision.ID == trigramRevision })
	if trigram < 0 || f.Trigram == p.Steps[trigram].Up {
		return
	}
	trusted := f.ServerVersion >= 130000 && f.CanCreateDB
	switch {
	case f.Trigram && !f.TrigramOwned:
		problems.Add(fmt.Sprintf("user %s does not own the extension pg_trgm, which undoing %s drops", f.User, trigramRevision),
			"go back to "+trigramRevision+" only, or give a superuser in the database URL")
	case f.Trigram:
	case !f.TrigramAvailable:
		problems.Add("the server does not have the extension pg_trgm", "install PostgreSQL's contrib package on its host")
	case !trusted && !f.Superuser:
		problems.Add(fmt.Sprintf("user %s may not create the extension pg_trgm", f.User),
			"as a superuser, in this database: CREATE EXTENSION pg_trgm")
	}
}

// creates reports whether a step makes a table or an index, for which the schema must give the right.
func (p Plan) creates() bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Up || rewrites[s.Revision.ID] != nil })
}

// trigramRevision creates the extension pg_trgm.
const trigramRevision = "0010"
