package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	sql "syncmaster-setup/migrations"
	"syncmaster-setup/test/kit/facts"
)

// migrate is `python -m syncmaster.db.migrations ARGS`, a thin wrapper of Alembic's command line.
func migrate(r facts.Release, args []string) int {
	if len(args) == 0 {
		return fail("usage: alembic [-h] [--version] {upgrade,downgrade,current,heads,history,stamp} ...")
	}
	s, err := loadSettings(r, migrations)
	if err != nil {
		return fail("%v", err)
	}
	dsn, err := interpolate(s.text("", "database", "url"))
	if err != nil {
		return fail("%v", err)
	}
	a := alembic{release: r, dsn: dsn}
	if a.revisions, err = revisionsOf(r); err != nil {
		return fail("%v", err)
	}
	if err := a.run(context.Background(), args[0], args[1:]); err != nil {
		return fail("%v", err)
	}
	return 0
}

var interpolation = regexp.MustCompile(`%%|%\([^)]*\)s`)

// interpolate treats the URL as the value of an ini file (trap 5): a single % stops the command.
func interpolate(dsn string) (string, error) {
	if i := strings.Index(interpolation.ReplaceAllString(dsn, ""), "%"); i >= 0 {
		return "", fmt.Errorf("ValueError: invalid interpolation syntax in %q at position %d", dsn, i)
	}
	return strings.ReplaceAll(dsn, "%%", "%"), nil
}

// alembic migrates one database with the revisions of one release.
type alembic struct {
	release   facts.Release
	dsn       string
	revisions []string // oldest first
}

func revisionsOf(r facts.Release) ([]string, error) {
	files, err := fs.Glob(sql.FS, "*.up.sql")
	if err != nil {
		return nil, fmt.Errorf("listing the revisions: %w", err)
	}
	var revisions []string
	for _, name := range files {
		if revision, _, _ := strings.Cut(path.Base(name), "_"); revision <= r.Head {
			revisions = append(revisions, revision)
		}
	}
	slices.Sort(revisions)
	if len(revisions) == 0 || revisions[len(revisions)-1] != r.Head {
		return nil, fmt.Errorf("the stand-in carries no revision %s", r.Head)
	}
	return revisions, nil
}

func (a alembic) run(ctx context.Context, command string, args []string) error {
	args = slices.DeleteFunc(args, func(arg string) bool { return arg == "-v" || arg == "--verbose" })
	switch command {
	case "heads":
		fmt.Println(a.release.Head, "(head)")
		return nil
	case "history":
		for i := len(a.revisions) - 1; i >= 0; i-- {
			fmt.Printf("%s -> %s%s\n", a.before(i), a.revisions[i], a.mark(a.revisions[i]))
		}
		return nil
	case "current":
		return a.inTransaction(ctx, func(tx pgx.Tx, current string) error {
			if current != "" {
				fmt.Println(current + a.mark(current))
			}
			return nil
		})
	}
	if len(args) != 1 {
		return fmt.Errorf("alembic %s: error: the following arguments are required: revision", command)
	}
	switch command {
	case "upgrade", "downgrade", "stamp":
		return a.inTransaction(ctx, func(tx pgx.Tx, current string) error {
			return a.move(ctx, tx, command, current, args[0])
		})
	}
	return fmt.Errorf("alembic: error: argument {upgrade,downgrade,...}: invalid choice: '%s'", command)
}

// inTransaction gives act the recorded revision, empty for a new database, and commits everything or nothing.
func (a alembic) inTransaction(ctx context.Context, act func(tx pgx.Tx, current string) error) (err error) {
	conn, err := connectURL(ctx, a.dsn, asyncpg)
	if err != nil {
		return err
	}
	defer hangUp(conn)
	fmt.Fprintln(os.Stderr, "INFO  [alembic.runtime.migration] Context impl PostgresqlImpl.")
	fmt.Fprintln(os.Stderr, "INFO  [alembic.runtime.migration] Will assume transactional DDL.")
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		current, err := recorded(ctx, tx)
		if err != nil {
			return err
		}
		if current != "" && !slices.Contains(a.revisions, current) {
			return unknownRevision(current)
		}
		return act(tx, current)
	})
}

func unknownRevision(revision string) error {
	return fmt.Errorf("ERROR [alembic.util.messaging] Can't locate revision identified by '%s'\n"+
		"FAILED: Can't locate revision identified by '%s'", revision, revision)
}

// recorded returns the revision in alembic_version.
func recorded(ctx context.Context, tx pgx.Tx) (string, error) {
	var exists bool
	if err := tx.QueryRow(ctx, "SELECT to_regclass('alembic_version') IS NOT NULL").Scan(&exists); err != nil || !exists {
		return "", err
	}
	var revision string
	err := tx.QueryRow(ctx, "SELECT version_num FROM alembic_version").Scan(&revision)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return revision, err
}

