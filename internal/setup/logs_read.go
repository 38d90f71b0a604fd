package setup

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"syncmaster-setup/internal/stack"
)

// Read calls each for every line, one after the other: what was written before in the order of time, then, where
// asked, what is written from now on as it comes. It ends with the first error of each.
func (l *Log) Read(ctx context.Context, each func(LogLine) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the readers where each fails
	sources := make([]*logSource, len(l.containers))
	for i, c := range l.containers {
		sources[i] = l.source(ctx, c, stack.LogOptions{Since: l.options.Since, Tail: l.options.Tail})
	}
	if err := merge(sources, each); err != nil || !l.options.Follow {
		return err
	}
	return l.follow(ctx, cancel, sources, each)
}

// follow goes on after the last line of each source.
func (l *Log) follow(ctx context.Context, cancel func(), sources []*logSource, each func(LogLine) error) error {
	var mu sync.Mutex
	var reading sync.WaitGroup
	var failed error // of each
	errs := make([]error, len(sources))
	for i, c := range l.containers {
		o := stack.LogOptions{Since: l.options.Since, Tail: l.options.Tail, Follow: true}
		if last := sources[i].last; !last.IsZero() {
			o.Since, o.Tail = last.Add(1), -1
		}
		one := l.shown(c, func(line LogLine) error {
			mu.Lock()
			defer mu.Unlock()
			if failed == nil {
				failed = each(line)
			}
			if failed != nil {
				cancel()
			}
			return failed
		})
		reading.Go(func() { errs[i] = l.engine.ReadLog(ctx, c.ID, o, one) })
	}
	reading.Wait()
	if failed != nil {
		return failed
	}
	return errors.Join(errs...)
}

// escapes are terminal sequences and other control characters but the tab: a log must not command the terminal, and
// colours in it would hide words from a search.
var escapes = regexp.MustCompile(`\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]|[\x00-\x08\x0a-\x1f\x7f\x{80}-\x{9f}]`)

// shown passes on the lines of a container that fit, as they may be shown.
func (l *Log) shown(c stack.Container, each func(LogLine) error) func(stack.LogLine) error {
	return func(line stack.LogLine) error {
		text := l.redactor.String(escapes.ReplaceAllString(strings.ToValidUTF8(line.Text, "\uFFFD"), ""))
		if l.options.Grep != nil && !l.options.Grep.MatchString(text) {
			return nil
		}
		return each(LogLine{Time: line.Time, Service: c.Service, Container: c.Name, Stream: line.Stream, Text: text})
	}
}

// logSource hands out the history of one container line by line.
type logSource struct {
	lines chan LogLine
	err   error     // once lines is closed
	last  time.Time // of all lines read, shown or not
	head  LogLine   // the next one of merge
}

const (
	// readAhead is how many lines of a container are kept ready.
	readAhead = 256
	// lookBack is how many lines late one may come: the engine notes the times of stdout and stderr apart and writes
	// both into one log, so that neighbours change places.
	lookBack = 64
)

func (l *Log) source(ctx context.Context, c stack.Container, o stack.LogOptions) *logSource {
	s := &logSource{lines: make(chan LogLine, readAhead)}
	sorted := &lateLines{each: func(line LogLine) error {
		select {
		case s.lines <- line:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}}
	add := l.shown(c, sorted.add)
	go func() {
		defer close(s.lines)
		err := l.engine.ReadLog(ctx, c.ID, o, func(line stack.LogLine) error {
			if line.Time.After(s.last) {
				s.last = line.Time
			}
			return add(line)
		})
		s.err = errors.Join(err, sorted.pass(0))
	}()
	return s
}

// lateLines puts the lines of one container in the order of time.
type lateLines struct {
	each func(LogLine) error
	held []LogLine
}

func (l *lateLines) add(line LogLine) error {
	at := len(l.held)
	for at > 0 && l.held[at-1].Time.After(line.Time) {
		at--
	}
	l.held = slices.Insert(l.held, at, line)
	return l.pass(lookBack)
}

// pass hands out all but the newest lines.
func (l *lateLines) pass(keep int) error {
	for len(l.held) > keep {
		if err := l.each(l.held[0]); err != nil {
			return err
		}
		l.held = l.held[1:]
	}
	return nil
}

// merge calls each for the lines of all sources, the oldest first. A log that cannot be read does not hide the others.
func merge(sources []*logSource, each func(LogLine) error) error {
	var open []*logSource
	advance := func(s *logSource) bool {
		line, more := <-s.lines
		s.head = line
		return more
	}
	for _, s := range sources {
		if advance(s) {
			open = append(open, s)
		}
	}
	for len(open) > 0 {
		next := slices.MinFunc(open, func(a, b *logSource) int { return a.head.Time.Compare(b.head.Time) })
		if err := each(next.head); err != nil {
			return err
		}
		if !advance(next) {
			open = slices.DeleteFunc(open, func(s *logSource) bool { return s == next })
		}
	}
	var errs []error
	for _, s := range sources {
		errs = append(errs, s.err)
	}
	return errors.Join(errs...)
}
