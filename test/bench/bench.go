package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"

	"syncmaster-setup/internal/release"
)

const (
	// version is what is started, and what is upgraded to from versionBefore.
	version       = "0.2.5"
	versionBefore = "0.2.4"
	// prefix of the name of everything that the bench makes.
	prefix = "smbench-"
	// queue is the one in the sample files.
	queue = "123-test_queue"
	// healthyLimit bounds one start, turnLimit a turn of any method with what it prepares.
	healthyLimit = 5 * time.Minute
	turnLimit    = 2 * time.Hour
	cleanLimit   = 2 * time.Minute
)

// bench is one run: its methods, and what they took in every round.
type bench struct {
	options
	api     *client.Client
	engine  string // its version
	load    string // of the machine before the first round
	release release.Release
	methods []*method
}

// method is one way to do what is measured.
type method struct {
	key, title string
	turn       func(ctx context.Context, s *site) (measured, error)
	rounds     []measured
}

// site is where one turn happens: a project, an empty folder and free ports on this host.
type site struct {
	project string
	dir     string
	ports   ports
	began   time.Time
}

// measured is one turn.
type measured struct {
	took   time.Duration
	outage time.Duration // of the server, in an upgrade
	told   time.Duration // the outage that the program itself tells
	marks  []mark        // what happened when
	steps  []mark        // of syncmaster-setup: what each step took
	note   string        // what a program returned that did not just succeed
	peak   int64         // bytes of memory, of syncmaster-setup

	// of a migration: the time of the revisions alone, bytes that were logged, and how large the database was at most,
	// alone and above what it was before
	revisions        time.Duration
	wal, disk, grown int64
}

// mark is something that happened, since the begin.
type mark struct {
	name string
	at   time.Duration
}

func newBench(ctx context.Context, o options) (*bench, error) {
	api, err := client.New(client.FromEnv)
	if err != nil {
		return nil, fmt.Errorf("connecting to the engine: %w", err)
	}
	b := &bench{options: o, api: api}
	if b.release, err = release.Lookup(version); err != nil {
		return nil, err
	}
	for _, program := range []*string{&b.binary, &b.compose} {
		if *program, err = filepath.Abs(*program); err != nil {
			return nil, fmt.Errorf("finding %s: %w", *program, err)
		}
		if _, err := os.Stat(*program); err != nil {
			return nil, fmt.Errorf("looking for a program, which make bench builds: %w", err)
		}
	}
	return b, b.checkEngine(ctx)
}

// starts measures the first start.
func (b *bench) starts(ctx context.Context) error {
	err := b.choose(
		&method{key: "init", title: "A  syncmaster-setup init", turn: b.observed(b.startInit)},
		&method{key: "floor", title: "B  by hand, the floor", turn: b.observed(b.startFloor)},
		&method{key: "compose", title: "C  docker compose up --wait", turn: b.observed(b.startSample)},
	)
	if err != nil {
		return err
	}
	if err := b.play(ctx); err != nil {
		return err
	}
	small, err := b.measureProgram(ctx)
	if err != nil {
		return err
	}
	b.print(os.Stdout, small)
	return nil
}

// choose takes those of the methods that were asked for.
func (b *bench) choose(known ...*method) error {
	var names []string
	for _, m := range known {
		names = append(names, m.key)
		if len(b.wanted) == 0 || slices.Contains(b.wanted, m.key) {
			b.methods = append(b.methods, m)
		}
	}
	for _, w := range b.wanted {
		if !slices.Contains(names, w) {
			return fmt.Errorf("-methods %s: known are %s", w, strings.Join(names, ", "))
		}
	}
	return nil
}

// observed adds to a start what the engine knows of it.
func (b *bench) observed(start func(context.Context, *site) (measured, error)) func(context.Context, *site) (measured, error) {
	return func(ctx context.Context, s *site) (measured, error) {
		ctx, cancel := context.WithTimeoutCause(ctx, healthyLimit, fmt.Errorf("not healthy after %s", healthyLimit))
		defer cancel()
		got, err := start(ctx, s)
		if err != nil {
			return measured{}, err
		}
		marks, err := b.observe(ctx, s)
		got.marks = append(got.marks, marks...)
		return got, err
	}
}

// close removes what an interrupted round has left.
func (b *bench) close(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	return errors.Join(err, b.clean(ctx), b.api.Close())
}

// play runs the rounds. Each one begins with another method, so that none always follows the same one.
func (b *bench) play(ctx context.Context) error {
	if err := b.clean(ctx); err != nil {
		return err
	}
	b.load = machineLoad()
	for round := range b.rounds {
		for i := range b.methods {
			m := b.methods[(round+i)%len(b.methods)]
			got, err := b.once(ctx, m)
			if err != nil {
				return fmt.Errorf("round %d, %s: %w", round+1, m.key, err)
			}
			m.rounds = append(m.rounds, got)
			fmt.Fprintf(os.Stderr, "bench: round %d/%d  %-8s %6.2f s  %s\n", round+1, b.rounds, m.key, got.took.Seconds(), got.note)
		}
	}
	return nil
}

// once gives a method its turn on a site of its own and removes everything again.
func (b *bench) once(ctx context.Context, m *method) (got measured, err error) {
	s := &site{project: prefix + m.key}
	if s.dir, err = os.MkdirTemp("", prefix); err != nil {
		return measured{}, fmt.Errorf("making a folder: %w", err)
	}
	defer func() { err = errors.Join(err, b.clean(ctx), os.RemoveAll(s.dir)) }()
	if s.ports, err = freePorts(); err != nil {
		return measured{}, err
	}
	limited, cancel := context.WithTimeoutCause(ctx, turnLimit, fmt.Errorf("not done after %s", turnLimit))
	defer cancel()
	unix.Sync() // what the last round wrote must not be written in this one
	s.began = time.Now()
	got, err = m.turn(limited, s)
	if err != nil && ctx.Err() == nil {
		err = errors.Join(err, b.lastWords(ctx, s))
	}
	return got, err
}

// machineLoad is the load average of the last minute, for the reader to judge the seconds by.
func machineLoad() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown" // not Linux
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
