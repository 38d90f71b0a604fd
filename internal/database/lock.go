package database

import (
	"context"
	"errors"
	"fmt"
	"time"

	"syncmaster-setup/internal/fault"
)

// lockKey names the advisory lock of this program's runs: "syncmast" in ASCII.
const lockKey int64 = 0x73796e636d617374

const lockHint = "wait until the other session has finished, or end it, and try again"

// acquire polls for the advisory lock. It never blocks in the server: a session that waits inside pg_advisory_lock
// keeps a snapshot and deadlocks with CREATE INDEX CONCURRENTLY.
func (d *driver) acquire() error {
	deadline := time.Now().Add(d.policy.runLock)
	for n := 0; ; n++ {
		var got bool
		if err := d.conn.QueryRow(d.ctx, "SELECT pg_try_advisory_lock($1)", lockKey).Scan(&got); err != nil {
			return fmt.Errorf("taking the migration lock: %w", err)
		}
		if got {
			return nil
		}
		holders, err := lockHolders(d.ctx, d.conn, lockKey)
		if err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return lockTimeout("the migration of this database", holders, nil)
		}
		if n > 0 {
			d.emit(Progress{Phase: Waiting, Tries: n, Holders: holders})
		}
		if err := d.policy.pause(d.ctx, n); err != nil {
			return fmt.Errorf("waiting for the migration lock: %w", err)
		}
	}
}

// release rolls back and unlocks, also after the run was cancelled.
func (d *driver) release() error {
	if d.conn.IsClosed() {
		d.pending = nil
		return nil
	}
	if err := d.rollback(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.ctx), cleanupLimit)
	defer cancel()
	var released bool
	err := d.conn.QueryRow(ctx, "SELECT pg_advisory_unlock($1)", lockKey).Scan(&released)
	if err == nil && !released {
		err = errors.New("the session did not hold it")
	}
	if err != nil {
		return fmt.Errorf("releasing the migration lock: %w", err)
	}
	return nil
}

func lockTimeout(what string, holders []Session, err error) error {
	return fault.New(fault.Locked, &LockedError{What: what, Holders: holders, Err: err}, lockHint)
}
