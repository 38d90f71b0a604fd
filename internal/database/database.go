// Package database is the PostgreSQL adapter: it observes SyncMaster's database and brings its schema from one Alembic
// revision to another, with alembic_version as the only version table. pgx and golang-migrate live here only.
package database

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"syncmaster-setup/internal/fault"
)

const (
	// cancelGrace is how long a cancelled statement may take to end before its connection is given up.
	cancelGrace = 5 * time.Second
	// cleanupLimit bounds what is done after a failure: rolling back, unlocking, closing.
	cleanupLimit = 10 * time.Second

	// readLimit is lock_timeout outside of migrations.
	readLimit = "30s"

	poolerHint = "use the address of PostgreSQL itself, not of PgBouncer or another pooler: the migration lock does not survive one"
)

// sessionSettings override what the role, the database or the server may have set. The catalogue prints names without
// a schema only for what search_path holds, and backslashes in the migrations need standard_conforming_strings. They
// are part of the connection's first message: a pooler that would leak them to other clients refuses them there.
func sessionSettings() map[string]string {
	return map[string]string{
		"application_name":                    applicationName,
		"client_encoding":                     "UTF8",
		"client_min_messages":                 "warning",
		"idle_in_transaction_session_timeout": "0",
		"lock_timeout":                        readLimit, // while another program migrates, alembic_version cannot be read
		"search_path":                         "public",
		"standard_conforming_strings":         "on",
		"statement_timeout":                   "0",
	}
}

// DB is one session on a database. It is not safe for concurrent use.
type DB struct {
	target  Target
	conn    *pgx.Conn
	version int // as in server_version_num: 170002 for 17.2
	policy  policy
}

// Connect opens a session, trying once, where the embedded files are what they should be. Errors carry a hint and an exit
// code; [Retryable] tells those that may pass. A connection pooler is refused. The caller closes what it gets.
func Connect(ctx context.Context, target Target) (*DB, error) {
	if err := Verify(); err != nil {
		return nil, err
	}
	config, err := target.config()
	if err != nil {
		return nil, fault.New(fault.BadInput, err, urlForm)
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, connectError(target, err)
	}
	db := &DB{target: target, conn: conn, policy: defaultPolicy()}
	if err := db.prepare(ctx); err != nil {
		return nil, errors.Join(err, db.Close(context.WithoutCancel(ctx)))
	}
	return db, nil
}

// Close ends the session.
func (db *DB) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, cleanupLimit)
	defer cancel()
	if err := db.conn.Close(ctx); err != nil {
		return fmt.Errorf("closing the session on %s: %w", db.target, err)
	}
	return nil
}

// prepare refuses poolers and readies the session: the server notices within half a minute that the client's host or the
// way to it is gone, from PostgreSQL 14 on within half a second that the client was killed, and frees its locks. A pooler
// hands out a process id of its own at the start of the session, so that the server's differs (research on PgBouncer; true
// of Odyssey and pgcat too).
func (db *DB) prepare(ctx context.Context) error {
	var pid uint32
	err := db.conn.QueryRow(ctx, "SELECT pg_backend_pid(), current_setting('server_version_num')::int").
		Scan(&pid, &db.version)
	if err != nil {
		return connectError(db.target, err)
	}
	if pid != db.conn.PgConn().PID() {
		return fault.New(fault.Refused, fmt.Errorf("connecting to %s: a connection pooler answers there", db.target), poolerHint)
	}
	if db.version < oldestServer {
		return nil // which every use of the session refuses
	}
	sql := "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; SET tcp_user_timeout = '25s'"
	if db.version >= 140000 {
		_, err = db.conn.PgConn().Exec(ctx, sql+"; SET client_connection_check_interval = '500ms'").ReadAll()
	}
	if db.version < 140000 || sqlState(err) == codeInvalidParameter { // platforms without the needed poll() refuse the value
		_, err = db.conn.PgConn().Exec(ctx, sql).ReadAll()
	}
	if err != nil {
		return connectError(db.target, err)
	}
	return nil
}
