package database

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/source/iofs"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/migrations"
)

// Phase says what a [Progress] tells.
type Phase string

const (
	// Done is a revision that is committed.
	Done Phase = "done"
	// Waiting is a lock that another session holds; the revision is rolled back and will be tried again.
	Waiting Phase = "waiting"
	// Vacuuming is the maintenance of a rewritten table after the last revision.
	Vacuuming Phase = "vacuuming"
)

// Progress is one event of a run.
type Progress struct {
	Phase    Phase
	Revision string // empty while waiting for another run
	Table    string // while vacuuming
	Up       bool
	Took     time.Duration
	Rows     int64 // rewritten, estimate
	Tries    int
	Holders  []Session
}

// Applied is a revision that was committed.
type Applied struct {
	From, To string // empty for none
	Took     time.Duration
	Rows     int64 // rewritten, estimate
}

// Up reports the direction.
func (a Applied) Up() bool { return a.From < a.To }

// Revision returns the id of the revision that was applied or undone.
func (a Applied) Revision() string { return max(a.From, a.To) }

// Result is what a run did, also where it failed.
type Result struct {
	From, To string // revision before and after; empty for none
	Applied  []Applied
	Took     time.Duration
	Drift    Drift // after a whole run
	// Rewritten tables have lost their visibility map and statistics: see [DB.Vacuum]
	Rewritten []TableFacts
}

// Migrate carries a plan out: each revision in one transaction, in order. report, which may be nil, hears of every step.
// The result tells what was committed, also beside an error; a cancelled context ends the run after rolling back the
// revision under way. Another run or Alembic that did a part of the work meanwhile is no error, but rows that the plan
// does not know are not deleted: a [LossError]. [DB.Vacuum] is left to the caller, who may have a service to start
// first.
func (db *DB) Migrate(ctx context.Context, p Plan, report func(Progress)) (Result, error) {
	started := time.Now()
	result := Result{From: p.From, To: p.From}
	if len(p.Steps) > 0 {
		err := db.run(ctx, p, report, &result)
		result.Rewritten = p.rewritten(result.Applied)
		if err != nil {
			result.Took = time.Since(started)
			return result, explain(ctx, err)
		}
	}
	var err error
	result.Drift, err = db.Check(ctx)
	if err == nil {
		err = unexpected(result.Drift)
	}
	result.Took = time.Since(started)
	return result, err
}

// run lets golang-migrate's core apply the steps, again where another program moved the database in between.
func (db *DB) run(ctx context.Context, p Plan, report func(Progress), result *Result) error {
	drv := db.driver(ctx, report)
	drv.upward = 1
	if p.From > p.To {
		drv.upward, drv.agreed = -1, p.losses()
	}
	rows := map[string]int64{}
	for _, s := range p.Steps {
		rows[s.Revision.ID] = s.Rows()
	}
	drv.report = func(e Progress) {
		e.Rows = rows[e.Revision]
		if report != nil {
			report(e)
		}
	}
	err := drv.migrate(p.To)
	var moved *MovedError
	for n := 0; errors.As(err, &moved) && n < len(p.Steps) && drv.upward*(number(p.To)-number(moved.Found)) >= 0; n++ {
		err = drv.migrate(p.To)
	}
	result.Applied = drv.applied
	for i := range result.Applied {
		result.Applied[i].Rows = rows[result.Applied[i].Revision()]
	}
	if drv.read {
		result.To = drv.current
	}
	var doubt *InDoubtError
	if errors.As(err, &doubt) {
		db.settle(ctx, doubt)
	}
	if doubt != nil && doubt.Asked {
		if doubt.Committed {
			result.Applied = append(result.Applied, Applied{From: doubt.From, To: doubt.Revision, Rows: rows[max(doubt.From, doubt.Revision)]})
		}
		result.To = doubt.Found
	}
	return err
}

func (db *DB) driver(ctx context.Context, report func(Progress)) *driver {
	return &driver{ctx: ctx, conn: db.conn, server: db.version, policy: db.policy, report: report}
}

// migrate runs golang-migrate's core up or down to a revision; already being there is no error.
func (d *driver) migrate(to string) error {
	files, err := iofs.New(migrations.FS, ".")
	if err != nil {
		return fmt.Errorf("opening the embedded migrations: %w", err)
	}
	core, err := migrate.NewWithInstance("iofs", files, "postgresql", d)
	if err != nil {
		return fmt.Errorf("preparing the migrations: %w", err)
	}
	// The core's own limit abandons the waiting goroutine, which then takes the lock all the same: ours comes first.
	core.LockTimeout = d.policy.runLock + time.Minute
	if to == "" {
		err = core.Down()
	} else {
		var version uint64
		if version, err = strconv.ParseUint(to, 10, 32); err == nil {
			err = core.Migrate(uint(version))
		}
	}
	if errors.Is(err, migrate.ErrNoChange) {
		return nil
	}
	return err
}

