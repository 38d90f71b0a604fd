package setup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/probe"
	"syncmaster-setup/internal/report"
	"syncmaster-setup/internal/stack"
)

// migrateTo brings the database to the target's revision, once nothing writes any more.
func (m *move) migrateTo(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, m.restOfStop()) }()
	if err := m.touch(ctx); err != nil {
		return err
	}
	if m.To.ImageMigrates {
		return m.migrateByNewImage(ctx)
	}
	return m.withDatabase(ctx, func(db Database) error {
		if err := m.sameDatabase(ctx, db); err != nil {
			return err
		}
		made := m.makeAhead(ctx)
		defer made()
		if m.To.Revision < m.From.Revision {
			return db.Back(ctx, m.To.Revision, m.progress)
		}
		_, err := db.Migrate(ctx, m.To.Revision, m.progress)
		return err
	})
}

// loadAhead loads the target's project, whose server's container is made while the database changes. Where that fails,
// the step that starts the server loads it, and tells why.
func (m *move) loadAhead(ctx context.Context) {
	if w, err := m.worldAt(m.To); err == nil && m.ahead == nil && !m.KeepCompose && m.ran("server") {
		m.ahead, _ = m.LoadAhead(ctx, m.dir, m.Dir.GenerationPath(m.To.Generation), w.options.Services())
	}
}

// restOfStop waits until the engine is done with the server that was stopped.
func (m *move) restOfStop() error {
	rest := m.rest
	if m.rest = nil; rest == nil {
		return nil
	}
	return rest()
}

// makeAhead makes the container of the target's server while the database changes, since the server is missed. Where
// that fails, the step that starts the server makes it, and tells why. The function returned waits for the end.
func (m *move) makeAhead(ctx context.Context) (wait func()) {
	m.loadAhead(ctx)
	if m.ahead == nil {
		return func() {}
	}
	made, rest := make(chan struct{}), m.rest
	go func() {
		defer close(made)
		if rest == nil || rest() == nil {
			m.made = m.engine.Create(ctx, m.ahead, "server") == nil
		}
	}()
	return func() { <-made }
}

// readyToChange makes sure, while the server still answers, that the migration will not wait for a lock, and plans it.
func (m *move) readyToChange(ctx context.Context, db Database) error {
	if err := m.sameDatabase(ctx, db); err != nil {
		return err
	}
	told := false
	var held []string
	err := probe.Wait(ctx, probe.Options{What: "locks on SyncMaster's tables", Limit: lockPatience}, func(ctx context.Context) error {
		var err error
		if held, err = db.TableHolders(ctx, lockAge); err != nil || len(held) == 0 {
			return probe.Fatal(err)
		}
		if !told {
			told = true
			m.progress("waiting for a lock on a table; held by " + strings.Join(held, "; "))
		}
		return errLocked
	})
	if err == nil && m.To.Revision > m.From.Revision {
		return db.Prepare(ctx, m.To.Revision)
	}
	if !errors.Is(err, errLocked) || ctx.Err() != nil {
		return err
	}
	return fault.New(fault.Failed, fmt.Errorf("a table of SyncMaster is locked; held by %s", strings.Join(held, "; ")),
		"end that session where nobody needs it, with: SELECT pg_terminate_backend(PID); then try again")
}

const (
	// lockPatience is how long the server goes on while another session holds a lock.
	lockPatience = 30 * time.Second
	// lockAge is from when on a lock is not one of the server's own short transactions.
	lockAge = 2 * time.Second
)

var errLocked = errors.New("a table is locked")

// sameDatabase makes sure that it is still the database that was looked at, once in a session.
func (m *move) sameDatabase(ctx context.Context, db Database) error {
	if m.known == db {
		return nil
	}
	facts, err := db.Observe(ctx)
	if err == nil {
		err = CheckIdentity(m.From.State.Database, facts.SystemIdentifier)
	}
	if err == nil {
		m.known = db
	}
	return err
}

