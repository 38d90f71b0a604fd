package database

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"syncmaster-setup/internal/fault"
)

// createVersionTable makes the table exactly as Alembic does.
const createVersionTable = `CREATE TABLE IF NOT EXISTS public.alembic_version (
    version_num varchar(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
)`

// readVersions returns the rows of alembic_version, none where the table does not exist.
func readVersions(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	results, err := conn.PgConn().Exec(ctx, "SELECT version_num FROM public.alembic_version ORDER BY 1").ReadAll()
	if sqlState(err) == codeUndefinedTable {
		return nil, nil
	}
	if sqlState(err) == codeLockNotAvailable {
		holders, holdersErr := tableHolders(ctx, conn, want{tables: []string{versionTable}})
		return nil, errors.Join(lockTimeout(versionTable, holders, err), holdersErr)
	}
	if sqlState(err) == codeInsufficientRight {
		return nil, fault.New(fault.Refused, fmt.Errorf("reading alembic_version: %w", err),
			"the user of the database URL must be the owner of SyncMaster's tables")
	}
	if err != nil {
		return nil, fmt.Errorf("reading alembic_version: %w", err)
	}
	return column(results[0]), nil
}

// begin opens the transaction of a revision and takes its locks. A transaction that is open already is given up.
func (d *driver) begin(version int) error {
	if err := context.Cause(d.ctx); err != nil {
		return fmt.Errorf("stopping before revision %s: %w", display(revisionID(version)), err)
	}
	if d.pending != nil {
		if err := d.rollback(); err != nil {
			return err
		}
	}
	started := time.Now()
	for tries := 0; ; tries++ {
		rows, txid, err := d.open()
		if err == nil {
			d.pending = &pending{target: version, rows: rows, txid: txid, started: started, tries: tries}
			return d.verifyCurrent(rows)
		}
		err = errors.Join(err, d.rollback())
		if state := sqlState(err); tries < d.policy.tries && (state == codeUniqueViolation || state == codeDuplicateTable) {
			continue // Alembic made its table at the same moment; it is there now
		}
		if err := d.again(err, version, tries+1); err != nil {
			return err
		}
	}
}

// open sends the start of a transaction as one message and returns alembic_version's rows and the transaction's id.
// ACCESS EXCLUSIVE makes Alembic wait and then read the new revision; any weaker lock lets its SELECT pass.
func (d *driver) open() (rows []string, txid string, err error) {
	statements := []string{
		"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
		fmt.Sprintf("SET LOCAL lock_timeout = %d", d.policy.tableLock.Milliseconds()),
		"SET LOCAL statement_timeout = 0",
		"SET LOCAL idle_in_transaction_session_timeout = 0",
	}
	if d.server >= 170000 {
		statements = append(statements, "SET LOCAL transaction_timeout = 0")
	}
	if d.current == "" { // creating needs a right on the schema even where the table exists
		statements = append(statements, createVersionTable)
	}
	statements = append(statements,
		"LOCK TABLE public.alembic_version IN ACCESS EXCLUSIVE MODE",
		"SELECT version_num FROM public.alembic_version ORDER BY 1",
		"SELECT txid_current()::text")
	results, err := d.conn.PgConn().Exec(d.ctx, strings.Join(statements, ";\n")).ReadAll()
	if err != nil {
		return nil, "", fmt.Errorf("beginning a migration: %w", err)
	}
	return column(results[len(results)-2]), firstValue(results), nil
}

// verifyCurrent compares what alembic_version holds under the lock with what the run was planned on.
func (d *driver) verifyCurrent(rows []string) error {
	if d.replace {
		return nil
	}
	found, err := soleRevision(rows)
	if err != nil {
		return errors.Join(err, d.rollback())
	}
	if d.read && found != d.current {
		return errors.Join(&MovedError{Expected: d.current, Found: found}, d.rollback())
	}
	d.current, d.read = found, true
	if d.upward*(d.pending.target-number(found)) < 0 { // moved past the goal before it was first read
		return errors.Join(&MovedError{Expected: revisionID(d.pending.target), Found: found}, d.rollback())
	}
	return nil
}

// guardRows keeps a step down from deleting rows that nobody has agreed to lose: it locks the tables that go, so that
// no row comes in any more, and counts.
func (d *driver) guardRows() error {
	step := d.current
	if d.pending.target >= number(step) || len(drops[step]) == 0 {
		return nil
	}
	agreed, planned := d.agreed[step]
	if !planned {
		return fault.New(fault.Refused, &LossError{Revision: step}, rowsHint)
	}
	tables, err := d.existing(drops[step])
	if err != nil || len(tables) == 0 {
		return err
	}
	var names, counts []string
	for _, name := range tables {
		names = append(names, "public."+quoteName(name))
		counts = append(counts, "SELECT count(*)::text FROM public."+quoteName(name))
	}
	sql := "LOCK TABLE " + strings.Join(names, ", ") + " IN ACCESS EXCLUSIVE MODE;\n" + strings.Join(counts, ";\n")
	results, err := d.conn.PgConn().Exec(d.ctx, sql).ReadAll()
	if err != nil {
		return fmt.Errorf("counting the rows that undoing revision %s deletes: %w", step, err)
	}
	for i, name := range tables {
		rows, err := strconv.ParseInt(firstValue(results[i+1:i+2]), 10, 64)
		if err != nil {
			return fmt.Errorf("counting the rows of %s: %w", name, err)
		}
		if rows > agreed[name] {
			return fault.New(fault.Refused, &LossError{Revision: step, Table: name, Rows: rows, Agreed: agreed[name]}, rowsHint)
		}
	}
	return nil
}

