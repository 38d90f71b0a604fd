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
// is returned; nothing where there was nothing to mend. The table group is written anew where its name is mended: see
// [DB.Vacuum]. report, which may be nil, hears of what is waited for.
func (db *DB) Repair(ctx context.Context, report func(Progress)) (statements []string, err error) {
	if err := db.mustBePrimary(ctx); err != nil {
		return nil, err
	}
	drv := db.driver(ctx, report)
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
	if statements = repairs(drift); len(statements) == 0 {
		return nil, nil
	}
	if err := db.checkGroupNames(ctx); err != nil {
		return nil, err
	}
	drv.wants = &want{tables: []string{"connection", "group"}, readers: true}
	if err := drv.begin(number(drv.current)); err != nil {
		return nil, explainWhole(ctx, err)
	}
	if err := drv.runScript(script{name: "the repair", body: strings.Join(statements, "\n")}); err != nil {
		return nil, explainWhole(ctx, err)
	}
	if err := db.repaired(ctx, drv.commit()); err != nil {
		return nil, explainWhole(ctx, err)
	}
	return statements, nil
}

// repaired asks the catalogue where the answer to the commit was lost: the revision is the same before and after.
func (db *DB) repaired(ctx context.Context, err error) error {
	var doubt *InDoubtError
	if !errors.As(err, &doubt) {
		return err
	}
	doubt.What = "the repair"
	db.settle(ctx, doubt)
	if doubt.Asked && doubt.Found == doubt.From {
		drift, checkErr := db.compareWith(context.WithoutCancel(ctx), doubt.Revision)
		doubt.Asked, doubt.Committed = checkErr == nil, drift.Known() == ""
	}
	return err
}

// repairs returns the statements for the known differences. Widening connection.type rewrites nothing.
func repairs(drift Drift) []string {
	var statements []string
	for _, d := range drift.Differences {
		if d.Known {
			statements = append(statements, strings.Split(d.SQL, "\n")...)
		}
	}
	return statements
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
