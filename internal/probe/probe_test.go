package probe_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"syncmaster-setup/internal/probe"
)

func TestWaitReturnsWhenReady(t *testing.T) {
	checks := 0
	begin := time.Now()
	err := probe.Wait(t.Context(), probe.Options{What: "it", Limit: time.Minute, Interval: time.Millisecond}, func(context.Context) error {
		if checks++; checks < 5 {
			return errors.New("not yet")
		}
		return nil
	})
	if err != nil || checks != 5 || time.Since(begin) > 10*time.Second {
		t.Errorf("%v after %d checks and %s", err, checks, time.Since(begin))
	}
}

func TestWaitChecksAtOnce(t *testing.T) {
	err := probe.Wait(t.Context(), probe.Options{What: "it", Limit: time.Minute, Interval: time.Hour}, func(context.Context) error { return nil })
	if err != nil {
		t.Error(err)
	}
}

func TestWaitGivesUpWithTheLastReason(t *testing.T) {
	reason := errors.New("port closed")
	begin := time.Now()
	err := probe.Wait(t.Context(), probe.Options{What: "the server", Limit: 250 * time.Millisecond}, func(context.Context) error { return reason })
	if !errors.Is(err, probe.ErrGaveUp) || !errors.Is(err, reason) {
		t.Errorf("error %v", err)
	}
	if want := "waiting for the server: gave up after 250ms: last: port closed"; err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	if took := time.Since(begin); took < 250*time.Millisecond || took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestWaitKeepsTheReasonOfAnEarlierCheck(t *testing.T) {
	checks := 0
	err := probe.Wait(t.Context(), probe.Options{What: "it", Limit: 200 * time.Millisecond, Interval: time.Millisecond}, func(ctx context.Context) error {
		if checks++; checks == 1 {
			return errors.New("port closed")
		}
		<-ctx.Done()
		return ctx.Err()
	})
	if err == nil || !strings.HasSuffix(err.Error(), "last: port closed") {
		t.Errorf("error %v, want the reason of the first check", err)
	}
}

func TestWaitEndsAtOnceOnFatal(t *testing.T) {
	cause := errors.New("wrong password")
	checks := 0
	err := probe.Wait(t.Context(), probe.Options{What: "the broker", Limit: time.Minute}, func(context.Context) error {
		checks++
		return fmt.Errorf("logging in: %w", probe.Fatal(cause))
	})
	if !errors.Is(err, cause) || errors.Is(err, probe.ErrGaveUp) || checks != 1 {
		t.Errorf("%v after %d checks", err, checks)
	}
	if want := "waiting for the broker: logging in: wrong password"; err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	if probe.Fatal(nil) != nil {
		t.Error("Fatal(nil) is an error")
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupted := errors.New("interrupted")
	err := probe.Wait(ctx, probe.Options{What: "it", Limit: time.Minute}, func(context.Context) error {
		cancel(interrupted)
		return errors.New("not yet")
	})
	if !errors.Is(err, interrupted) || errors.Is(err, probe.ErrGaveUp) || !strings.Contains(err.Error(), "not yet") {
		t.Errorf("error %v", err)
	}
}

func TestWaitSlowsDown(t *testing.T) {
	var times []time.Time
	_ = probe.Wait(t.Context(), probe.Options{What: "it", Limit: 1200 * time.Millisecond, Eager: time.Nanosecond}, func(context.Context) error {
		times = append(times, time.Now())
		return errors.New("not yet")
	})
	if len(times) < 4 || len(times) > 11 {
		t.Fatalf("%d checks in 1.2 s, want about 8", len(times))
	}
	for i := range len(times) - 1 {
		if pause := times[i+1].Sub(times[i]); pause < 95*time.Millisecond {
			t.Errorf("pause %d was %s", i, pause)
		}
	}
}