const rowsHint = "nothing of this revision was undone: run again, which counts the rows anew"

// existing returns those of the named tables that there are.
func (d *driver) existing(names []string) ([]string, error) {
	rows, err := d.conn.Query(d.ctx, `SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
		AND relkind IN ('r', 'p') AND relname = ANY ($1::text[]) ORDER BY relname`, names)
	if err == nil {
		names, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if err != nil {
		return nil, fmt.Errorf("looking for the tables that a revision deletes: %w", err)
	}
	return names, nil
}

// commit writes the pending revision and commits.
func (d *driver) commit() error {
	p, target := d.pending, revisionID(d.pending.target)
	if err := d.writeVersion(target); err != nil {
		return errors.Join(err, d.rollback())
	}
	if d.policy.beforeCommit != nil {
		d.policy.beforeCommit()
	}
	results, err := d.conn.PgConn().Exec(d.ctx, "COMMIT").ReadAll()
	d.pending = nil
	if err != nil && (d.conn.IsClosed() || (sqlState(err) == "" && !pgconn.SafeToRetry(err))) {
		return &InDoubtError{What: "revision " + display(target), From: strings.Join(p.rows, ", "), Revision: target, Err: err}
	}
	// COMMIT of a failed transaction is answered by ROLLBACK, without an error.
	if err == nil && results[0].CommandTag.String() != "COMMIT" {
		err = fmt.Errorf("the server answered %s", results[0].CommandTag)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("committing revision %s: %w", display(target), err), d.rollback())
	}
	from := d.current
	d.current = target
	d.record(from, target, time.Since(p.started))
	return nil
}

// record notes a finished step.
func (d *driver) record(from, to string, took time.Duration) {
	if from == to {
		return
	}
	a := Applied{From: from, To: to, Took: took}
	d.applied = append(d.applied, a)
	d.emit(Progress{Phase: Done, Revision: a.Revision(), Up: a.Up(), Took: took})
}

// writeVersion changes alembic_version's row as Alembic does: INSERT, UPDATE or DELETE of exactly one row.
func (d *driver) writeVersion(target string) error {
	if d.replace {
		return d.replaceVersions(target)
	}
	sql := ""
	switch {
	case d.current == target:
		return nil
	case d.current == "":
		sql = fmt.Sprintf("INSERT INTO public.alembic_version (version_num) VALUES ('%s')", target)
	case target == "":
		sql = fmt.Sprintf("DELETE FROM public.alembic_version WHERE version_num = '%s'", d.current)
	default:
		sql = fmt.Sprintf("UPDATE public.alembic_version SET version_num = '%s' WHERE version_num = '%s'", target, d.current)
	}
	results, err := d.conn.PgConn().Exec(d.ctx, sql).ReadAll()
	if err == nil && results[0].CommandTag.RowsAffected() != 1 {
		err = fmt.Errorf("%d rows were changed instead of one", results[0].CommandTag.RowsAffected())
	}
	if err != nil {
		return fmt.Errorf("writing revision %s: %w", display(target), err)
	}
	return nil
}

// replaceVersions puts one row in the place of whatever alembic_version holds.
func (d *driver) replaceVersions(target string) error {
	sql := "DELETE FROM public.alembic_version"
	if target != "" {
		sql += fmt.Sprintf(";\nINSERT INTO public.alembic_version (version_num) VALUES ('%s')", target)
	}
	if _, err := d.conn.PgConn().Exec(d.ctx, sql).ReadAll(); err != nil {
		return fmt.Errorf("writing revision %s: %w", display(target), err)
	}
	return nil
}

// rollback ends the open transaction, also after the run was cancelled.
func (d *driver) rollback() error {
	d.pending = nil
	if d.conn.IsClosed() || d.conn.PgConn().TxStatus() == 'I' {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.ctx), cleanupLimit)
	defer cancel()
	if _, err := d.conn.PgConn().Exec(ctx, "ROLLBACK").ReadAll(); err != nil {
		return fmt.Errorf("rolling back: %w", err)
	}
	return nil
}

// scriptError names file and line of an SQL error; the position counts characters from 1.
func scriptError(s script, err error) error {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Position > 0 {
		text := []rune(s.body)
		line := 1 + strings.Count(string(text[:min(int(pgErr.Position), len(text))]), "\n")
		return fmt.Errorf("running %s, line %d: %w", s.name, line, err)
	}
	return fmt.Errorf("running %s: %w", s.name, err)
}

// column returns a result's first column.
func column(result *pgconn.Result) []string {
	var values []string
	for _, row := range result.Rows {
		values = append(values, string(row[0]))
	}
	return values
}

// firstValue returns the one value of the last result.
func firstValue(results []*pgconn.Result) string {
	if len(results) == 0 {
		return ""
	}
	values := column(results[len(results)-1])
	if len(values) != 1 {
		return ""
	}
	return values[0]
}
