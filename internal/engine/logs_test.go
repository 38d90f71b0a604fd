package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"syncmaster-setup/internal/engine"
	"syncmaster-setup/internal/stack"
)

// everyLine reads all that a container has written.
var everyLine = stack.LogOptions{Tail: -1}

const writers = `
services:
  both: &one
    image: ` + testImage + `
    command: [exit, "0"]
  lines:
    <<: *one
    command: [lines, "100"]
  long:
    <<: *one
    command: [long, "100000"]
  screen:
    <<: *one
    command: [lines, "3"]
    tty: true
  served:
    <<: *one
    command: [serve]
  crashing:
    <<: *one
    command: [exit, "1", "100"]
    restart: always
`

func TestReadLog(t *testing.T) {
	t.Parallel()
	e := connect(t)
	p := project(t, e, writers)
	must(t, e.Create(t.Context(), p, engine.CreateOptions{}))
	if lines := readLog(t, e, p.Name, "both", everyLine); len(lines) != 0 {
		t.Errorf("a container that never started has written %v", lines)
	}
	for _, service := range []string{"both", "lines", "long", "screen"} {
		must(t, e.Start(t.Context(), p, service))
		awaitEnd(t, e, p.Name, service)
	}
	both := readLog(t, e, p.Name, "both", everyLine)
	slices.SortFunc(both, func(a, b stack.LogLine) int { return strings.Compare(a.Text, b.Text) })
	if len(both) != 2 || both[0].Stream != "stderr" || both[0].Text != "on stderr" || both[1].Stream != "stdout" || both[1].Text != "on stdout" {
		t.Errorf("both streams are %+v", both)
	}
	if age := time.Since(both[0].Time); age < 0 || age > 5*time.Minute {
		t.Errorf("the time of a line is %s", both[0].Time)
	}
	lines := readLog(t, e, p.Name, "lines", everyLine)
	if len(lines) != 100 || lines[0].Text != "line 0" || lines[99].Text != "line 99" {
		t.Fatalf("read %d lines, from %+v", len(lines), lines)
	}
	if got := readLog(t, e, p.Name, "lines", stack.LogOptions{Tail: 2}); len(got) != 2 || got[0].Text != "line 98" {
		t.Errorf("the tail is %+v", got)
	}
	if got := readLog(t, e, p.Name, "lines", stack.LogOptions{Tail: -1, Since: lines[90].Time}); len(got) != 10 || got[0].Text != "line 90" {
		t.Errorf("since line 90 there are %+v", got)
	}
	if got := readLog(t, e, p.Name, "long", everyLine); len(got) != 1 || got[0].Text != strings.Repeat("x", 99_997)+"end" {
		t.Errorf("a long line came in %d pieces", len(got))
	}
	if got := readLog(t, e, p.Name, "screen", everyLine); len(got) != 3 || got[2].Text != "line 2" {
		t.Errorf("of a container with a terminal came %+v", got)
	}
}

func TestFollowLog(t *testing.T) {
	t.Parallel()
	e := connect(t)
	p := project(t, e, writers)
	must(t, e.Create(t.Context(), p, engine.CreateOptions{Services: []string{"served", "crashing"}}))
	must(t, e.Start(t.Context(), p, "served", "crashing"))
	follow := stack.LogOptions{Tail: -1, Follow: true}

	// to the end of the container, with its last words
	id := ids(t, e, p.Name)["served"]
	var words []string
	must(t, e.ReadLog(t.Context(), id, follow, func(line stack.LogLine) error {
		words = append(words, strings.TrimSpace(line.Text))
		if len(words) == 1 {
			_, err := engineAPI.ContainerStop(t.Context(), id, client.ContainerStopOptions{})
			return err
		}
		return nil
	}))
	if !slices.Equal(words, []string{"serving", "stopping"}) {
		t.Errorf("followed %q", words)
	}

	// over restarts, each line once, until the context ends
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := map[string]bool{}
	err := e.ReadLog(ctx, ids(t, e, p.Name)["crashing"], follow, func(line stack.LogLine) error {
		if key := line.Time.String() + line.Text; seen[key] {
			t.Errorf("%s came twice", key)
		} else {
			seen[key] = true
		}
		if len(seen) == 6 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("following ended with %v", err)
	}
	enough := errors.New("enough")
	if err := e.ReadLog(t.Context(), id, everyLine, func(stack.LogLine) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("reading ended with %v", err)
	}
	if err := e.ReadLog(t.Context(), strings.Repeat("0", 64), everyLine, nil); err != nil {
		t.Errorf("a container that is gone gives %v", err)
	}
}

func readLog(t *testing.T, e *engine.Engine, project, service string, o stack.LogOptions) []stack.LogLine {
	t.Helper()
	var lines []stack.LogLine
	must(t, e.ReadLog(t.Context(), ids(t, e, project)[service], o, func(line stack.LogLine) error {
		lines = append(lines, line)
		return nil
	}))
	return lines
}

func awaitEnd(t *testing.T, e *engine.Engine, project, service string) {
	t.Helper()
	ended := engineAPI.ContainerWait(t.Context(), ids(t, e, project)[service], client.ContainerWaitOptions{})
	select {
	case <-ended.Result:
	case err := <-ended.Error:
		t.Fatal(err)
	}
}
