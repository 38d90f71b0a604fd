package engine

import (
	"context"
	"strings"
	"time"
)

const (
	settlePause = 200 * time.Millisecond
	settleLimit = 10 * time.Second
)

// settled does something with a project's containers, and again while the engine lists one that it does not know yet,
// or any more: it completes what a run that was killed has asked for, and lists a container first and forgets it last.
func settled(ctx context.Context, do func() error) error {
	deadline := time.Now().Add(settleLimit)
	for {
		err := do()
		if err == nil || !strings.Contains(err.Error(), "No such container") || time.Now().After(deadline) { // the SDK's error has no code
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(settlePause):
		}
	}
}
