package database

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// Session is another session of the same database, or a transaction that was prepared in it and that no session owns.
type Session struct {
	PID         int    // 0 of a prepared transaction
	Prepared    string // name of a prepared transaction
	Application string
	User        string
	State       string        // as in pg_stat_activity: active, idle, idle in transaction
	Age         time.Duration // of its transaction, or else of the session
	Hidden      bool          // state and age are kept from this role: the session is another's
	transaction string        // tells its transactions apart, where a lock was looked for
}

// String names the session for a message.
func (s Session) String() string {
	text := fmt.Sprintf("process %d", s.PID)
	if s.Prepared != "" {
		text = fmt.Sprintf("prepared transaction %q", s.Prepared)
	}
	if s.Application != "" {
		text += " of " + s.Application
	}
	if s.User != "" {
		text += ", user " + s.User
	}
	if s.State != "" {
		text += ", " + s.State
	}
	if s.Hidden {
		return text + ", for how long is not visible to this user"
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

// sessionColumns are null for what the server hides from a role without pg_read_all_stats.
const sessionColumns = `a.pid, '', coalesce(a.application_name, ''), coalesce(a.usename, ''), coalesce(a.state, ''),
	extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.backend_start))::float8`

// sessions lists the other client sessions of this database, the oldest transaction first.
func (db *DB) sessions(ctx context.Context) ([]Session, error) {
	return querySessions(ctx, db.conn, `SELECT `+sessionColumns+`, '' FROM pg_stat_activity a
		WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.usesysid IS NOT NULL
		AND coalesce(a.backend_type, 'client backend') = 'client backend'
		ORDER BY 6 DESC NULLS LAST, 1`)
}

// harmless are the locks that a revision does not wait for unless it rewrites or deletes the table: those of readers.
var harmless = []string{"AccessShareLock", "RowShareLock"}

// want says which locks a step asks for.
type want struct {
	tables  []string // of schema public; none for all
	readers bool     // has to wait for those that only read, too
}

// wants returns the locks of the step between two revisions, alembic_version's left out.
func wants(from, to string) want {
	id := max(from, to)
	return want{tables: slices.Concat(rewrites[id], drops[id], refers[id]), readers: to < from || rewrites[id] != nil}
}

// refers lists the tables that a revision changes besides those that it makes: foreign keys and indexes are added.
var refers = map[string][]string{
	"0002": {"user"}, "0003": {"group"}, "0004": {"group"}, "0005": {"user", "group"}, "0006": {"connection"},
	"0007": {"group", "queue", "connection"}, "0008": {"transfer"}, "0013": {"celery_taskmeta", "celery_tasksetmeta"},
}

// tableHolders lists the other sessions, and the prepared transactions, that hold a lock which the wanted ones wait for.
// Any lock on alembic_version is one.
func tableHolders(ctx context.Context, conn *pgx.Conn, w want) ([]Session, error) {
	const held = `SELECT l.pid, l.virtualtransaction FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
		WHERE l.locktype = 'relation' AND l.granted AND c.relnamespace = 'public'::regnamespace
			AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
			AND l.pid IS DISTINCT FROM pg_backend_pid()
			AND (c.relname = 'alembic_version' OR ((cardinality($1::text[]) = 0 OR c.relname = ANY ($1))
				AND l.mode <> ALL ($2::text[])))`
	ignored := harmless
	if w.readers {
		ignored = []string{}
	}
	if w.tables == nil {
		w.tables = []string{}
	}
	return querySessions(ctx, conn, `WITH held AS (`+held+`)
		SELECT `+sessionColumns+`, (SELECT min(h.virtualtransaction) FROM held h WHERE h.pid = a.pid) FROM pg_stat_activity a
		WHERE a.pid IN (SELECT pid FROM held)
		UNION ALL SELECT 0, p.gid, '', p.owner::text, '', extract(epoch FROM clock_timestamp() - p.prepared)::float8, p.transaction::text
		FROM pg_prepared_xacts p WHERE p.database = current_database()
			AND p.transaction::text IN (SELECT split_part(virtualtransaction, '/', 2) FROM held WHERE pid IS NULL)
		ORDER BY 6 DESC NULLS LAST, 1`, w.tables, ignored)
}

// TableHolders names the sessions that have held a lock on a table of schema public for longer than a transaction of
// SyncMaster takes: a revision that rewrites the table would wait for them. Where the age of a transaction is hidden
// from this role, it is watched for that long.
func (db *DB) TableHolders(ctx context.Context, longer time.Duration) ([]string, error) {
	everything := want{readers: true}
	holders, err := tableHolders(ctx, db.conn, everything)
	if err != nil {
		return nil, err
	}
	var names []string
	hidden := map[string]bool{}
	for _, s := range holders {
		hidden[s.transaction] = s.Hidden
		if !s.Hidden && s.Age > longer {
			names = append(names, s.String())
		}
	}
	if !slices.ContainsFunc(holders, func(s Session) bool { return s.Hidden }) {
		return names, nil
	}
	if err := sleep(ctx, longer); err != nil {
		return nil, fmt.Errorf("watching the locks: %w", err)
	}
	holders, err = tableHolders(ctx, db.conn, everything)
	for _, s := range holders {
		if s.Hidden && hidden[s.transaction] {
			names = append(names, s.String())
		}
	}
	return names, err
}

// lockHolders lists the sessions that hold an advisory lock of this database by its 64-bit key.
func lockHolders(ctx context.Context, conn *pgx.Conn, key int64) ([]Session, error) {
	return querySessions(ctx, conn, `SELECT `+sessionColumns+`, '' FROM pg_stat_activity a
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
		var seconds *float64
		err := row.Scan(&s.PID, &s.Prepared, &s.Application, &s.User, &s.State, &seconds, &s.transaction)
		if s.Hidden = seconds == nil; !s.Hidden {
			s.Age = time.Duration(max(*seconds, 0) * float64(time.Second))
		}
		return s, err
	})
	if err != nil {
		return nil, fmt.Errorf("listing the sessions: %w", err)
	}
	return sessions, nil
}
