package setup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"syncmaster-setup/internal/envfile"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/journal"
	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/render"
	"syncmaster-setup/internal/workdir"
)

// MoveOptions are what upgrade, rollback and restore have in common.
type MoveOptions struct {
	Limit        time.Duration // of each wait for a service
	Drain        time.Duration // how long running transfers may take to end; 0 cuts them
	DrainOrAbort bool          // go back where they have not ended by then
	NoBackup     bool
	DryRun       bool
	// Confirm is asked once, with the plan, before the first change; nil goes on without asking.
	Confirm func(p MovePlan) (bool, error)
	// Hard ends a step at work and takes everything back; the context of the call lets the step come to its end.
	Hard context.Context //nolint:containedctx // the second of two ways to end one call
}

// confirm asks whether the plan is to be carried out, and refuses where it is not.
func (o MoveOptions) confirm(p MovePlan) error {
	if o.Confirm == nil {
		return nil
	}
	return confirmed(o.Confirm(p))
}

// UpgradeOptions are the options of one upgrade.
type UpgradeOptions struct {
	MoveOptions
	To          string                  // release; empty for the newest known
	Prefer      map[string]envfile.Side // the side that wins where both have changed a variable
	KeepCompose bool                    // leave a Compose file that was edited by hand as it is
	Expect      *MovePlan               // refuse where the plan is another one
}

// upgrade is what was observed and decided before an upgrade.
type upgrade struct {
	world                  // the install as it is
	target release.Release // as it will be
	merge  merged

	forecasts  bool // the way to the target's revision is forecast; a database that is only copied or replaced may be at any
	facts      DatabaseFacts
	dataDisks  []dataDisk // of the database
	dbImage    string     // that the service of the database has in the files in place
	broker     string     // version, empty where it does not tell
	size       int64
	forecast   Forecast
	tokens     []string
	inProgress []Transfer
	unreadable []fault.Problem
	present    []string
	running    []string
}

