package database

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5"
)

// Session is another session of the same database.
type Session struct {
	PID         int
	Application string // empty where this role may not see it
	User        string
	State       string        // as in pg_stat_activity: active, idle, idle in transaction
	Age         time.Duration // of its transaction, or else of the session
	Waiting     bool
}

// String names the session for a message.
func (s Session) String() string {
	text := fmt.Sprintf("process %d", s.PID)
	if s.Application != "" {
		text += " of " + s.Application
	}
	if s.User != "" {
		text += ", user " + s.User
	}
	if s.State != "" {
		text += ", " + s.State
	}
	return fmt.Sprintf("%s, for %s", text, s.Age.Round(time.Second))
}

// SessionsFrom counts the client sessions that come from an address, in any database of the server. It tells whether a
// program that talks to nothing but the database has got through.
func (db *DB) SessionsFrom(ctx context.Context, address netip.Addr) (int, error) {
	var count int
	err := db.conn.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity
		WHERE client_addr = $1::text::inet AND pid <> pg_backend_pid()`, address.Unmap().WithZone("").String()).Scan(&count)
	if err != nil {
		return 0, fmt.Errorf("counting the sessions from %s: %w", address, err)
	}
	return count, nil
}

const sessionColumns = `a.pid, coalesce(a.application_name, ''), coalesce(a.usename, ''), coalesce(a.state, ''),
	coalesce(extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.backend_start)), 0)::float8,
	a.wait_event_type IS NOT DISTINCT FROM 'Lock'`

// sessions lists the other client sessions of this database.
func (db *DB) sessions(ctx context.Context) ([]Session, error) {
	return querySessions(ctx, db.conn, `SELECT `+sessionColumns+` FROM pg_stat_activity a
		WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.usesysid IS NOT NULL
		AND coalesce(a.backend_type, 'client backend') = 'client backend'
		ORDER BY 5 DESC`)
}

// tableHolders lists the other sessions that hold a lock on a table of schema public.
func tableHolders(ctx context.Context, conn *pgx.Conn) ([]Session, error) {
	return querySessions(ctx, conn, `SELECT `+sessionColumns+` FROM pg_stat_activity a
		WHERE a.pid <> pg_backend_pid() AND a.pid IN (
			SELECT l.pid FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
			WHERE l.locktype = 'relation' AND l.granted AND c.relnamespace = 'public'::regnamespace
				AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
		ORDER BY 5 DESC`)
}

// TableHolders names the sessions that have held a lock on a table of schema public for longer than a transaction of
// SyncMaster takes: a revision that rewrites the table would wait for them.
func (db *DB) TableHolders(ctx context.Context, longer time.Duration) ([]string, error) {
	holders, err := tableHolders(ctx, db.conn)
	var names []string
	for _, s := range holders {
		if s.Age > longer {
			names = append(names, s.String())
		}
	}
	return names, err
}

// lockHolders lists the sessions that hold an advisory lock of this database by its 64-bit key.
func lockHolders(ctx context.Context, conn *pgx.Conn, key int64) ([]Session, error) {
	return querySessions(ctx, conn, `SELECT `+sessionColumns+` FROM pg_stat_activity a
		JOIN pg_locks l ON l.pid = a.pid AND l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
			AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
			AND (l.classid::bigint << 32 | l.objid::bigint) = $1 AND a.pid <> pg_backend_pid()`, key)
}

func querySessions(ctx context.Context, conn *pgx.Conn, sql string, args ...any) ([]Session, error) {
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("listing the sessions: %w", err)
	}
	sessions, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Session, error) {
		var s Session
		var seconds float64
		err := row.Scan(&s.PID, &s.Application, &s.User, &s.State, &seconds, &s.Waiting)
		s.Age = time.Duration(seconds * float64(time.Second))
		return s, err
	})
	if err != nil {
		return nil, fmt.Errorf("listing the sessions: %w", err)
	}
	return sessions, nil
}
