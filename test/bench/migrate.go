package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"

	"syncmaster-setup/test/kit"
)

const (
	// target is the database that is migrated, empty and filled the ones that it is copied from; thin has a tenth of the rows.
	target, empty, filled, thin = "bench_target", "bench_empty", "bench_filled", "bench_thin"
	// before and rewriting are the revisions of interest.
	before, rewriting = "0011", "0012"
	// emptyRounds is how often an empty database is migrated, which takes next to nothing.
	emptyRounds = 10
	// sizeEvery is how often the size of the database is read.
	sizeEvery = 100 * time.Millisecond
)

// usualMigration is what make bench-data makes.
var usualMigration = amount{transfers: 100_000, connections: 20_000, runs: 1000}

// ground is a PostgreSQL server on which migrations are measured.
type ground struct {
	*bench
	id      string // of its container
	address string // in the engine's network
	url     string // of the target, there: a published port would add a program that copies every byte
}

// migrations measures revision 0012 on a filled database, and all revisions on an empty one.
func (b *bench) migrations(ctx context.Context) error {
	b.amount = b.amount.or(usualMigration)
	g := &ground{bench: b}
	b.methods = []*method{
		{key: "ours", title: "A  syncmaster-setup migrate", turn: g.ours(filled, rewriting)},
		{key: "alembic", title: "B  one ALTER at a time", turn: g.psqlOn(filled, oneByOne, "-1")},
		{key: "thin", title: "   A on a tenth of the rows", turn: g.ours(thin, rewriting)},
		{key: "head", title: "D  syncmaster-setup migrate", turn: g.ours(empty, "head")},
		{key: "psql", title: "E  psql, a transaction a revision", turn: g.psqlOn(empty, revisionByRevision)},
		{key: "psql -1", title: "   psql, one transaction", turn: g.psqlOn(empty, atOnce, "-1")},
	}
	if err := g.raise(ctx); err != nil {
		return err
	}
	if err := g.prepare(ctx); err != nil {
		return err
	}
	if err := g.turns(ctx, b.rounds, b.methods[:2]); err != nil {
		return err
	}
	if err := g.turns(ctx, 1, b.methods[2:3]); err != nil {
		return err
	}
	if err := g.turns(ctx, emptyRounds, b.methods[3:]); err != nil {
		return err
	}
	g.print(os.Stdout)
	return nil
}

// raise starts the server, with the settings of its image but for autovacuum, which would write into the figures.
func (g *ground) raise(ctx context.Context) error {
	if err := g.clean(ctx); err != nil {
		return err
	}
	made, err := g.api.ContainerCreate(ctx, client.ContainerCreateOptions{
		Name: prefix + "migrate-db-1",
		Config: &container.Config{
			Image: kit.Prefix + "/postgres:17", Env: []string{"POSTGRES_USER=" + user, "POSTGRES_PASSWORD=" + password},
			Cmd: []string{"postgres", "-c", "autovacuum=off"},
		},
	})
	if err != nil {
		return fmt.Errorf("making the database: %w", err)
	}
	g.id = made.ID
	if _, err := g.api.ContainerStart(ctx, g.id, client.ContainerStartOptions{}); err != nil {
		return fmt.Errorf("starting the database: %w", err)
	}
	seen, err := g.api.ContainerInspect(ctx, g.id, client.ContainerInspectOptions{})
	if err != nil {
		return fmt.Errorf("inspecting the database: %w", err)
	}
	for _, n := range seen.Container.NetworkSettings.Networks {
		g.address = n.IPAddress.String()
	}
	g.url = fmt.Sprintf("postgresql://%s:%s@%s:5432/%s", user, password, g.address, target)
	return until(ctx, "the database", func(ctx context.Context) error {
		conn, err := g.connect(ctx)
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	})
}

func (g *ground) connect(ctx context.Context) (*pgx.Conn, error) {
	return pgx.Connect(ctx, strings.Replace(g.url, "/"+target, "/"+maintenance, 1)+"?connect_timeout=2")
}

// prepare makes the databases that are copied: at the revision before, with rows.
func (g *ground) prepare(ctx context.Context) error {
	script, err := schemaAt(before)
	if err != nil {
		return err
	}
	if _, err := g.sql(ctx, g.id, maintenance, "CREATE DATABASE "+empty); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "bench: making rows")
	few := amount{transfers: max(1, g.amount.transfers/10), connections: max(1, g.amount.connections/10), runs: g.amount.runs}
	for name, n := range map[string]amount{filled: g.amount, thin: few} {
		if _, err := g.sql(ctx, g.id, maintenance, "CREATE DATABASE "+name); err != nil {
			return err
		}
		if err := g.exec(ctx, g.id, append(psql(name), "-1", "-f", "-"), strings.NewReader(script), nil); err != nil {
			return err
		}
		if err := g.fill(ctx, g.id, name, "", n); err != nil {
			return err
		}
	}
	g.load = machineLoad()
	return nil
}

