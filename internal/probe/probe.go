// Package probe finds out when a service is ready, by its real protocol: HTTP, AMQP, or any check that the caller
// brings. One loop, [Wait], does all the waiting.
package probe

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	defaultInterval = 100 * time.Millisecond
	maxInterval     = 500 * time.Millisecond
	// defaultEager: what starts at all has mostly started by then, and a pause that has grown before is time lost at the
	// end of the wait.
	defaultEager = 20 * time.Second
)

// ErrGaveUp is in the error of a wait that reached its limit.
var ErrGaveUp = errors.New("gave up")

// Options of one wait.
type Options struct {
	// What is waited for, for messages: "the server".
	What string
	// Limit is the longest wait. It must be positive.
	Limit time.Duration
	// Interval is the pause between checks, 100 ms where it is 0.
	Interval time.Duration
	// Eager is how long the pause stays as short, 20 s where it is 0; then it grows slowly to 500 ms.
	Eager time.Duration
}

// Wait runs check until it returns nil, at once and then again after each pause. The check gets a context that ends
// with the limit. An error made by [Fatal] ends the wait at once; any other error means "not yet", and the last one is
// told when the limit is reached or ctx ends.
func Wait(ctx context.Context, options Options, check func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, options.Limit)
	defer cancel()
	pause := options.Interval
	if pause <= 0 {
		pause = defaultInterval
	}
	eager := options.Eager
	if eager <= 0 {
		eager = defaultEager
	}
	began := time.Now()
	var last error
	for {
		err := check(limited)
		if err == nil {
			return nil
		}
		var fatal *fatalError
		if errors.As(err, &fatal) {
			return fmt.Errorf("waiting for %s: %w", options.What, err)
		}
		// A check that the limit cut short says nothing new about the service.
		if limited.Err() == nil || last == nil {
			last = err
		}
		select {
		case <-limited.Done():
			return ended(ctx, options, last)
		case <-time.After(pause):
			if time.Since(began) > eager {
				pause = next(pause)
			}
		}
	}
}

// Fatal marks an error of a check as final: waiting longer would not help. A nil err gives nil.
func Fatal(err error) error {
	if err == nil {
		return nil
	}
	return &fatalError{err}
}

type fatalError struct{ err error }

func (e *fatalError) Error() string { return e.err.Error() }
func (e *fatalError) Unwrap() error { return e.err }

func ended(ctx context.Context, options Options, last error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("waiting for %s: %w: last: %w", options.What, context.Cause(ctx), last)
	}
	return fmt.Errorf("waiting for %s: %w after %s: last: %w", options.What, ErrGaveUp, options.Limit, last)
}

// next grows a pause by an eighth up to [maxInterval]. A longer one that the caller chose stays.
func next(pause time.Duration) time.Duration {
	if pause >= maxInterval {
		return pause
	}
	return min(pause+pause/8, maxInterval)
}
