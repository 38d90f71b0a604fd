package setup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/probe"
	"syncmaster-setup/internal/report"
	"syncmaster-setup/internal/stack"
	"syncmaster-setup/internal/workdir"
)

// applicationOrder is the order in which services start.
var applicationOrder = []string{"server", "frontend", "worker", "scheduler"}

func (m *move) pullImages(ctx context.Context) error {
	return m.engine.Pull(ctx, m.Pull, m.platformOf(), func(done, total int64) {
		m.Report.Report(report.Event{Kind: report.Progress, Bytes: done, OfBytes: total})
	})
}

// platformOf is what was asked for; empty leaves it to the engine.
func (m *move) platformOf() string { return m.options.Platform }

// stopServer takes the server away; the outage begins. Where the database is migrated next, that begins when the
// server's program has ended.
func (m *move) stopServer(ctx context.Context) error {
	if m.To.ImageMigrates || m.Restore != "" {
		m.leave()
		return m.halt(ctx, "server", 0)
	}
	// what can be done before is not done while the server is missed
	if err := m.withDatabase(ctx, func(db Database) error { return m.readyToChange(ctx, db) }); err != nil {
		return err
	}
	m.loadAhead(ctx)
	m.leave()
	if m.Offline { // the backup comes first
		return m.halt(ctx, "server", 0)
	}
	if err := m.noteHalt("server"); err != nil {
		return err
	}
	if err := m.load(ctx); err != nil {
		return err
	}
	var err error
	m.rest, err = m.engine.End(ctx, m.project, "server")
	return err
}

// halt stops a service, and notes before that it does.
func (m *move) halt(ctx context.Context, service string, limit time.Duration) error {
	if err := m.noteHalt(service); err != nil {
		return err
	}
	return m.stop(ctx, []string{service}, limit)
}

func (m *move) noteHalt(service string) error {
	if slices.Contains(m.Halted, service) {
		return nil
	}
	m.Halted = append(m.Halted, service)
	return m.journal.Note(m.ticket)
}

// leave notes when the server was taken away.
func (m *move) leave() {
	if m.away.IsZero() {
		m.away = m.Now()
	}
}

// stop stops those of the services that have a container.
func (m *move) stop(ctx context.Context, services []string, limit time.Duration) error {
	if err := m.load(ctx); err != nil || len(services) == 0 {
		return err
	}
	return m.engine.Stop(ctx, m.project, services, limit)
}

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

func (m *move) progress(text string) {
	m.Report.Report(report.Event{Kind: report.Progress, Text: text})
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

// putNew puts the target's files in place, unless somebody has edited one of them since they were laid aside.
func (m *move) putNew(context.Context) error {
	if edited, err := m.edited(); err != nil || len(edited) > 0 {
		return errors.Join(err, wasEdited(edited))
	}
	if _, err := m.put(m.To); err != nil {
		return err
	}
	return m.standAt(m.To)
}

// putOld puts the files back that were found. One that somebody has edited since is kept beside.
func (m *move) putOld(context.Context) error {
	edited, err := m.edited()
	if err != nil {
		return err
	}
	for _, name := range edited {
		kept, err := m.Dir.KeepEdited(m.Now(), name)
		if err != nil {
			return err
		}
		m.Report.Report(report.Event{Kind: report.Warning, Text: fmt.Sprintf("%s was edited meanwhile: that is kept as %s, and the one from before is put back", name, kept)})
	}
	if _, err := m.put(m.From); err != nil {
		return err
	}
	return m.standAt(m.From)
}

// edited names the files that are neither as they were found nor as they will be.
func (m *move) edited() ([]string, error) {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(m.files[m.From.Generation])) {
		text, exists, err := m.Dir.Read(name)
		if err != nil {
			return nil, err
		}
		if name == workdir.ComposeFile && m.KeepCompose { // it is not written
			continue
		}
		if exists && text != m.files[m.From.Generation][name] && text != m.files[m.To.Generation][name] {
			list = append(list, name)
		}
	}
	return list, nil
}

