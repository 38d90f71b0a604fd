package database

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"syncmaster-setup/internal/fault"
)

// Repair mends the known drift of databases that SyncMaster 0.2.0 or 0.2.1 created, in one transaction under a
// migration's locks: connection.type becomes as wide and group.name as narrow as later releases have them. Group names
// that would not fit are reported, as [fault.Problems], and nothing is changed. Other drift is left alone. What was run
// is returned; nothing where there was nothing to mend.
//
// group.search_vector is made anew because PostgreSQL does not change the type of a column that a generated one uses.
func (db *DB) Repair(ctx context.Context) (statements []string, err error) {
	if err := db.mustBePrimary(ctx); err != nil {
		return nil, err
	}
	drv := db.driver(ctx, nil)
	if err := drv.Lock(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, drv.Unlock()) }()
	if _, _, err := drv.Version(); err != nil {
		return nil, err
	}
	drift, err := db.compareWith(ctx, drv.current)
	if err != nil {
		return nil, err
	}
	if statements, err = repairs(drift); err != nil || len(statements) == 0 {
		return nil, err
	}
	if err := db.checkGroupNames(ctx); err != nil {
		return nil, err
	}
	if err := drv.begin(number(drv.current)); err != nil {
		return nil, explain(ctx, err)
	}
	if err := drv.runScript(script{name: "the repair", body: strings.Join(statements, "\n")}); err != nil {
		return nil, explain(ctx, err)
	}
	if err := drv.commit(); err != nil {
		return nil, explain(ctx, err)
	}
	return statements, nil
}

// repairs returns the statements for the known differences. Widening connection.type rewrites nothing.
func repairs(drift Drift) ([]string, error) {
	var statements []string
	for _, d := range drift.Differences {
		switch {
		case !d.Known:
		case d.Name == "group.name":
			vector, err := searchVector(drift.Revision)
			if err != nil {
				return nil, err
			}
			statements = append(statements, `ALTER TABLE public."group" DROP COLUMN search_vector;`, d.SQL,
				`ALTER TABLE public."group" ADD COLUMN search_vector `+vector+`;`)
		default:
			statements = append(statements, d.SQL)
		}
	}
	return statements, nil
}

// searchVector returns the definition of group.search_vector at a revision.
func searchVector(revision string) (string, error) {
	c, _, err := fingerprint(revision)
	if err != nil {
		return "", err
	}
	for _, t := range c.Tables {
		for _, f := range t.Columns {
			if t.Name == "group" && f.Name == "search_vector" {
				return f.definition(), nil
			}
		}
	}
	return "", fmt.Errorf("reading the fingerprint of revision %s: no group.search_vector", revision)
}

// checkGroupNames refuses to shorten a column whose values are longer.
func (db *DB) checkGroupNames(ctx context.Context) error {
	results, err := db.conn.PgConn().Exec(ctx,
		`SELECT format('group %s has a name of %s characters', id, length(name)) FROM public."group"
		WHERE length(name) > 128 ORDER BY id`).ReadAll()
	if err != nil {
		return fmt.Errorf("looking for long group names: %w", err)
	}
	problems := &fault.Problems{Code: fault.Refused}
	for _, text := range column(results[0]) {
		problems.Add(text, "shorten it to 128 characters first")
	}
	return problems.Err()
}
