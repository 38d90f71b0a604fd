package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"syncmaster-setup/test/kit"
)

const (
	// statusRuns is how often a turn looks at one stack.
	statusRuns = 5
	// The goals, with the images present and on a healthy stack.
	maxDevUp  = 10 * time.Second
	maxStatus = time.Second
)

// day measures what is typed every day: `dev up` beside its floor, and `status` beside docker compose ps.
func (b *bench) day(ctx context.Context) error {
	err := b.choose(
		&method{key: "dev", title: "A  syncmaster-setup dev up", turn: b.devUp},
		&method{key: "floor", title: "B  by hand, the floor", turn: b.startServers},
		&method{key: "status", title: "C  syncmaster-setup status", turn: b.looks("syncmaster-setup status", func(ctx context.Context, s *site) error {
			_, _, err := b.program(ctx, s, nil, "status", "--dir", s.dir, "--output", "json")
			return err
		})},
		&method{key: "ps", title: "D  docker compose ps --all", turn: b.looks("docker compose ps", b.composePs)},
	)
	if err != nil {
		return err
	}
	if err := b.play(ctx); err != nil {
		return err
	}
	b.printDay(os.Stdout)
	return nil
}

// devUp is method A: the time until the process has returned, from nothing.
func (b *bench) devUp(ctx context.Context, s *site) (measured, error) {
	got, _, err := b.program(ctx, s, nil, "dev", "up", "--dir", s.dir, "--name", s.project, "--release", version, "--registry", kit.Prefix, "--output", "json")
	return got, err
}

// startServers is method B: database and broker by hand, with the schema, until both answer.
func (b *bench) startServers(ctx context.Context, s *site) (measured, error) {
	return b.raiseByHand(ctx, s, "db", "rabbitmq")
}

// looks is a method that looks at a stack by init. The turn took the median of its looks.
func (b *bench) looks(what string, look func(context.Context, *site) error) func(context.Context, *site) (measured, error) {
	return func(ctx context.Context, s *site) (measured, error) {
		if _, err := b.startInit(ctx, s); err != nil {
			return measured{}, err
		}
		var list []time.Duration
		for range statusRuns {
			began := time.Now()
			if err := look(ctx, s); err != nil {
				return measured{}, fmt.Errorf("running %s: %w", what, err)
			}
			list = append(list, time.Since(began))
		}
		return measured{took: median(list)}, nil
	}
}

func (b *bench) composePs(ctx context.Context, s *site) error {
	cmd := command(ctx, b.compose, "ps", "--all")
	cmd.Dir = s.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func (b *bench) printDay(out io.Writer) {
	say := printTo(out)
	say("\nEvery day, release %s, images present.", version)
	b.machine(say)
	say("%-36s %9s   %-15s %s", "Seconds", "median", "min – max", "goal")
	goals := map[string]time.Duration{"dev": maxDevUp, "status": maxStatus}
	for _, m := range b.methods {
		t, goal := m.of(took), ""
		if most, has := goals[m.key]; has {
			goal = fmt.Sprintf("< %.0f  %s", seconds(most), verdict(median(t) < most))
		}
		say("%-36s %9.2f   %-15s %s", m.title, seconds(median(t)), span(t), goal)
	}
}
