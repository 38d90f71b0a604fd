package database

import (
	"context"
	"math/rand/v2"
	"time"
)

// policy holds the limits of everything that waits.
type policy struct {
	runLock      time.Duration // for the advisory lock of another run
	tableLock    time.Duration // for one table lock: readers queue behind us that long, so it is short
	tries        int           // of one revision whose table lock was not had or that met a deadlock
	reconnect    time.Duration // for the server to come back after a commit whose connection was lost
	shortest     time.Duration // first pause between two tries
	longest      time.Duration // last pause between two tries
	beforeCommit func()        // where tests cut the connection; nil otherwise
}

func defaultPolicy() policy {
	return policy{
		runLock: 30 * time.Second, tableLock: 2 * time.Second, tries: 8, reconnect: 30 * time.Second,
		shortest: 50 * time.Millisecond, longest: 3 * time.Second,
	}
}

// pause waits before try n+1, longer each time and never twice the same, so that several waiters do not meet again.
func (p policy) pause(ctx context.Context, n int) error {
	wait := p.longest
	if n < 16 {
		wait = min(p.longest, p.shortest<<n)
	}
	return sleep(ctx, wait/2+rand.N(wait/2+1)) //nolint:gosec // spreads waiters, keeps no secret
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
