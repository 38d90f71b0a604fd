package engine

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"syncmaster-setup/internal/stack"
)

const (
	// lineBytes bounds the memory for one line; the rest of a longer one is left out.
	lineBytes = 1 << 20
	// restartPoll is how often a container that is being restarted is looked at.
	restartPoll = 250 * time.Millisecond
)

// ReadLog calls each for every line of a container's log, in the order in which the engine keeps them (stdout and
// stderr may differ from the order of time), and ends with the first error of each. A container that is gone has no
// lines. Following goes on over restarts by the engine.
func (e *Engine) ReadLog(ctx context.Context, containerID string, o stack.LogOptions, each func(stack.LogLine) error) error {
	for {
		inspected, err := e.api.ContainerInspect(ctx, containerID, client.ContainerInspectOptions{})
		if missing(err) {
			return nil
		}
		if err != nil {
			return daemonError(err, "inspecting container %s", short(containerID))
		}
		state := inspected.Container.State
		alive := state != nil && (state.Running || state.Restarting)
		// read once more after the end: the last lines may have come since the last look
		err = e.readLog(ctx, inspected.Container, o, func(line stack.LogLine) error {
			if next := line.Time.Add(1); next.After(o.Since) {
				o.Since = next
			}
			o.Tail = -1
			return each(line)
		})
		if err != nil || !o.Follow || !alive {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(restartPoll):
		}
	}
}

// readLog reads the log of one run of a container.
func (e *Engine) readLog(ctx context.Context, c container.InspectResponse, o stack.LogOptions, each func(stack.LogLine) error) error {
	options := client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Timestamps: true, Follow: o.Follow, Tail: "all"}
	if o.Tail >= 0 {
		options.Tail = strconv.Itoa(o.Tail)
	}
	if !o.Since.IsZero() {
		options.Since = fmt.Sprintf("%d.%09d", o.Since.Unix(), o.Since.Nanosecond())
	}
	stream, err := e.api.ContainerLogs(ctx, c.ID, options)
	if missing(err) {
		return nil
	}
	if err != nil {
		return daemonError(err, "reading the logs of container %s", short(c.ID))
	}
	defer func() { _ = stream.Close() }() // read only: the copy below reports what matters
	out, errs := &lineWriter{stream: "stdout", each: each}, &lineWriter{stream: "stderr", each: each}
	if c.Config != nil && c.Config.Tty {
		err = copyLines(out, stream)
	} else {
		_, err = stdcopy.StdCopy(out, errs, stream)
	}
	out.flush()
	errs.flush()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case out.err != nil || errs.err != nil:
		return errors.Join(out.err, errs.err)
	}
	return daemonError(err, "reading the logs of container %s", short(c.ID))
}

// copyLines writes a stream without frames line by line.
func copyLines(w io.Writer, stream io.Reader) error {
	lines := bufio.NewReaderSize(stream, 64<<10)
	for {
		line, err := lines.ReadSlice('\n')
		if _, writeErr := w.Write(line); writeErr != nil {
			return writeErr
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// lineWriter puts lines together. The engine cuts long ones into pieces, each of which comes in one Write and begins
// with a time of its own; only the last one ends with the end of the line.
type lineWriter struct {
	stream string
	each   func(stack.LogLine) error
	at     time.Time // of the line that is not complete
	line   bytes.Buffer
	err    error // of each
}

func (w *lineWriter) Write(p []byte) (int, error) {
	text := p
	if word, rest, found := bytes.Cut(p, []byte(" ")); found {
		if at, err := time.Parse(time.RFC3339Nano, string(word)); err == nil {
			text = rest
			if w.line.Len() == 0 {
				w.at = at
			}
		}
	}
	complete := bytes.HasSuffix(text, []byte("\n"))
	w.line.Write(text[:min(len(text), max(0, lineBytes-w.line.Len()))])
	if complete {
		w.flush()
	}
	if w.err != nil {
		return 0, w.err
	}
	return len(p), nil
}

// flush passes on the line that has begun, if there is one.
func (w *lineWriter) flush() {
	if w.at.IsZero() || w.err != nil {
		return
	}
	text := strings.TrimRight(w.line.String(), "\r\n")
	w.line.Reset()
	w.err = w.each(stack.LogLine{Time: w.at, Stream: w.stream, Text: text})
	w.at = time.Time{}
}
