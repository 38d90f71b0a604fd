package setup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"syncmaster-setup/internal/backup"
	"syncmaster-setup/internal/config"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/journal"
	"syncmaster-setup/internal/plan"
	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/render"
	"syncmaster-setup/internal/report"
	"syncmaster-setup/internal/workdir"
)

// Restore rebuilds database, files and release of a backup: in the install in the folder, after a backup of what it
// replaces, or in a folder without one.
func (s *Setup) Restore(ctx context.Context, name string, o MoveOptions) (result MoveResult, err error) {
	began := s.Now()
	wanted, err := s.VerifyBackup(name)
	if err != nil {
		return MoveResult{}, asRefused(err)
	}
	to, files, err := s.standOf(wanted)
	if err != nil {
		return MoveResult{}, err
	}
	unlock, err := s.Lock(opRestore, began)
	if err != nil {
		return MoveResult{}, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	w, err := s.observeFolder()
	if err != nil {
		return MoveResult{}, err
	}
	engine, err := s.Connect(ctx)
	if err != nil {
		return MoveResult{}, err
	}
	if !w.installed && w.open == nil {
		return s.restoreFresh(ctx, engine, w, to, files, wanted, o)
	}
	if w, err = s.look(config.Options{}); err != nil {
		return MoveResult{}, err
	}
	if err := w.checkMovable(opRestore); err != nil {
		return MoveResult{}, err
	}
	if to.State.Project != w.state.Project {
		return MoveResult{}, fault.New(fault.Refused, fmt.Errorf("the backup is of the project %q, and the install in %s is %q", to.State.Project, w.dir, w.state.Project),
			"restore it into an empty folder with --dir")
	}
	u, err := s.observeReturn(ctx, engine, w, to, files, wanted.Files[backup.Dump].Bytes)
	if err != nil {
		return MoveResult{}, err
	}
	t := u.returning(opRestore, to, o)
	t.Pending, t.Offline, t.Restore = true, true, name
	if o.NoBackup {
		return MoveResult{}, fault.New(fault.BadInput, errors.New("--no-backup: a restore replaces the database, and its way back is a backup of what is there now"), "leave it out")
	}
	p := u.describe(t)
	for _, text := range u.then().otherImages(wanted, u.movedServices()) {
		s.warn(&p, text)
	}
	p.Database = fmt.Sprintf("is replaced by the one of %s; what was written since is lost: %s", wanted.Created.Format(time.RFC3339), u.newer(ctx, s, wanted.Created))
	return s.begin(ctx, began, engine, o, t, p, files)
}

// otherImages tells which images are not those that the services ran when a backup was made: a tag can be moved.
func (w world) otherImages(m backup.Manifest, services []string) []string {
	var list []string
	for _, service := range services {
		ref := w.image(service)
		image, present := w.observed.Images[ref]
		if was := m.Images[service]; present && was != "" && image.ID != was {
			list = append(list, fmt.Sprintf("%s names another image than the one that %s ran when the backup was made, %s", ref, service, was))
		}
	}
	return list
}

// asRefused tells a backup that is damaged: nothing is changed for its sake.
func asRefused(err error) error {
	if fault.CodeOf(err) == fault.Failed {
		return fault.New(fault.Refused, err, "choose another backup: syncmaster-setup backup list")
	}
	return err
}

// standOf reads what a backup is a backup of.
func (s *Setup) standOf(m backup.Manifest) (stand, render.Files, error) {
	store := backup.In(s.Dir.File(backups))
	texts := map[string]string{}
	for _, name := range []string{workdir.ComposeFile, workdir.EnvFile, workdir.AppEnvFile, stateInStore} {
		text, err := store.Text(m, name)
		if err != nil {
			return stand{}, render.Files{}, asRefused(err)
		}
		texts[name] = text
	}
	to := stand{Revision: m.Revision}
	if err := json.Unmarshal([]byte(texts[stateInStore]), &to.State); err != nil {
		return stand{}, render.Files{}, fmt.Errorf("reading the state in the backup %s: %w", m.Name, err)
	}
	if _, err := release.Lookup(to.State.Version); err != nil {
		return stand{}, render.Files{}, fault.New(fault.Refused, fmt.Errorf("the backup is of a release that is not known here: %w", err), "use a newer syncmaster-setup")
	}
	return to, filesOf(texts), nil
}

// restoreFresh makes a backup an install again, in a folder that holds none.
func (s *Setup) restoreFresh(ctx context.Context, engine Engine, w world, to stand, files render.Files, m backup.Manifest, o MoveOptions) (MoveResult, error) {
	problems := &fault.Problems{Code: fault.Refused}
	w.options, w.writable = to.State.Options, s.Dir.Writable()
	w.checkFolder(problems)
	if err := problems.Err(); err != nil {
		return MoveResult{}, err
	}
	to.Generation = 1
	to.State.Generation, to.State.Previous, to.State.Phase, to.State.Database = 1, 0, workdir.Installing, ""
	t := ticket{Operation: opRestore, Fresh: true, From: to, To: to, Restore: m.Name, Limit: o.Limit, Backup: ""}
	p := MovePlan{Operation: opRestore, To: to.State.Version, Database: "is that of " + m.Created.Format(time.RFC3339),
		Steps: []string{"put the files of the backup into " + w.dir, "start the database", "load the dump", "start the rest, as init does"}}
	if o.DryRun {
		return MoveResult{Operation: opRestore, To: to.State.Version, Dir: w.dir, Plan: &p}, nil
	}
	if err := o.confirm(p); err != nil {
		return MoveResult{}, err
	}
	if err := s.Dir.SaveGeneration(1, textsOf(files)); err != nil {
		return MoveResult{}, err
	}
	j, err := journal.Open(s.Dir.JournalStore(), opRestore, t, s.Now)
	if err != nil {
		return MoveResult{}, err
	}
	return s.fillFresh(ctx, o.Hard, engine, t, j)
}

// placeFresh puts the files of a backup in place as those of an install that has begun, and takes the same look at ports,
// images and volumes as before a first start. A refusal leaves the folder as it was.
func (s *Setup) placeFresh(ctx context.Context, t ticket, j *journal.Journal) error {
	texts, err := s.Dir.Generation(1)
	if err != nil {
		return err
	}
	if err := s.Dir.SaveState(t.To.State); err != nil {
		return err
	}
	override, err := s.placeOverride(t)
	if err != nil {
		return err
	}
	if _, err := s.Dir.WriteProject(texts); err != nil {
		return err
	}
	_, err = s.prepare(ctx, InitOptions{Limit: t.Limit, restores: true})
	if err == nil {
		return nil
	}
	// the journal stays until nothing is left that it tells of
	return errors.Join(err, s.Dir.ClearInstall(override), j.Close(), s.Dir.ClearGenerations())
}

// placeOverride puts back the override file of the backup, unless the user has put one there.
func (s *Setup) placeOverride(t ticket) (placed bool, err error) {
	m, err := s.manifest(t.Restore)
	if err != nil {
		return false, err
	}
	if _, has := m.Files[workdir.OverrideFile]; !has {
		return false, nil
	}
	if _, exists, err := s.Dir.Read(workdir.OverrideFile); err != nil || exists {
		return false, err
	}
	text, err := backup.In(s.Dir.File(backups)).Text(m, workdir.OverrideFile)
	if err != nil {
		return false, asRefused(err)
	}
	return true, s.Dir.WriteOverride(text)
}

// fillFresh starts the database, loads the dump and lets init do the rest. It may be done again after a crash.
func (s *Setup) fillFresh(ctx, hard context.Context, engine Engine, t ticket, j *journal.Journal) (result MoveResult, err error) {
	began := s.Now()
	const first = "pull what is missing"
	if !j.Begun(first) {
		if err := s.placeFresh(ctx, t, j); err != nil {
			return MoveResult{}, err
		}
	}
	m, err := s.newMove(hard, engine, t)
	if err != nil {
		return MoveResult{}, err
	}
	m.journal = j
	end := m.keepLog(opRestore)
	p := plan.Plan{Operation: opRestore, Steps: []plan.Step{
		{Name: first, Why: "the images of " + t.To.name(), Do: m.pullAll},
		{Name: "start db", Why: "it takes the data of the backup", Do: func(ctx context.Context) error { return m.start(ctx, "db") }},
		{Name: "restore the database", Why: "from backup " + t.Restore, Do: func(ctx context.Context) error {
			if err := m.withDatabase(ctx, func(Database) error { return nil }); err != nil { // it answers
				return err
			}
			if err := m.restoreDatabase(ctx); err != nil {
				return err
			}
			return m.withDatabase(ctx, m.adopt)
		}},
	}}
	logPlan(m.Report, p.String(), nil)
	if err := plan.Run(ctx, p, j, m.Report); err != nil {
		err = errors.Join(err, m.closeDatabase(ctx))
		code := fault.Failed
		if ctx.Err() != nil {
			code = fault.Interrupted
		}
		return MoveResult{}, end(fault.New(code, m.told(err), "go on with: syncmaster-setup resume --dir "+m.dir))
	}
	if err := m.closeDatabase(ctx); err != nil {
		return MoveResult{}, end(err)
	}
	installed, err := s.initLocked(ctx, began, InitOptions{Limit: t.Limit, restores: true}) // with a journal of its own
	if err != nil {
		return MoveResult{}, end(err)
	}
	return MoveResult{Operation: opRestore, To: installed.Version, Revision: installed.Revision, Dir: installed.Dir, Services: installed.Services,
		Changed: true, Seconds: s.Now().Sub(began).Round(time.Millisecond).Seconds()}, end(nil)
}

// adopt records the database as the install's own: from now on init goes on with it.
func (m *move) adopt(db Database) error {
	facts, err := db.Observe(m.hard)
	if err != nil {
		return err
	}
	m.To.State.Database = facts.SystemIdentifier
	return m.Dir.SaveState(m.To.State)
}

// pullAll pulls the images of the stand that are not present.
func (m *move) pullAll(ctx context.Context) error {
	now, err := m.engine.Observe(ctx, m.options.Project, m.images())
	if err != nil {
		return err
	}
	m.observed = now
	if missing := m.missingImages(); len(missing) > 0 {
		m.progress(strings.Join(missing, ", "))
		err := m.engine.Pull(ctx, missing, m.options.Platform, func(done, total int64) {
			m.Report.Report(report.Event{Kind: report.Progress, Bytes: done, OfBytes: total})
		})
		if err != nil {
			return err
		}
		if m.observed, err = m.engine.Observe(ctx, m.options.Project, m.images()); err != nil {
			return err
		}
	}
	wanted, err := m.manifest(m.Restore)
	if err != nil {
		return err
	}
	for _, text := range m.otherImages(wanted, m.services()) {
		m.Report.Report(report.Event{Kind: report.Warning, Text: text})
	}
	return nil
}