// vacuum is maintenance: where it fails, autovacuum does it later.
func (m *move) vacuum(ctx context.Context) error {
	err := m.withDatabase(ctx, func(db Database) error { return db.Vacuum(ctx, m.Rewritten) })
	if err != nil {
		m.Report.Report(report.Event{Kind: report.Warning, Text: m.told(err).Error()})
	}
	return nil
}

// migrateByNewImage runs the migrations of a release that is newer than this program, with its own files.
func (m *move) migrateByNewImage(ctx context.Context) error {
	if err := m.putNew(ctx); err != nil {
		return err
	}
	if err := m.load(ctx); err != nil {
		return err
	}
	return m.migrateByImage(ctx)
}

// touch makes sure that nobody writes to the database, and notes that from now on it may be another one than the backup
// has.
func (m *move) touch(ctx context.Context) error {
	if err := m.mustBeQuiet(ctx); err != nil || !m.Intact {
		return err
	}
	m.Intact = false
	return m.journal.Note(m.ticket)
}

// mustBeQuiet refuses to change a database that somebody has begun to write to again. Migrations that a killed run has
// left at work are ended: they begin anew.
func (m *move) mustBeQuiet(ctx context.Context) error {
	var ended []string
	if m.rest != nil { // it was seen to end, and cannot be looked at yet
		ended = append(ended, "server")
	}
	containers, err := m.engine.Containers(ctx, m.options.Project, ended...)
	if err != nil {
		return err
	}
	now := stack.Observed{Containers: containers}
	if busy := append(aliveOf(now, writers...), beyondUs(now)...); len(busy) > 0 {
		return fault.New(fault.Failed, fmt.Errorf("%s was started by somebody else meanwhile", strings.Join(busy, ", ")),
			"leave the stack alone while this command is at work")
	}
	return m.stop(ctx, aliveOf(now, migrations), cutAfter)
}

// aliveOf returns those of the services that run.
func aliveOf(now stack.Observed, services ...string) []string {
	return slices.DeleteFunc(slices.Clone(services), func(service string) bool {
		c, exists := now.Container(service)
		return !exists || !c.Alive()
	})
}

// beyondUs returns the services of the user's own, in the override file, that run an image of SyncMaster: they are not
// drained, replaced and started here.
func beyondUs(now stack.Observed) []string {
	var list []string
	for _, c := range now.Containers {
		known := c.Service == migrations || slices.Contains(applicationOrder, c.Service) || slices.Contains(list, c.Service)
		if ours := strings.HasPrefix(c.Image[strings.LastIndex(c.Image, "/")+1:], "syncmaster-"); ours && !known && c.Alive() {
			list = append(list, c.Service)
		}
	}
	return list
}

// silence stops those of the services that run.
func (m *move) silence(ctx context.Context, services ...string) error {
	now, err := m.engine.Observe(ctx, m.options.Project, nil)
	if err != nil {
		return err
	}
	return m.stop(ctx, aliveOf(now, services...), cutAfter)
}

// undoDatabase brings the database back to where it was. Somebody may have started services since it was changed, and
// the migrations of a killed run may still be at work.
func (m *move) undoDatabase(ctx context.Context) error {
	if m.byDump() && (m.Backup == "" || m.Intact) { // it was not touched, and may hold more than the dump
		return nil
	}
	if err := m.silence(ctx, append([]string{migrations}, writers...)...); err != nil {
		return err
	}
	if m.byDump() {
		return m.putBackDump(ctx)
	}
	if err := m.closeDatabase(ctx); err != nil { // a session that was cut says nothing about the way back
		m.db = nil
	}
	err := m.withDatabase(ctx, func(db Database) error {
		if m.To.Revision < m.From.Revision { // of a rollback
			_, err := db.Migrate(ctx, m.From.Revision, m.progress)
			return err
		}
		return db.Back(ctx, m.From.Revision, m.progress)
	})
	if err != nil || len(m.Rewritten) == 0 {
		return err
	}
	return m.vacuum(ctx)
}