// move upgrades, downgrades or stamps to a revision that is named as Alembic allows: head, base, 0012, +1 or -1.
func (a alembic) move(ctx context.Context, tx pgx.Tx, command, current, goal string) error {
	from := slices.Index(a.revisions, current)
	to, err := a.find(from, goal)
	if err != nil {
		return err
	}
	const table = `CREATE TABLE IF NOT EXISTS alembic_version (
		version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))`
	if _, err := tx.Exec(ctx, table); err != nil {
		return fmt.Errorf("making alembic_version: %w", err)
	}
	if command != "stamp" {
		if err := a.steps(ctx, tx, command, from, to); err != nil {
			return err
		}
	}
	if command == "upgrade" && to < from || command == "downgrade" && to > from {
		return nil // nothing to do, and nothing to record
	}
	if _, err := tx.Exec(ctx, "DELETE FROM alembic_version"); err != nil {
		return fmt.Errorf("recording the revision: %w", err)
	}
	if to < 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, "INSERT INTO alembic_version VALUES ($1)", a.revisions[to]); err != nil {
		return fmt.Errorf("recording the revision: %w", err)
	}
	return nil
}

func (a alembic) find(from int, goal string) (int, error) {
	switch {
	case goal == "head" || goal == "heads":
		return len(a.revisions) - 1, nil
	case goal == "base":
		return -1, nil
	case strings.HasPrefix(goal, "+") || strings.HasPrefix(goal, "-"):
		var n int
		if _, err := fmt.Sscanf(goal, "%d", &n); err == nil && from+n >= -1 && from+n < len(a.revisions) {
			return from + n, nil
		}
		return 0, fmt.Errorf("FAILED: Relative revision %s didn't produce %s migrations", goal, goal[1:])
	}
	if i := slices.Index(a.revisions, goal); i >= 0 {
		return i, nil
	}
	return 0, unknownRevision(goal)
}

func (a alembic) steps(ctx context.Context, tx pgx.Tx, command string, from, to int) error {
	for i := from + 1; command == "upgrade" && i <= to; i++ {
		fmt.Fprintf(os.Stderr, "INFO  [alembic.runtime.migration] Running upgrade %s -> %s\n",
			strings.Replace(a.before(i), "<base>", "", 1), a.revisions[i])
		if err := a.execute(ctx, tx, a.revisions[i], "up"); err != nil {
			return err
		}
	}
	for i := from; command == "downgrade" && i > to; i-- {
		fmt.Fprintf(os.Stderr, "INFO  [alembic.runtime.migration] Running downgrade %s -> %s\n",
			a.revisions[i], strings.Replace(a.before(i), "<base>", "", 1))
		if err := a.execute(ctx, tx, a.revisions[i], "down"); err != nil {
			return err
		}
	}
	return nil
}

// execute runs a revision's file as this release's image would.
func (a alembic) execute(ctx context.Context, tx pgx.Tx, revision, direction string) error {
	files, err := fs.Glob(sql.FS, revision+"_*."+direction+".sql")
	if err != nil || len(files) != 1 {
		return fmt.Errorf("finding the %s file of revision %s: %d files, %w", direction, revision, len(files), err)
	}
	text, err := fs.ReadFile(sql.FS, files[0])
	if err != nil {
		return fmt.Errorf("reading %s: %w", files[0], err)
	}
	statement, err := a.asReleased(revision, direction, string(text))
	if err != nil {
		return err
	}
	// The simple protocol takes several statements at once.
	if _, err := tx.Conn().PgConn().Exec(ctx, statement).ReadAll(); err != nil {
		var problem *pgconn.PgError
		if errors.As(err, &problem) {
			return fmt.Errorf("sqlalchemy.exc.ProgrammingError: (sqlalchemy.dialects.postgresql.asyncpg.ProgrammingError) %w", err)
		}
		return fmt.Errorf("running %s: %w", files[0], err)
	}
	return nil
}

// asReleased gives a revision the form it had in the release: 0.2.0 and 0.2.1 make two columns of other lengths, and
// the way back from 0012 has an unbalanced bracket in 0.3.1 (contract.md, section 3).
func (a alembic) asReleased(revision, direction, text string) (string, error) {
	if a.release.Number == 301 && revision == "0012" && direction == "down" {
		return text + "\n;SELECT to_tsvector('english'::regconfig, ''));", nil
	}
	edit := map[string][2]string{"0002": {"name varchar(128)", "name varchar(256)"}, "0004": {"type varchar(32)", "type varchar(23)"}}
	change, ok := edit[revision]
	if !ok || direction != "up" || a.release.Number > 201 {
		return text, nil
	}
	if strings.Count(text, change[0]) != 1 {
		return "", fmt.Errorf("revision %s holds %q not exactly once", revision, change[0])
	}
	return strings.Replace(text, change[0], change[1], 1), nil
}

func (a alembic) before(i int) string {
	if i == 0 {
		return "<base>"
	}
	return a.revisions[i-1]
}

func (a alembic) mark(revision string) string {
	if revision == a.release.Head {
		return " (head)"
	}
	return ""
}
