package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/moby/moby/client"

	"syncmaster-setup/internal/envfile"
	"syncmaster-setup/internal/probe"
)

const (
	encryptionKey = "SYNCMASTER__ENCRYPTION__SECRET_KEY"
	// settleLimit is how long the server may take to answer after a method has ended.
	settleLimit = time.Minute
)

// usualUpgrade is what the database holds that is upgraded.
var usualUpgrade = amount{transfers: 2000, connections: 500, runs: 10000}

// upgrades measures an upgrade from versionBefore to version, each time of a fresh install with rows.
func (b *bench) upgrades(ctx context.Context) error {
	b.amount = b.amount.or(usualUpgrade)
	err := b.choose(
		&method{key: "upgrade", title: "A  syncmaster-setup upgrade", turn: b.upgradeOurs},
		&method{key: "documented", title: "B  docker compose, as documented", turn: b.upgradeDocumented},
		&method{key: "bare", title: "C  the server's container alone", turn: b.restartBare},
	)
	if err != nil {
		return err
	}
	if err := b.play(ctx); err != nil {
		return err
	}
	b.printUpgrades(os.Stdout)
	return nil
}

// installFilled makes an install of the release before, with rows.
func (b *bench) installFilled(ctx context.Context, s *site) error {
	if _, err := b.install(ctx, s, versionBefore, "all"); err != nil {
		return err
	}
	return b.fillSite(ctx, s, filepath.Join(s.dir, sampleEnv))
}

// fillSite makes rows whose credentials open with the key in a file of settings.
func (b *bench) fillSite(ctx context.Context, s *site, settings string) error {
	text, err := os.ReadFile(settings)
	if err != nil {
		return fmt.Errorf("reading the encryption key: %w", err)
	}
	file, err := envfile.Parse(string(text))
	if err != nil {
		return fmt.Errorf("reading the encryption key: %w", err)
	}
	key, _ := file.Get(encryptionKey)
	id, err := b.containerOf(ctx, s, "db")
	if err != nil {
		return err
	}
	return b.fill(ctx, id, user, key, b.amount)
}

// containerOf returns the ID of a service's container.
func (b *bench) containerOf(ctx context.Context, s *site, service string) (string, error) {
	list, err := b.containers(ctx, s)
	if err != nil {
		return "", err
	}
	c, exists := list[service]
	if !exists {
		return "", fmt.Errorf("looking for the container of %s: there is none", service)
	}
	return c.ID, nil
}

// upgradeOurs is method A: the whole time is that of the process.
func (b *bench) upgradeOurs(ctx context.Context, s *site) (measured, error) {
	if err := b.installFilled(ctx, s); err != nil {
		return measured{}, err
	}
	return b.watched(ctx, s, func(ctx context.Context) (measured, error) {
		got, result, err := b.program(ctx, s, nil, "upgrade", "--dir", s.dir, "--to", version, "--yes", "--output", "json")
		if err != nil {
			return got, err
		}
		var told struct {
			Outage float64 `json:"outage_seconds"`
		}
		if err := json.Unmarshal(result, &told); err != nil {
			return got, fmt.Errorf("reading the result of upgrade: %w", err)
		}
		got.told = time.Duration(told.Outage * float64(time.Second))
		return got, nil
	})
}

// restartBare is method C: the least that an outage can be where the container must stop.
func (b *bench) restartBare(ctx context.Context, s *site) (measured, error) {
	if err := b.installFilled(ctx, s); err != nil {
		return measured{}, err
	}
	id, err := b.containerOf(ctx, s, "server")
	if err != nil {
		return measured{}, err
	}
	return b.watched(ctx, s, func(ctx context.Context) (measured, error) {
		s.began = time.Now()
		if _, err := b.api.ContainerStop(ctx, id, client.ContainerStopOptions{}); err != nil {
			return measured{}, fmt.Errorf("stopping the server: %w", err)
		}
		if _, err := b.api.ContainerStart(ctx, id, client.ContainerStartOptions{}); err != nil {
			return measured{}, fmt.Errorf("starting the server: %w", err)
		}
		err := until(ctx, "the server", probe.HTTP(pingOf(s), nil))
		return measured{took: time.Since(s.began)}, err
	})
}

// upgradeDocumented is method B: SyncMaster's own words on its own samples, with the images present.
func (b *bench) upgradeDocumented(ctx context.Context, s *site) (measured, error) {
	if err := b.writeSample(s); err != nil {
		return measured{}, err
	}
	if _, err := b.runCompose(ctx, s, versionBefore, "--profile", "all", "up", "-d", "--wait"); err != nil {
		return measured{}, err
	}
	if err := b.sampleAnswers(ctx, s); err != nil {
		return measured{}, err
	}
	if err := b.fillSite(ctx, s, filepath.Join(s.dir, sampleEnv)); err != nil {
		return measured{}, err
	}
	return b.watched(ctx, s, func(ctx context.Context) (measured, error) {
		var got measured
		s.began = time.Now()
		for _, words := range [][]string{
			{"--profile", "all", "stop", "server", "scheduler", "worker"},
			{"up", "-d", "db", "db-migrations"},
			{"--profile", "all", "up", "-d", "--wait"},
		} {
			note, err := b.runCompose(ctx, s, version, words...)
			if err != nil {
				return measured{}, err
			}
			got.note = note
			got.marks = append(got.marks, mark{"docker compose " + strings.Join(words, " "), time.Since(s.began)})
		}
		got.took = time.Since(s.began)
		return got, b.sampleAnswers(ctx, s)
	})
}

// watched does what is measured while the server is asked all the time, and takes note of its outage.
func (b *bench) watched(ctx context.Context, s *site, do func(context.Context) (measured, error)) (measured, error) {
	w, err := watch(ctx, pingOf(s))
	if err != nil {
		return measured{}, err
	}
	got, err := do(ctx)
	if err != nil {
		_, _ = w.stop(ctx) // what went wrong before counts
		return measured{}, err
	}
	got.outage, err = w.stop(ctx)
	return got, err
}

func pingOf(s *site) string {
	return fmt.Sprintf("http://127.0.0.1:%d/monitoring/ping", s.ports.server)
}
