package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// besides is the database that pg_restore alone fills.
const besides = "bench_bare"

// usualBackup is a database of more than 2 GB.
var usualBackup = amount{transfers: 20000, connections: 5000, runs: 1_300_000}

// archive is the install whose database is backed up and restored in every round.
type archive struct {
	*bench
	*site
	db    string // ID of the container
	bytes string // size of the database
	name  string // of the newest backup
	dump  string // file that pg_dump alone has written
	check []time.Duration
}

// backups measures backup and restore beside pg_dump and pg_restore alone.
func (b *bench) backups(ctx context.Context) (err error) {
	b.amount = b.amount.or(usualBackup)
	dir, err := os.MkdirTemp("", prefix)
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	a := &archive{bench: b, site: &site{project: prefix + "backup", dir: filepath.Join(dir, "install")}, dump: filepath.Join(dir, "bare.dump")}
	b.methods = []*method{
		{key: "dump", title: "A  syncmaster-setup backup create", turn: a.backUp},
		{key: "pg_dump", title: "B  pg_dump alone", turn: a.dumpBare},
		{key: "restore", title: "C  syncmaster-setup backup restore", turn: a.restore},
		{key: "pg_restore", title: "D  pg_restore alone", turn: a.restoreBare},
	}
	if err := a.prepare(ctx); err != nil {
		return err
	}
	for round := range b.rounds {
		for _, pair := range [][]*method{b.methods[:2], b.methods[2:]} {
			for i := range pair {
				if err := a.turn(ctx, round, pair[(round+i)%2]); err != nil {
					return err
				}
			}
		}
		began := time.Now()
		if _, _, err := b.program(ctx, a.site, nil, "backup", "verify", "--dir", a.dir, "--output", "json", a.name); err != nil {
			return err
		}
		a.check = append(a.check, time.Since(began))
	}
	a.print(os.Stdout)
	return nil
}

// prepare makes an install of which only database, broker and server run, and fills it.
func (a *archive) prepare(ctx context.Context) (err error) {
	if err := a.clean(ctx); err != nil {
		return err
	}
	if a.ports, err = freePorts(); err != nil {
		return err
	}
	if _, err := a.install(ctx, a.site, version, "server"); err != nil {
		return err
	}
	if a.db, err = a.containerOf(ctx, a.site, "db"); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "bench: making rows")
	if err := a.fillSite(ctx, a.site, filepath.Join(a.dir, sampleEnv)); err != nil {
		return err
	}
	a.bytes, err = a.sql(ctx, a.db, user, "SELECT pg_size_pretty(pg_database_size(current_database()))")
	a.load = machineLoad()
	return err
}

// turn gives a method its turn, with nothing left to be written from before.
func (a *archive) turn(ctx context.Context, round int, m *method) error {
	if _, err := a.sql(ctx, a.db, maintenance, "DROP DATABASE IF EXISTS "+besides, "CHECKPOINT"); err != nil {
		return err
	}
	unix.Sync()
	got, err := m.turn(ctx, a.site)
	if err != nil {
		return fmt.Errorf("round %d, %s: %w", round+1, m.key, err)
	}
	m.rounds = append(m.rounds, got)
	fmt.Fprintf(os.Stderr, "bench: round %d/%d  %-10s %7.2f s  %s\n", round+1, a.rounds, m.key, got.took.Seconds(), got.note)
	return nil
}

func (a *archive) backUp(ctx context.Context, s *site) (measured, error) {
	got, result, err := a.program(ctx, s, nil, "backup", "create", "--dir", s.dir, "--output", "json")
	if err != nil {
		return got, err
	}
	var made struct {
		Name  string
		Files map[string]struct{ Bytes int64 }
	}
	if err := json.Unmarshal(result, &made); err != nil {
		return got, fmt.Errorf("reading the result of backup create: %w", err)
	}
	a.name, got.note = made.Name, fmt.Sprintf("%.0f MB", float64(made.Files["database.dump"].Bytes)/megabyte)
	return got, nil
}

// dumpBare streams what pg_dump writes to a file.
func (a *archive) dumpBare(ctx context.Context, s *site) (got measured, err error) {
	file, err := os.Create(a.dump)
	if err != nil {
		return got, fmt.Errorf("making the file of the dump: %w", err)
	}
	s.began = time.Now()
	err = a.exec(ctx, a.db, []string{"pg_dump", "--format=custom", "--username=" + user, "--dbname=" + user}, nil, file)
	err = errors.Join(err, file.Close())
	got.took = time.Since(s.began)
	return got, err
}

// restore brings the newest backup back into the install, whose database was emptied: what is backed up before the
// restore is next to nothing, so that the restore itself is measured.
func (a *archive) restore(ctx context.Context, s *site) (measured, error) {
	if _, err := a.sql(ctx, a.db, user, `TRUNCATE "user" CASCADE`, "CHECKPOINT"); err != nil {
		return measured{}, err
	}
	unix.Sync()
	got, _, err := a.program(ctx, s, nil, "backup", "restore", "--dir", s.dir, "--yes", "--output", "json", a.name)
	if err != nil {
		return got, err
	}
	found, err := a.sql(ctx, a.db, user, "SELECT count(*) FROM run")
	if err == nil && found != fmt.Sprint(a.amount.runs) {
		err = fmt.Errorf("after the restore there are %s runs", found)
	}
	return got, err
}

// restoreBare feeds the file of pg_dump to pg_restore.
func (a *archive) restoreBare(ctx context.Context, s *site) (got measured, err error) {
	if _, err := a.sql(ctx, a.db, maintenance, "CREATE DATABASE "+besides+" TEMPLATE template0", "CHECKPOINT"); err != nil {
		return got, err
	}
	file, err := os.Open(a.dump)
	if err != nil {
		return got, fmt.Errorf("opening the dump: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	s.began = time.Now()
	err = a.exec(ctx, a.db, []string{"pg_restore", "--exit-on-error", "--username=" + user, "--dbname=" + besides}, file, nil)
	got.took = time.Since(s.began)
	return got, err
}

// step returns how long a step of the program took whose name begins so.
func step(name string) func(measured) time.Duration {
	return func(m measured) time.Duration {
		for _, k := range m.steps {
			if strings.HasPrefix(k.name, name) {
				return k.at
			}
		}
		return 0
	}
}
