package setup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"syncmaster-setup/internal/backup"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/report"
	"syncmaster-setup/internal/workdir"
)

const (
	backups      = "backups" // folder in the install folder
	stateInStore = "state.json"
	maintenance  = "postgres" // the database that every server has
	dumpLockWait = "60s"      // for a table that another session has locked
)

// backUp backs up what is there, for the way back.
func (m *move) backUp(ctx context.Context) error {
	made, err := m.run.backUp(ctx, m.Operation, m.From, m.files[m.From.Generation])
	if err != nil {
		return err
	}
	m.Backup, m.Intact = made.Name, m.Offline
	return m.journal.Note(m.ticket)
}

// backUp writes a backup of the database and of files, and makes sure that it can be read. Nothing is kept of one that
// fails.
func (r *run) backUp(ctx context.Context, reason string, of stand, files map[string]string) (made backup.Manifest, err error) {
	facts := DatabaseFacts{}
	err = r.withDatabase(ctx, func(db Database) error {
		facts, err = db.Observe(ctx)
		return err
	})
	if err != nil {
		return made, err
	}
	w, err := backup.In(r.Dir.File(backups)).Create(backup.Manifest{
		Created: r.Now(), Reason: reason, Version: of.State.Version, Project: of.State.Project, Revision: facts.Revision,
		Server: fmt.Sprint(facts.ServerVersion / 10000), Database: facts.SystemIdentifier, Images: r.imageIDs(ctx),
	})
	if err != nil {
		return made, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Discard())
			if errors.Is(err, syscall.ENOSPC) {
				err = fault.New(fault.Failed, err, "free some space there; see the older backups with: syncmaster-setup backup list --dir "+r.dir)
			}
		}
	}()
	if err := r.dumpInto(ctx, w); err != nil {
		return made, err
	}
	for name, text := range files {
		if err := w.Text(name, text); err != nil {
			return made, err
		}
	}
	if override, exists, err := r.Dir.Read(workdir.OverrideFile); err != nil {
		return made, err
	} else if exists {
		if err := w.Text(workdir.OverrideFile, override); err != nil {
			return made, err
		}
	}
	state, err := json.MarshalIndent(of.State, "", "  ")
	if err != nil {
		return made, fmt.Errorf("encoding the state: %w", err)
	}
	if err := w.Text(stateInStore, string(state)+"\n"); err != nil {
		return made, err
	}
	return w.Commit()
}

// imageIDs tells which images the services run, by service.
func (r *run) imageIDs(ctx context.Context) map[string]string {
	ids := map[string]string{}
	now, err := r.engine.Observe(ctx, r.options.Project, nil)
	if err != nil {
		return nil // it is only told for people
	}
	for _, c := range now.Containers {
		ids[c.Service] = c.ImageID
	}
	return ids
}

// dumpInto streams pg_dump's output into a backup and lets pg_restore read its table of contents.
func (r *run) dumpInto(ctx context.Context, w *backup.Writer) error {
	at, err := r.inDatabase()
	if err != nil {
		return err
	}
	_, err = w.Write(backup.Dump, func(out io.Writer) error {
		counted := &progressWriter{out: out, tell: func(n int64) {
			r.Report.Report(report.Event{Kind: report.Progress, Text: "dumped", Bytes: n})
		}}
		return r.tool(ctx, at, []string{"pg_dump", "--format=custom", "--lock-wait-timeout=" + dumpLockWait, "--dbname=" + at.name}, nil, counted)
	})
	if err != nil {
		return err
	}
	if _, err := w.Write(backup.Roles, func(out io.Writer) error { return r.dumpRoles(ctx, at, out) }); err != nil {
		return err
	}
	written, err := w.Reopen(backup.Dump)
	if err != nil {
		return err
	}
	var contents countLines
	err = r.tool(ctx, server{container: at.container, project: at.project}, []string{"pg_restore", "--list"}, written, &contents)
	if err = errors.Join(err, written.Close()); err == nil && contents == 0 {
		err = errors.New("pg_restore finds nothing in the dump")
	}
	return err
}

// server is the database of an install, seen from inside its container.
type server struct {
	project, container string
	user, name         string
}

// inDatabase tells how the tools in the database's container reach the database.
func (r *run) inDatabase() (server, error) {
	u, err := url.Parse(r.setting(databaseURL).Reveal())
	if err != nil || u.User == nil {
		return server{}, errors.New("reading " + databaseURL + ": it is no URL with a user")
	}
	return server{r.options.Project, "db", u.User.Username(), strings.TrimPrefix(u.Path, "/")}, nil
}

// tool runs one of PostgreSQL's own programs in the database's container, over its local socket.
func (r *run) tool(ctx context.Context, at server, command []string, in io.Reader, out io.Writer) error {
	if at.user != "" {
		command = append(command, "--username="+at.user, "--no-password")
	}
	code, said, err := r.engine.Stream(ctx, at.project, at.container, command, in, out)
	if err != nil {
		return err
	}
	if code != 0 {
		return fmt.Errorf("%s ended with exit code %d: %s", command[0], code, strings.TrimSpace(r.redact(said)))
	}
	return nil
}