// settle asks the database what became of a commit whose answer was lost. The run lock is taken first: it is free only
// when the lost session's server process has ended.
func (db *DB) settle(ctx context.Context, doubt *InDoubtError) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), db.policy.reconnect)
	defer cancel()
	_ = db.conn.Close(ctx) // it is lost; its socket is all that there is to free
	rows, err := db.ask(ctx)
	if err != nil {
		doubt.Err = errors.Join(doubt.Err, err)
		return
	}
	doubt.Asked, doubt.Found = true, strings.Join(rows, ", ")
	doubt.Committed = doubt.Found == doubt.Revision
}

// ask reconnects, for as long as the context allows, and reads alembic_version under the run lock.
func (db *DB) ask(ctx context.Context) (rows []string, err error) {
	for n := 0; ; n++ {
		fresh, err := Connect(ctx, db.target)
		if err == nil {
			fresh.policy = db.policy
			*db = *fresh
			break
		}
		if !Retryable(err) {
			return nil, err
		}
		if waitErr := db.policy.pause(ctx, n); waitErr != nil {
			return nil, errors.Join(err, waitErr)
		}
	}
	drv := db.driver(ctx, nil)
	if err := drv.Lock(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, drv.Unlock()) }()
	return readVersions(ctx, db.conn)
}

// rewritten returns the tables with rows that the revisions have written anew and that are still there.
func (p Plan) rewritten(applied []Applied) []TableFacts {
	var tables []TableFacts
	for _, s := range p.Steps {
		done := slices.ContainsFunc(applied, func(a Applied) bool { return a.Revision() == s.Revision.ID })
		for _, t := range s.Rewrites {
			if done && t.Heap > 0 && !p.drops(applied, t.Name) {
				tables = append(tables, t)
			}
		}
	}
	return tables
}

// Vacuum brings back the visibility map and the statistics of tables, which their rewriting has thrown away. It goes on
// where one fails.
func (db *DB) Vacuum(ctx context.Context, tables []TableFacts, report func(Progress)) error {
	var errs []error
	for _, t := range tables {
		started := time.Now()
		if err := db.vacuumTable(ctx, t.Name); err != nil {
			errs = append(errs, err)
			continue
		}
		if report != nil {
			report(Progress{Phase: Vacuuming, Table: t.Name, Rows: t.Rows, Took: time.Since(started)})
		}
	}
	return errors.Join(errs...)
}

func (db *DB) vacuumTable(ctx context.Context, name string) (err error) {
	exec := func(ctx context.Context, sql string) error {
		if _, err := db.conn.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
			return fmt.Errorf("vacuuming %s: %w", name, err)
		}
		return nil
	}
	if err := exec(ctx, fmt.Sprintf("SET lock_timeout = %d", db.policy.tableLock.Milliseconds())); err != nil {
		return err
	}
	defer func() {
		if !db.conn.IsClosed() {
			err = errors.Join(err, exec(context.WithoutCancel(ctx), "RESET lock_timeout"))
		}
	}()
	return exec(ctx, "VACUUM (ANALYZE) public."+quoteName(name))
}

// unexpected turns differences after a run into an error.
func unexpected(d Drift) error {
	left := d.Unexplained()
	if len(left) == 0 {
		return nil
	}
	return fault.New(fault.Failed, fmt.Errorf("checking the schema at revision %s: %s", display(d.Revision), left[0].Words),
		"run the check command for the whole list")
}

// explainWhole is [explain] for what is one transaction: a missing right means that nothing was changed.
func explainWhole(ctx context.Context, err error) error {
	if err = explain(ctx, err); sqlState(err) == codeInsufficientRight {
		return fault.New(fault.Refused, err, fault.HintOf(err))
	}
	return err
}

// explain adds hint and exit code to a failure of a run.
func explain(ctx context.Context, err error) error {
	var moved *MovedError
	var doubt *InDoubtError
	switch {
	case fault.HintOf(err) != "":
		return err
	case errors.As(err, &moved):
		return fault.New(fault.Refused, err, "find out who else migrates this database, and run again")
	case errors.As(err, &doubt):
		return fault.New(fault.Failed, err, "run again: it continues from the revision that the database is at")
	case ctx.Err() != nil: // the server's own words are only that a statement was cancelled
		return fault.New(fault.Interrupted, err, "run again: it continues from the revision that the database is at")
	}
	switch sqlState(err) {
	case codeInsufficientRight:
		return fault.New(fault.Failed, err, "the user of the database URL must own SyncMaster's tables and the database")
	case codeExtensionNotPresent:
		return fault.New(fault.Failed, err, "install PostgreSQL's contrib package on the server's host")
	case codeDiskFull:
		return fault.New(fault.Failed, err, "free disk space on the server: a rewritten table needs its own size again, and WAL")
	case codeLockNotAvailable:
		return fault.New(fault.Locked, err, lockHint)
	case codeReadOnly:
		return fault.New(fault.Refused, err, "the server accepts no changes: give the address of the primary")
	case codeAdminShutdown, codeCrashShutdown:
		return fault.New(fault.Failed, err, "the server ended the session; the revision was rolled back: run again")
	}
	return fault.New(fault.Failed, err, "the revision was rolled back: correct the cause and run again")
}
