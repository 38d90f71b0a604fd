package database

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/golang-migrate/migrate/v4/database"
	"github.com/jackc/pgx/v5"
)

// driver is golang-migrate's database.Driver over one session. A revision's SQL and the change of alembic_version are
// one transaction: SetVersion(v, true) begins it and takes the lock that Alembic's own statements wait for, Run
// executes the file, SetVersion(v, false) writes the revision and commits. What golang-migrate calls dirty exists
// between the two only, in memory.
type driver struct {
	ctx    context.Context // of the whole run: golang-migrate passes none
	conn   *pgx.Conn
	server int // server_version_num
	policy policy
	upward int            // 1 or -1: the only direction the run may take; 0 for any
	report func(Progress) // nil for none
	// agreed are the rows, by revision and table, that undoing may delete; what is not in it is not undone
	agreed  map[string]map[string]int64
	wants   *want // the locks of what is no step
	replace bool  // alembic_version's rows, whatever they are, are replaced: a forced stamp

	locked  atomic.Bool
	read    bool   // current holds what the database said
	current string // revision, empty for none
	pending *pending
	applied []Applied
}

// pending is an open transaction.
type pending struct {
	target  int
	rows    []string // of alembic_version before
	txid    string
	started time.Time
	tries   int
}

// Open is refused: a driver is made over a session that is open already.
func (d *driver) Open(string) (database.Driver, error) {
	return nil, errors.New("opening a migration driver by URL is not supported")
}

// Close does nothing: the session belongs to [DB].
func (d *driver) Close() error { return nil }

// Drop is refused: nothing here deletes a schema.
func (d *driver) Drop() error { return errors.New("dropping the schema is not supported") }

// Lock takes the advisory lock that keeps two runs of this program apart.
func (d *driver) Lock() error {
	return database.CasRestoreOnErr(&d.locked, false, true, database.ErrLocked, d.acquire)
}

// Unlock rolls back what is open and releases the advisory lock. With the session gone, both have happened already.
func (d *driver) Unlock() error {
	return database.CasRestoreOnErr(&d.locked, true, false, database.ErrNotLocked, d.release)
}

// Version returns the revision of the database as a number, -1 for none, or the pending one.
func (d *driver) Version() (version int, dirty bool, err error) {
	if d.pending != nil {
		return d.pending.target, true, nil
	}
	rows, err := readVersions(d.ctx, d.conn)
	if err != nil {
		return 0, false, err
	}
	if d.current, err = soleRevision(rows); err != nil {
		return 0, false, err
	}
	d.read = true
	return number(d.current), false, nil
}

// SetVersion begins a revision's transaction (dirty), or ends it (not dirty). Without a transaction for this version,
// the latter just writes the version.
func (d *driver) SetVersion(version int, dirty bool) error {
	if dirty {
		return d.begin(version)
	}
	if d.pending == nil || d.pending.target != version {
		if err := d.begin(version); err != nil {
			return err
		}
	}
	return d.commit()
}

// Run executes a file's SQL inside the pending transaction, or on its own where there is none.
func (d *driver) Run(migration io.Reader) error {
	body, err := io.ReadAll(migration)
	if err != nil {
		return fmt.Errorf("reading a migration: %w", err)
	}
	if d.pending == nil {
		return d.execute(script{name: "SQL outside of a migration", body: string(body)})
	}
	s, err := d.script()
	if err != nil {
		return err
	}
	// golang-migrate only logs an error of reading its source and would run the part that it has.
	if sha256.Sum256(body) != s.sum {
		return errors.Join(fmt.Errorf("reading %s: it arrived changed or incomplete", s.name), d.rollback())
	}
	return d.runScript(s)
}

// script returns the file that leads from the current revision to the pending one.
func (d *driver) script() (script, error) {
	files := embedded()
	if from := number(d.current); d.pending.target < from {
		return files.down[d.current], nil
	}
	s, ok := files.up[revisionID(d.pending.target)]
	if !ok {
		return script{}, errors.Join(fmt.Errorf("running revision %d: it is not embedded", d.pending.target), d.rollback())
	}
	return s, nil
}

// runScript executes a file and does the whole transaction again where a table lock could not be had.
func (d *driver) runScript(s script) error {
	target := d.pending.target
	for {
		err := d.guardRows()
		if err == nil {
			err = d.execute(s)
		}
		if err == nil {
			return d.checkTransaction(s)
		}
		tries := d.pending.tries + 1
		err = errors.Join(err, d.rollback())
		if err := d.again(err, target, tries); err != nil {
			return err
		}
		if err := d.begin(target); err != nil {
			return err
		}
		d.pending.tries = tries
	}
}

// execute sends a file as one message, followed by a question for the transaction it ended in.
func (d *driver) execute(s script) error {
	results, err := d.conn.PgConn().Exec(d.ctx, s.body+"\n;SELECT txid_current()::text").ReadAll()
	if err != nil {
		return scriptError(s, err)
	}
	if d.pending != nil && firstValue(results) != d.pending.txid {
		return fmt.Errorf("running %s: it ended its own transaction", s.name)
	}
	return nil
}

// checkTransaction makes sure that the session is still inside the transaction after a file has run.
func (d *driver) checkTransaction(s script) error {
	if status := d.conn.PgConn().TxStatus(); status != 'T' {
		return errors.Join(fmt.Errorf("running %s: it left its transaction (status %q)", s.name, status), d.rollback())
	}
	return nil
}

// again decides whether the failed step to a version is tried again, waits, and tells who is in the way.
func (d *driver) again(err error, target, tries int) error {
	state := sqlState(err)
	if (state != codeLockNotAvailable && state != codeDeadlock) || d.conn.IsClosed() {
		return err
	}
	wanted := wants(d.current, revisionID(target))
	if d.wants != nil {
		wanted = *d.wants
	}
	holders, holdersErr := tableHolders(d.ctx, d.conn, wanted)
	if holdersErr != nil {
		return errors.Join(err, holdersErr)
	}
	revision := max(d.current, revisionID(target))
	if tries >= d.policy.tries {
		return lockTimeout("a table of SyncMaster", holders, err)
	}
	d.emit(Progress{Phase: Waiting, Revision: revision, Tries: tries, Holders: holders})
	return d.policy.pause(d.ctx, tries)
}

func (d *driver) emit(p Progress) {
	if d.report != nil {
		d.report(p)
	}
}
