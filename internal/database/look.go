package database

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Queue is a queue of SyncMaster.
type Queue struct {
	Name, Slug string
	Waiting    int // runs that were created and not begun
}

// Run is a run of a transfer that has begun and not ended, with the queue that it came through.
type Run struct {
	ID       int64
	Transfer string // its name
	Queue    string // slug
	Status   string
	Started  time.Time     // by the clock of its worker
	Age      time.Duration // by the clock of the database
}

// Queues returns the queues in the order of their slugs; none where there is no such table yet.
func (db *DB) Queues(ctx context.Context) ([]Queue, error) {
	return collect(ctx, db, "the queues", func(row pgx.CollectableRow) (q Queue, err error) {
		return q, row.Scan(&q.Name, &q.Slug, &q.Waiting)
	}, `SELECT q.name, q.slug, (SELECT count(*) FROM public.run r JOIN public.transfer t ON t.id = r.transfer_id
			WHERE r.status = 'CREATED' AND t.queue_id = q.id)
		FROM public.queue q ORDER BY q.slug`)
}

// Runs returns the runs that a worker has begun and not ended, the oldest first; at most n of them, 0 for all. One that
// was asked to stop still runs; a worker that was killed leaves its runs like this for ever (contract.md, section 3).
func (db *DB) Runs(ctx context.Context, n int) ([]Run, error) {
	return collect(ctx, db, "the runs in progress", func(row pgx.CollectableRow) (r Run, err error) {
		var seconds float64
		err = row.Scan(&r.ID, &r.Transfer, &r.Queue, &r.Status, &r.Started, &seconds)
		r.Age = time.Duration(seconds * float64(time.Second))
		return r, err
	}, `SELECT r.id, t.name, q.slug, r.status, s.at, greatest(extract(epoch FROM now() - s.at), 0)::float8
		FROM public.run r JOIN public.transfer t ON t.id = r.transfer_id JOIN public.queue q ON q.id = t.queue_id,
			LATERAL (SELECT coalesce(r.started_at, r.updated_at, r.created_at) AS at) s
		WHERE r.status = 'STARTED' OR (r.status = 'SEND_STOP_SIGNAL' AND r.started_at IS NOT NULL AND r.ended_at IS NULL)
		ORDER BY s.at, r.id LIMIT nullif($1, 0)`, n)
}

// collect runs a query whose tables may not exist yet, which gives nothing.
func collect[T any](ctx context.Context, db *DB, what string, scan pgx.RowToFunc[T], sql string, args ...any) ([]T, error) {
	rows, err := db.conn.Query(ctx, sql, args...)
	if err == nil {
		var list []T
		if list, err = pgx.CollectRows(rows, scan); err == nil {
			return list, nil
		}
	}
	if sqlState(err) == codeUndefinedTable {
		return nil, nil
	}
	return nil, fmt.Errorf("reading %s: %w", what, err)
}
