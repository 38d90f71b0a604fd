//go:build unix

package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"syncmaster-setup/internal/report"
)

// overheard is a stream that hands each write over.
type overheard chan string

func (l overheard) Write(p []byte) (int, error) { l <- string(p); return len(p), nil }

func send(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), s); err != nil {
		t.Fatal(err)
	}
}

// The first Ctrl-C says what a second one would do; the second one ends the step at work, by SIGTERM as well.
func TestSecondSignal(t *testing.T) {
	said := make(overheard, 10)
	p := &program{streams: Streams{Out: io.Discard, Err: said}}
	reporter, ended := p.reporter()
	defer ended()
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt, syscall.SIGTERM) // as main does
	defer stop()
	hard, done := p.secondSignal(ctx, reporter)
	defer done()

	send(t, syscall.SIGINT)
	if line := within[string](t, said); !strings.HasPrefix(line, "warning: interrupted: the step at work comes to its end; Ctrl-C again takes all back") || !strings.HasSuffix(line, "\n") {
		t.Errorf("said %q", line)
	}
	<-ctx.Done()
	if hard.Err() != nil {
		t.Fatal("the first signal ended the step at work")
	}
	send(t, syscall.SIGTERM)
	within(t, hard.Done())
	if !errors.Is(context.Cause(hard), errTakenBack) {
		t.Errorf("ended by %v", context.Cause(hard))
	}
	send(t, syscall.SIGINT) // a third one changes nothing
	select {
	case line := <-said:
		t.Errorf("said %q", line)
	case <-time.After(50 * time.Millisecond):
	}
}

// --quiet leaves no reporter to say it, and a question has no step at work.
func TestSecondSignalQuiet(t *testing.T) {
	said := make(overheard, 10)
	p := &program{streams: Streams{Err: said}, quiet: true}
	p.say(report.Discard{}, "a word")
	if line := within[string](t, said); line != "warning: a word\n" {
		t.Errorf("said %q", line)
	}
	p.asking.Store(true)
	hard, done := p.secondSignal(t.Context(), report.Discard{})
	defer done()
	send(t, syscall.SIGINT)
	send(t, syscall.SIGTERM)
	within(t, hard.Done())
	if len(said) > 0 {
		t.Errorf("said %q", <-said)
	}
}

// What ends by itself leaves no one to listen, and its step is not called interrupted.
func TestSecondSignalEnds(t *testing.T) {
	p := &program{streams: Streams{Err: io.Discard}}
	hard, done := p.secondSignal(t.Context(), report.Discard{})
	done()
	if !errors.Is(context.Cause(hard), context.Canceled) {
		t.Errorf("ended by %v", context.Cause(hard))
	}
}

// within returns what a channel gives, and fails the test where it gives nothing.
func within[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(10 * time.Second):
		t.Fatal("nothing happened")
		panic("not reached")
	}
}
