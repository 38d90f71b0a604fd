package engine_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/moby/moby/client"

	"syncmaster-setup/internal/engine"
)

const one = "services: {s: {image: \"" + testImage + "\"}}"

// TestStream runs commands in one container, with all kinds of input and output.
func TestStream(t *testing.T) {
	t.Parallel()
	e, p := running(t, one)
	name := p.Name

	t.Run("both ways", func(t *testing.T) {
		const size = 16<<20 + 7
		sent, got := sha256.New(), sha256.New()
		in := io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{}), size), sent)
		counted := &countingWriter{out: got}
		exit, err := e.Stream(t.Context(), name, "s", []string{"/program", "pipe", "0"}, in, counted)
		must(t, err)
		if exit.Code != 0 || exit.Tail != "16777223 bytes\n" || counted.n != size || !bytes.Equal(sent.Sum(nil), got.Sum(nil)) {
			t.Errorf("%+v, %d bytes came back", exit, counted.n)
		}
	})
	t.Run("exit code and stderr", func(t *testing.T) {
		var out strings.Builder
		exit, err := e.Stream(t.Context(), name, "s", []string{"/program", "exit", "7"}, nil, &out)
		must(t, err)
		if exit.Code != 7 || exit.Tail != "on stderr\n" || out.String() != "on stdout\n" {
			t.Errorf("%+v, stdout %q", exit, out.String())
		}
	})
	t.Run("an empty input ends", func(t *testing.T) {
		exit, err := e.Stream(t.Context(), name, "s", []string{"/program", "pipe", "0"}, strings.NewReader(""), nil)
		must(t, err)
		if exit.Code != 0 || exit.Tail != "0 bytes\n" {
			t.Errorf("%+v", exit)
		}
	})
	t.Run("no input is an empty one", func(t *testing.T) {
		exit, err := e.Stream(t.Context(), name, "s", []string{"/program", "pipe", "0"}, nil, nil)
		must(t, err)
		if exit.Code != 0 || exit.Tail != "0 bytes\n" {
			t.Errorf("%+v", exit)
		}
	})
	t.Run("a command that leaves its input", func(t *testing.T) {
		in := &lateReader{}
		exit, err := e.Stream(t.Context(), name, "s", []string{"/program", "exit", "3"}, in, nil)
		must(t, err)
		if in.reading.Load() {
			t.Error("the input is still being read, and it is the caller's again")
		}
		if exit.Code != 3 || exit.Tail != "on stderr\n" {
			t.Errorf("%+v", exit)
		}
	})
	t.Run("a source that fails", func(t *testing.T) {
		broken := errors.New("the file is damaged")
		in := io.MultiReader(bytes.NewReader(make([]byte, 3<<20)), iotest.ErrReader(broken))
		_, err := e.Stream(t.Context(), name, "s", []string{"/program", "pipe", "0"}, in, nil)
		if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "feeding /program in the container of service s: ") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a disk that is full", func(t *testing.T) {
		full := errors.New("no space left on device")
		in := io.LimitReader(rand.NewChaCha8([32]byte{}), 64<<20)
		_, err := e.Stream(t.Context(), name, "s", []string{"/program", "pipe", "0"}, in, &countingWriter{err: full})
		if !errors.Is(err, full) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a cancelled one", func(t *testing.T) {
		stopped := errors.New("stopped by the user")
		ctx, cancel := context.WithCancelCause(t.Context())
		out := &countingWriter{each: func(n int64) {
			if n > 1<<20 {
				cancel(stopped)
			}
		}}
		_, err := e.Stream(ctx, name, "s", []string{"/program", "pipe", "0"}, rand.NewChaCha8([32]byte{}), out)
		if !errors.Is(err, stopped) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("one that says nothing, cancelled", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if _, err := e.Stream(ctx, name, "s", []string{"/program", "serve"}, nil, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a program that is not there", func(t *testing.T) {
		exit, err := e.Stream(t.Context(), name, "s", []string{"/nowhere"}, nil, nil)
		if err == nil && exit.Code == 0 {
			t.Errorf("passed: %+v", exit)
		}
	})
	t.Run("no such service", func(t *testing.T) {
		if _, err := e.Stream(t.Context(), name, "nobody", []string{"/program"}, nil, nil); !errors.Is(err, engine.ErrNoContainer) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a container that is killed meanwhile", func(t *testing.T) {
		id, began, killed := ids(t, e, name)["s"], make(chan struct{}), make(chan error)
		go func() {
			<-began
			_, err := engineAPI.ContainerKill(context.WithoutCancel(t.Context()), id, client.ContainerKillOptions{Signal: "KILL"})
			killed <- err
		}()
		var once sync.Once
		out := &countingWriter{each: func(int64) { once.Do(func() { close(began) }) }}
		exit, err := e.Stream(t.Context(), name, "s", []string{"/program", "pipe", "0"}, rand.NewChaCha8([32]byte{}), out)
		must(t, <-killed)
		if err == nil && exit.Code == 0 {
			t.Errorf("passed: %+v", exit)
		}
	})
	t.Run("a container that does not run", func(t *testing.T) {
		_, err := e.Stream(t.Context(), name, "s", []string{"/program", "exit", "0"}, nil, nil)
		if err == nil || !strings.Contains(err.Error(), "/program in the container of service s") {
			t.Errorf("got %v", err)
		}
	})
}

// lateReader is a source without an end that takes its time.
type lateReader struct{ reading atomic.Bool }

func (r *lateReader) Read(p []byte) (int, error) {
	r.reading.Store(true)
	defer r.reading.Store(false)
	<-time.After(300 * time.Millisecond)
	return len(p), nil
}

// countingWriter counts, tells each write, hands it on and may fail.
type countingWriter struct {
	out  io.Writer
	each func(n int64)
	err  error
	n    int64
}

func (w *countingWriter) Write(p []byte) (int, error) {
	w.n += int64(len(p))
	if w.each != nil {
		w.each(w.n)
	}
	if w.err != nil {
		return 0, w.err
	}
	if w.out != nil {
		return w.out.Write(p)
	}
	return len(p), nil
}
