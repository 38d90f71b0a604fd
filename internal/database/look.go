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

// Work is a run that has begun and not ended, with the queue that it came through.
type Work struct {
	ID       int64
	Transfer string
	Queue    string // slug
	Status   string
	Age      time.Duration
}

// Queues returns the queues in the order of their slugs; none where there is no such table yet.
func (db *DB) Queues(ctx context.Context) ([]Queue, error) {
	return collect(ctx, db, "the queues", func(row pgx.CollectableRow) (q Queue, err error) {
		return q, row.Scan(&q.Name, &q.Slug, &q.Waiting)
	}, `SELECT q.name, q.slug, (SELECT count(*) FROM public.run r JOIN public.transfer t ON t.id = r.transfer_id
			WHERE r.status = 'CREATED' AND t.queue_id = q.id)
		FROM public.queue q ORDER BY q.slug`)
}

// AtWork returns the oldest n runs that a worker has begun and not ended. One that was asked to stop still runs; a worker
// that was killed leaves its runs like this for ever (contract.md, section 3).
func (db *DB) AtWork(ctx context.Context, n int) ([]Work, error) {
	return collect(ctx, db, "the runs", func(row pgx.CollectableRow) (r Work, err error) {
		var seconds float64
		err = row.Scan(&r.ID, &r.Transfer, &r.Queue, &r.Status, &seconds)
		r.Age = time.Duration(seconds * float64(time.Second))
		return r, err
	}, `SELECT r.id, t.name, q.slug, r.status,
			greatest(extract(epoch FROM now() - coalesce(r.started_at, r.updated_at)), 0)::float8
		FROM public.run r JOIN public.transfer t ON t.id = r.transfer_id JOIN public.queue q ON q.id = t.queue_id
		WHERE r.status = 'STARTED' OR (r.status = 'SEND_STOP_SIGNAL' AND r.started_at IS NOT NULL AND r.ended_at IS NULL)
		ORDER BY coalesce(r.started_at, r.updated_at), r.id LIMIT $1`, n)
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