// loadDump puts the database of a backup in the place of the one that is there. It is loaded beside that one first: a
// dump that cannot be read changes nothing.
func (r *run) loadDump(ctx context.Context, m backup.Manifest) error {
	at, err := r.inDatabase()
	if err != nil {
		return err
	}
	if err := r.bringRoles(ctx, at, m); err != nil {
		return err
	}
	settings, err := r.settingsOf(ctx, at, m)
	if err != nil {
		return err
	}
	fresh, old := at.name+"_restoring", at.name+"_replaced"
	err = r.sql(ctx, at,
		"DROP DATABASE IF EXISTS "+quoted(fresh)+" WITH (FORCE);",
		"DROP DATABASE IF EXISTS "+quoted(old)+" WITH (FORCE);",
		// with the locale of the one that it replaces
		"CREATE DATABASE "+quoted(fresh)+" OWNER "+quoted(at.user)+" TEMPLATE template0"+r.localeOf(ctx, at)+";")
	if err != nil {
		return err
	}
	dump, err := backup.In(r.Dir.File(backups)).Open(m, backup.Dump)
	if err != nil {
		return err
	}
	size := m.Files[backup.Dump].Bytes
	counted := &progressReader{in: dump, tell: func(n int64) {
		r.Report.Report(report.Event{Kind: report.Progress, Text: "restoring", Bytes: n, OfBytes: size})
	}}
	err = r.tool(ctx, at, []string{"pg_restore", "--exit-on-error", "--dbname=" + loading(fresh)}, counted, nil)
	if err == nil {
		_, err = io.Copy(io.Discard, counted) // pg_restore may leave the end unread; the checksum needs it
	}
	if err = errors.Join(err, dump.Close()); err != nil {
		return errors.Join(err, r.sql(ctx, at, "DROP DATABASE IF EXISTS "+quoted(fresh)+" WITH (FORCE);"))
	}
	if err := r.closeDatabase(ctx); err != nil {
		return err
	}
	return r.sql(ctx, at, slices.Concat([]string{
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = " + literal(at.name) + " AND pid <> pg_backend_pid();",
		"BEGIN;",
		"ALTER DATABASE " + quoted(at.name) + " RENAME TO " + quoted(old) + ";",
		"ALTER DATABASE " + quoted(fresh) + " RENAME TO " + quoted(at.name) + ";",
	}, settings, []string{"COMMIT;", "DROP DATABASE " + quoted(old) + " WITH (FORCE);"})...)
}

// localeOf returns the clauses that make a database with the encoding and the locale of another one.
func (r *run) localeOf(ctx context.Context, at server) string {
	const query = `SELECT format(' ENCODING %L LC_COLLATE %L LC_CTYPE %L', pg_encoding_to_char(encoding), datcollate, datctype)
		FROM pg_database WHERE datname = current_database()`
	clauses, err := r.answer(ctx, at, at.name, query)
	if err != nil {
		return "" // the server's own, as at its first start
	}
	return clauses
}

// answer returns what a database of the server answers to a query, a line for each row.
func (r *run) answer(ctx context.Context, at server, database, query string) (string, error) {
	var out strings.Builder
	err := r.tool(ctx, at, []string{"psql", "-XAtqc", query, "--dbname=" + database}, nil, &out)
	return strings.TrimRight(out.String(), "\n"), err
}

// sql runs statements, each with its semicolon, one by one in one session in the server's maintenance database, and stops
// at the first that fails. They may hold secrets, so they are no arguments.
func (r *run) sql(ctx context.Context, at server, statements ...string) error {
	command := []string{"psql", "-XAtq", "--set=ON_ERROR_STOP=1", "--dbname=" + maintenance, "--file=-"}
	return r.tool(ctx, at, command, strings.NewReader(strings.Join(statements, "\n")+"\n"), nil)
}

func quoted(name string) string  { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
func literal(text string) string { return `'` + strings.ReplaceAll(text, `'`, `''`) + `'` }

// progressWriter tells now and then how much was written.
type progressWriter struct {
	out  io.Writer
	tell func(int64)
	n    int64
	told time.Time
}

func (w *progressWriter) Write(p []byte) (int, error) {
	n, err := w.out.Write(p)
	w.n += int64(n)
	if time.Since(w.told) > time.Second {
		w.told = time.Now()
		w.tell(w.n)
	}
	return n, err
}

// progressReader tells now and then how much was read.
type progressReader struct {
	in   io.Reader
	tell func(int64)
	n    int64
	told time.Time
}

func (r *progressReader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	r.n += int64(n)
	if time.Since(r.told) > time.Second {
		r.told = time.Now()
		r.tell(r.n)
	}
	return n, err
}

// countLines counts what is written to it by lines.
type countLines int

func (c *countLines) Write(p []byte) (int, error) {
	*c += countLines(strings.Count(string(p), "\n"))
	return len(p), nil
}

// manifest returns the manifest of a backup of this install.
func (s *Setup) manifest(name string) (backup.Manifest, error) {
	m, err := backup.In(s.Dir.File(backups)).Manifest(name)
	if errors.Is(err, backup.ErrNone) {
		return m, fault.New(fault.BadInput, fmt.Errorf("there is no backup %q in %s", name, s.Dir.File(backups)),
			"list them with: syncmaster-setup backup list --dir "+s.Dir.Path())
	}
	if err != nil {
		return m, s.unreadable(err)
	}
	return m, nil
}

// restoreDatabase puts the database of the backup that is asked for in place.
func (m *move) restoreDatabase(ctx context.Context) error {
	if err := m.touch(ctx); err != nil {
		return err
	}
	wanted, err := m.manifest(m.Restore)
	if err != nil {
		return err
	}
	return m.loadDump(ctx, wanted)
}

// putBackDump puts the database of the backup that was made before in place again.
func (m *move) putBackDump(ctx context.Context) error {
	made, err := m.manifest(m.Backup)
	if err != nil {
		return err
	}
	return m.loadDump(ctx, made)
}