func wasEdited(names []string) error {
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf("%s was edited while this command was at work", strings.Join(names, ", "))
}

// put writes the files of a stand, and leaves a Compose file alone that the user keeps.
func (m *move) put(at stand) ([]string, error) {
	texts := map[string]string{}
	for name, text := range m.files[at.Generation] {
		if name != workdir.ComposeFile || !m.KeepCompose {
			texts[name] = text
		}
	}
	return m.Dir.WriteProject(texts)
}

// replace makes the containers of services as the files have them, and starts those that ran.
func (m *move) replace(present, running []string) error {
	ctx := m.hard
	if slices.Contains(running, "server") {
		m.leave()
	}
	if m.made && slices.Equal(present, []string{"server"}) {
		m.project = m.ahead
	} else if err := m.create(ctx, present...); err != nil {
		return err
	}
	if slices.Contains(running, "scheduler") {
		if err := m.oneScheduler(ctx); err != nil {
			return err
		}
	}
	return m.startAndWait(ctx, running)
}

func (m *move) startAndWait(ctx context.Context, services []string) error {
	if len(services) == 0 {
		return nil
	}
	if err := m.engine.Start(ctx, m.project, services...); err != nil {
		return err
	}
	m.every = 0
	if slices.Contains(services, "server") {
		m.every = missedEvery
	}
	if err := m.waitHealthy(ctx, services); err != nil {
		return err
	}
	if slices.Contains(services, "server") && !m.away.IsZero() && !m.worked {
		seconds := m.Now().Sub(m.away).Round(time.Millisecond).Seconds()
		m.outage = &seconds
	}
	return nil
}

// oneScheduler refuses to start the scheduler beside another one of this project.
func (m *move) oneScheduler(ctx context.Context) error {
	now, err := m.engine.Observe(ctx, m.options.Project, nil)
	if err != nil {
		return err
	}
	var alive []string
	for _, c := range now.Containers {
		if c.Service == "scheduler" && c.Alive() {
			alive = append(alive, c.Name)
		}
	}
	if len(alive) < 2 { // one is the container that was just made, and somebody else has started it
		return nil
	}
	return fault.New(fault.Failed, fmt.Errorf("%d schedulers run already, in the containers %s: they run every transfer twice", len(alive), strings.Join(alive, ", ")),
		"stop one with: docker stop "+alive[0])
}

// startOld starts what ran before, with the old files, and waits until it is healthy.
func (m *move) startOld(ctx context.Context) error {
	if err := m.putOld(ctx); err != nil {
		return err
	}
	var present []string
	for _, service := range applicationOrder {
		if slices.Contains(m.Present, service) {
			present = append(present, service)
		}
	}
	// a stop goes on in the engine when the process that asked for it was killed: it is waited for, or it would end
	// what is started now
	if err := m.stop(ctx, m.Halted, cutAfter); err != nil {
		return err
	}
	resumeErr := m.resumeQueues(ctx)
	if err := m.create(ctx, present...); err != nil {
		return err
	}
	if err := m.startOneByOne(ctx); err != nil {
		return errors.Join(err, resumeErr)
	}
	return nil // also where a worker gave no answer: it was seen to serve its queues
}

// startOneByOne starts what ran before as in a start: the server first, the scheduler last.
func (m *move) startOneByOne(ctx context.Context) error {
	for _, service := range applicationOrder {
		if m.ran(service) {
			if err := m.startAndWait(ctx, []string{service}); err != nil {
				return err
			}
		}
	}
	return nil
}

// record makes the target what is installed.
func (m *move) record(context.Context) error {
	m.To.State.Changed = m.Now().UTC().Truncate(time.Second)
	return m.Dir.SaveState(m.To.State)
}

func (m *move) unrecord(context.Context) error { return m.Dir.SaveState(m.From.State) }