// turns lets methods take turns, each on a fresh copy of its database.
func (g *ground) turns(ctx context.Context, rounds int, methods []*method) error {
	for round := range rounds {
		for i := range methods {
			m := methods[(round+i)%len(methods)]
			got, err := m.turn(ctx, &site{})
			if err != nil {
				return fmt.Errorf("round %d, %s: %w", round+1, m.key, err)
			}
			m.rounds = append(m.rounds, got)
			fmt.Fprintf(os.Stderr, "bench: round %d/%d  %-8s %7.2f s\n", round+1, rounds, m.key, got.took.Seconds())
		}
	}
	return nil
}

// ours migrates a copy of a database with syncmaster-setup, as a process, over TCP.
func (g *ground) ours(from, to string) func(context.Context, *site) (measured, error) {
	return func(ctx context.Context, s *site) (measured, error) {
		return g.on(ctx, from, func(ctx context.Context) (measured, error) {
			env := []string{"SYNCMASTER__DATABASE__URL=" + g.url}
			got, result, err := g.program(ctx, s, env, "migrate", "upgrade", "--output", "json", to)
			if err != nil {
				return got, err
			}
			var told struct{ Applied []struct{ Seconds float64 } }
			if err := json.Unmarshal(result, &told); err != nil {
				return got, fmt.Errorf("reading the result of migrate: %w", err)
			}
			for _, a := range told.Applied {
				got.revisions += time.Duration(a.Seconds * float64(time.Second))
			}
			return got, nil
		})
	}
}

// timed tells on standard output how long psql ran, so that the way to the container does not count.
const timed = `export PGPASSWORD=` + password + `; TIMEFORMAT=%R; exec 4>&2; { time "$@" >&4 2>&4; } 2>&1`

// psqlOn migrates with psql, in the container, over TCP and with the password, as syncmaster-setup does.
func (g *ground) psqlOn(from string, script func() (string, error), flags ...string) func(context.Context, *site) (measured, error) {
	return func(ctx context.Context, _ *site) (measured, error) {
		text, err := script()
		if err != nil {
			return measured{}, err
		}
		return g.on(ctx, from, func(ctx context.Context) (measured, error) {
			command := append([]string{"bash", "-c", timed, "bash"}, psql(target)...)
			command = append(append(command, flags...), "-h", g.address, "-f", "-")
			var told strings.Builder
			if err := g.exec(ctx, g.id, command, strings.NewReader(text), &told); err != nil {
				return measured{}, err
			}
			took, err := strconv.ParseFloat(strings.TrimSpace(told.String()), 64)
			if err != nil {
				return measured{}, fmt.Errorf("reading how long psql ran: %w", err)
			}
			whole := time.Duration(took * float64(time.Second))
			return measured{took: whole, revisions: whole}, nil
		})
	}
}

// on does something to a fresh copy of a database and notes how much it wrote.
func (g *ground) on(ctx context.Context, from string, do func(context.Context) (measured, error)) (got measured, err error) {
	_, err = g.sql(ctx, g.id, maintenance, "DROP DATABASE IF EXISTS "+target+" WITH (FORCE)",
		"CREATE DATABASE "+target+" TEMPLATE "+from+" STRATEGY file_copy", "CHECKPOINT")
	if err != nil {
		return got, err
	}
	unix.Sync()
	s, err := g.watchSize(ctx)
	if err != nil {
		return got, err
	}
	got, err = do(ctx)
	got.wal, got.disk, got.grown = s.end(ctx, &err)
	return got, err
}

// sizes watches how large the target and the log of the server become.
type sizes struct {
	conn        *pgx.Conn
	stop        context.CancelFunc
	done        chan error
	began       string // position in the log
	first, most int64  // bytes of the target
}

const sizeQuery = "SELECT pg_current_wal_lsn()::text, pg_database_size('" + target + "')"

func (g *ground) watchSize(ctx context.Context) (*sizes, error) {
	conn, err := g.connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("watching the size: %w", err)
	}
	s := &sizes{conn: conn, done: make(chan error, 1)}
	if err := conn.QueryRow(ctx, sizeQuery).Scan(&s.began, &s.first); err != nil {
		return nil, errors.Join(fmt.Errorf("watching the size: %w", err), conn.Close(ctx))
	}
	watching, stop := context.WithCancel(ctx)
	s.stop, s.most = stop, s.first
	go func() { s.done <- s.watch(ctx, watching.Done()) }()
	return s, nil
}

func (s *sizes) watch(ctx context.Context, stop <-chan struct{}) error {
	tick := time.NewTicker(sizeEvery)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return nil
		case <-tick.C:
		}
		var at string
		var bytes int64
		if err := s.conn.QueryRow(ctx, sizeQuery).Scan(&at, &bytes); err != nil {
			return fmt.Errorf("watching the size: %w", err)
		}
		s.most = max(s.most, bytes)
	}
}

// end returns how many bytes were logged, and how large the target was at most, alone and above its first size.
func (s *sizes) end(ctx context.Context, err *error) (wal, disk, grown int64) {
	s.stop()
	failed := <-s.done
	if failed == nil && *err == nil {
		failed = s.conn.QueryRow(ctx, "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), $1::pg_lsn)::bigint", s.began).Scan(&wal)
	}
	*err = errors.Join(*err, failed, s.conn.Close(ctx))
	return wal, s.most, s.most - s.first
}