// Upgrade brings the install to another release, or back to the one that it has where anything goes wrong.
func (s *Setup) Upgrade(ctx context.Context, o UpgradeOptions) (result MoveResult, err error) {
	began := s.Now()
	unlock, err := s.Lock(opUpgrade, began)
	if err != nil {
		return MoveResult{}, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	u, err := s.aim(o.To)
	if err != nil {
		return MoveResult{}, err
	}
	engine, err := s.Connect(ctx)
	if err != nil {
		return MoveResult{}, err
	}
	if err := s.observeUpgrade(ctx, engine, u, o); err != nil {
		return MoveResult{}, err
	}
	if u.target.Version == u.state.Version {
		return MoveResult{Operation: opUpgrade, From: u.state.Version, To: u.state.Version, Revision: u.facts.Revision, Dir: u.dir}, nil
	}
	t := u.ticket(o)
	p := u.describe(t)
	p.Steps, p.Back = s.stepsOf(t)
	if text, exists, err := s.Dir.Read(workdir.OverrideFile); err != nil {
		return MoveResult{}, err
	} else if exists {
		p.World["file "+workdir.OverrideFile] = fingerprint(text)
	}
	p.Choices = o.choices()
	if err := o.Expect.matches(p); err != nil {
		return MoveResult{}, err
	}
	return s.begin(ctx, began, engine, o.MoveOptions, t, p, u.merge.files)
}

// begin shows the plan, lays the files aside, opens the journal and carries the ticket out.
func (s *Setup) begin(ctx context.Context, began time.Time, engine Engine, o MoveOptions, t ticket, p MovePlan, files render.Files) (MoveResult, error) {
	p.Steps, p.Back = s.stepsOf(t)
	if o.DryRun {
		return MoveResult{Operation: t.Operation, From: t.From.State.Version, To: t.To.State.Version, Dir: s.Dir.Path(), Plan: &p}, nil
	}
	if err := o.confirm(p); err != nil {
		return MoveResult{}, err
	}
	if o.Confirm != nil { // what the user takes to read is not the program's
		began = s.Now()
	}
	found, err := s.filesInPlace()
	if err != nil {
		return MoveResult{}, err
	}
	if edited := p.edited(found); len(edited) > 0 { // while the user read the plan
		return MoveResult{}, fault.New(fault.Refused, fmt.Errorf("%s has changed since the plan was made", strings.Join(edited, ", ")), "type the same again")
	}
	if err := s.layAside(t, found, files); err != nil {
		return MoveResult{}, err
	}
	m, err := s.newMove(o.Hard, engine, t)
	if err != nil {
		return MoveResult{}, err
	}
	if m.journal, err = journal.Open(s.Dir.JournalStore(), t.Operation, m.ticket, s.Now); err != nil {
		return MoveResult{}, err
	}
	end := m.keepLog(t.Operation)
	logPlan(m.Report, "", &p)
	result, err := m.carryOut(ctx, began)
	return result, end(err)
}

// confirmed refuses to go on without a yes.
func confirmed(yes bool, err error) error {
	if err == nil && !yes {
		err = fault.New(fault.Refused, errors.New("not confirmed"), "")
	}
	return err
}

// layAside keeps the files as they are and as they will be as generations. Nothing of it is in place yet.
func (s *Setup) layAside(t ticket, found map[string]string, files render.Files) error {
	if err := s.Dir.DropGenerations(t.From.State.Generation); err != nil {
		return err
	}
	if err := s.Dir.SaveGeneration(t.From.Generation, found); err != nil {
		return err
	}
	note, err := json.MarshalIndent(t.From, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding what is installed: %w", err)
	}
	if err := s.Dir.SaveNote(t.From.Generation, standNote, string(note)+"\n"); err != nil {
		return err
	}
	return s.Dir.SaveGeneration(t.To.Generation, textsOf(files))
}

// standNote is kept beside the files of a generation that a rollback can return to.
const standNote = "stand.json"

// ticket returns what will be done.
func (u *upgrade) ticket(o UpgradeOptions) ticket {
	t := ticket{
		Operation: opUpgrade, Present: u.present, Running: u.running, Pull: u.missing(),
		Pending: u.pending(), Offline: u.backByDump(), Rewritten: u.forecast.tables(),
		NoBackup: o.NoBackup, KeepCompose: u.merge.keepsCompose, Drain: o.Drain, DrainOrAbort: o.DrainOrAbort, Limit: o.Limit,
		// later ones were laid aside by a run that was killed before it began
		From: stand{Generation: u.state.Generation + 1, Revision: u.facts.Revision, State: u.state},
		To:   stand{Generation: u.state.Generation + 2, Revision: max(u.target.Head, u.facts.Revision), State: u.state},
	}
	if u.byImage() {
		t.To.ImageMigrates, t.To.Revision = true, ""
	}
	t.To.State.Version, t.To.State.Generation, t.To.State.Previous = u.target.Version, t.To.Generation, t.From.Generation
	t.To.State.Database = u.facts.SystemIdentifier
	t.From.State.Database = u.facts.SystemIdentifier
	return t
}

// missing returns the images of the target that are not present.
func (u *upgrade) missing() []string {
	var list []string
	for _, service := range u.movedServices() {
		ref := u.targetImage(service)
		if _, present := u.observed.Images[ref]; !present && !slices.Contains(list, ref) {
			list = append(list, ref)
		}
	}
	return list
}

// movedServices are those whose containers are replaced, and what migrates.
func (u *upgrade) movedServices() []string {
	services := slices.Clone(u.present)
	if u.byImage() {
		services = append(services, migrations)
	}
	return services
}

func (u *upgrade) targetImage(service string) string { return u.then().image(service) }

// then is the install with the target's release and the services that .env names.
func (u *upgrade) then() world {
	w := u.world
	w.release, w.options.Version = u.target, u.target.Version
	w.readServices()
	return w
}

// settingsInPlace returns what .env.docker sets now.
func (w world) settingsInPlace() map[string]string {
	file, err := envfile.Parse(w.current().AppEnv)
	if err != nil {
		return nil
	}
	return file.Map()
}

// filesInPlace reads the files of the install as they are.
func (s *Setup) filesInPlace() (map[string]string, error) {
	w, err := s.observeFolder()
	if err != nil {
		return nil, err
	}
	return w.texts, nil
}
