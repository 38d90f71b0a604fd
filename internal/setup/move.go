package setup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"syncmaster-setup/internal/backup"
	"syncmaster-setup/internal/envfile"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/journal"
	"syncmaster-setup/internal/plan"
	"syncmaster-setup/internal/secret"
	"syncmaster-setup/internal/workdir"
)

const (
	// backLimit bounds the way back, which nothing else may end.
	backLimit = 30 * time.Minute
	// backWait is what each service gets on the way back, however short the user's patience with the new release is.
	backWait = 5 * time.Minute
)

// MoveResult is what an upgrade, a rollback or a restore has come to.
type MoveResult struct {
	Operation string     `json:"operation"`
	From      string     `json:"from"`
	To        string     `json:"to"`
	Revision  string     `json:"revision,omitempty"`
	Dir       string     `json:"dir"`
	Backup    string     `json:"backup,omitempty"`         // folder of the backup that was made
	Away      *float64   `json:"outage_seconds,omitempty"` // how long the server did not answer; none where it was not seen
	Services  []string   `json:"services,omitempty"`       // that were started
	Stopped   []string   `json:"stopped,omitempty"`        // that did not run before, and do not now
	Cut       []Transfer `json:"cut,omitempty"`            // transfers that were running when their worker was stopped
	Stranded  []Transfer `json:"stranded,omitempty"`       // transfers that no worker knew of before
	Seconds   float64    `json:"seconds"`
	Plan      *MovePlan  `json:"plan,omitempty"` // of a dry run
	Changed   bool       `json:"changed"`
}

// move is one operation at work. The run in it is of the stand whose files are in place.
type move struct {
	*run
	ticket
	journal *journal.Journal
	hard    context.Context // ends what a first Ctrl-C lets end by itself
	files   map[int]map[string]string
	away    time.Time // when the server was taken away, zero while it answers
	outage  *float64
	known   Database          // the session in which the database was seen to be the one that was looked at
	ahead   *types.Project    // the target's project, loaded before it is in place
	made    bool              // its server has its container already
	rest    func() error      // waits until the engine is done with the server whose program has ended; nil where it is
	worked  bool              // an earlier run took the server away, or the way back has begun: nothing is measured
	starts  map[string]string // when database and broker were started, which a move leaves alone
	// finished tells what an earlier run has done; nil for nothing
	finished func(step string) bool
}

// missedEvery is the pause between two looks at the server while it is missed.
const missedEvery = 25 * time.Millisecond

// Steps that a resume tells apart.
const (
	backingUp = "back up"
	stopping  = "stop server"
	placing   = "put the files in place"
)

// newMove prepares a ticket to be carried out. hard ends steps at work.
func (s *Setup) newMove(hard context.Context, engine Engine, t ticket) (*move, error) {
	m := &move{ticket: t, hard: hard, files: map[int]map[string]string{}}
	for _, stand := range []stand{t.From, t.To} {
		files, err := s.Dir.Generation(stand.Generation)
		if err != nil {
			return nil, err
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("reading generation %d of the install: it is gone", stand.Generation)
		}
		m.files[stand.Generation] = files
	}
	m.run = &run{Setup: s, engine: engine, limit: t.Limit, vanishing: true}
	return m, m.standAt(t.From)
}

// standAt takes over what a stand decides: release, options, settings and secrets.
func (m *move) standAt(at stand) error {
	w, err := m.worldAt(at)
	if err != nil {
		return err
	}
	app, err := envfile.Parse(w.texts[workdir.AppEnvFile])
	if err != nil {
		return fmt.Errorf("reading %s of generation %d: %w", workdir.AppEnvFile, at.Generation, err)
	}
	m.world, m.decision, m.project = w, decision{settings: app.Map()}, nil
	return nil
}

// worldAt is the install at a stand.
func (m *move) worldAt(at stand) (world, error) {
	r, err := at.release()
	if err != nil {
		return world{}, err
	}
	texts := m.files[at.Generation]
	w := world{dir: m.Dir.Path(), release: r, state: at.State, installed: true, texts: texts, last: texts, options: at.State.Options}
	w.options.Version, w.options.Project = at.State.Version, at.State.Project
	w.readServices()
	return w, nil
}

// redactor knows the secrets of both stands.
func (m *move) redactor() *secret.Redactor {
	known := m.hidden(m.project)
	for _, texts := range m.files {
		known = append(known, readable(texts)...)
	}
	return secret.NewRedactor(known...)
}

// plan returns the steps of the move, from the ticket alone, so that a later run finds the same ones.
func (m *move) plan() plan.Plan {
	p := plan.Plan{Operation: m.Operation}
	add := func(s plan.Step) { p.Steps = append(p.Steps, s) }
	if len(m.Pull) > 0 {
		add(plan.Step{Name: "pull " + count(len(m.Pull), "image"), Why: strings.Join(m.Pull, ", "), Do: m.pullImages})
	}
	backUp := plan.Step{Name: backingUp, Why: "the database and the files of " + m.From.name() + ", verified", Do: m.backUp}
	if !m.NoBackup && !m.Offline {
		add(backUp)
	}
	add(plan.Step{
		Name: m.quietName(), Why: m.quietWhy(), Do: m.quiet,
		Undo: m.startOld, Back: "start what ran of " + m.From.name() + " and wait until it is healthy",
	})
	if m.Pending && m.ran("server") {
		add(plan.Step{Name: stopping, Why: "nothing may write while the database changes", Do: m.stopServer})
	}
	if !m.NoBackup && m.Offline {
		backUp.Why += ", now that nothing writes any more"
		add(backUp)
	}
	if m.Pending {
		add(m.databaseStep())
	}
	add(plan.Step{
		Name: placing, Why: "of " + m.To.name(), Do: m.putNew,
		Undo: m.putOld, Back: "put the files of " + m.From.name() + " back in place",
	})
	m.startSteps(add)
	if len(m.Rewritten) > 0 {
		add(plan.Step{Name: "vacuum rewritten tables", Why: "visibility map and statistics of " + strings.Join(m.Rewritten, ", "), Do: m.vacuum})
	}
	add(plan.Step{Name: "record", Why: m.To.name() + " as what is installed", Do: m.record, Undo: m.unrecord,
		Back: "record " + m.From.name() + " as what is installed"})
	return p
}

// databaseStep brings the database to where the target needs it.
func (m *move) databaseStep() plan.Step {
	if m.Restore != "" {
		return plan.Step{
			Name: "restore the database", Why: "from backup " + m.Restore, Do: m.restoreDatabase,
			Undo: m.undoDatabase, Back: "restore the database from the backup that was made before",
		}
	}
	step := plan.Step{Name: "migrate the database", Why: fmt.Sprintf("from revision %s to %s", m.From.Revision, m.To.Revision),
		Do: m.migrateTo, Undo: m.undoDatabase, Back: "bring the database back to revision " + m.From.Revision}
	if m.To.ImageMigrates {
		step.Why = "from revision " + m.From.Revision + ", by the image of " + m.To.name()
	}
	if m.byDump() {
		step.Back = "restore the database from the backup that was made before"
	}
	return step
}

// byDump reports whether the way back of the database is its dump.
func (m *move) byDump() bool { return m.Restore != "" || m.Offline }

// startSteps start the target: the server first, the scheduler alone and last.
func (m *move) startSteps(add func(plan.Step)) {
	step := func(services []string, why string) {
		running := slices.DeleteFunc(slices.Clone(services), func(s string) bool { return !m.ran(s) })
		present := slices.DeleteFunc(slices.Clone(services), func(s string) bool { return !slices.Contains(m.Present, s) })
		if len(present) == 0 {
			return
		}
		name := "start " + strings.Join(running, " and ")
		if len(running) == 0 {
			name = "replace " + strings.Join(present, " and ")
		}
		add(plan.Step{
			Name: name, Why: why,
			Do:   func(context.Context) error { return m.replace(present, running) },
			Undo: func(ctx context.Context) error { return m.stop(ctx, running, 0) }, Back: "stop the new " + strings.Join(present, " and "),
		})
	}
	step([]string{"server"}, "first, since it is missed most")
	step([]string{"frontend", "worker"}, "they need the server")
	step([]string{"scheduler"}, "last and alone: two of them would run every transfer twice")
}

// ran reports whether a service ran before the move.
func (m *move) ran(service string) bool { return slices.Contains(m.Running, service) }

// carryOut runs the plan, from where an earlier run has stopped. ctx is what a first Ctrl-C ends.
func (m *move) carryOut(ctx context.Context, began time.Time) (MoveResult, error) {
	p := m.plan()
	m.noteStarts(ctx)
	err := plan.Run(ctx, m.gently(p), m.journal, m.Report)
	if err == nil {
		err = m.journal.Close() // from here on there is no way back but a rollback
	}
	closeErr := m.closeDatabase(ctx)
	switch {
	case err == nil:
		return m.done(began), closeErr
	case errors.Is(ctx.Err(), context.Canceled) && m.hard.Err() == nil && errors.Is(err, context.Cause(ctx)):
		return MoveResult{}, fault.New(fault.Interrupted, fmt.Errorf("%s was interrupted before: %w", m.moving(), stepOf(err)), m.resumeHint())
	}
	return MoveResult{}, m.back(ctx, errors.Join(err, closeErr))
}

// gently lets a step at work come to its end after a first Ctrl-C.
func (m *move) gently(p plan.Plan) plan.Plan {
	for i := range p.Steps {
		p.Steps[i].Done = m.finished != nil && m.finished(p.Steps[i].Name)
		do := p.Steps[i].Do
		p.Steps[i].Do = func(context.Context) error { return do(m.hard) }
	}
	return p
}

func (m *move) resumeHint() string {
	return fmt.Sprintf("go on with: syncmaster-setup resume --dir %s; or go back with: syncmaster-setup abort --dir %s", m.dir, m.dir)
}

// told removes secrets from an error, and keeps what it carries.
func (m *move) told(err error) error {
	redactor := m.redactor()
	return fault.New(fault.CodeOf(err), errors.New(redactor.String(err.Error())), redactor.String(fault.HintOf(err)))
}

// done is the result of a move that has come to its end.
func (m *move) done(began time.Time) MoveResult {
	result := MoveResult{
		Operation: m.Operation, From: m.From.State.Version, To: m.To.State.Version, Revision: m.To.Revision, Dir: m.dir,
		Away: m.outage, Services: m.Running, Cut: m.Cut, Stranded: m.Stranded, Changed: true,
		Seconds: m.Now().Sub(began).Round(time.Millisecond).Seconds(),
	}
	for _, service := range m.Present {
		if !m.ran(service) {
			result.Stopped = append(result.Stopped, service)
		}
	}
	if m.Backup != "" {
		result.Backup = backup.In(m.Dir.File(backups)).Path(m.Backup)
	}
	return result
}

// stepOf returns the step of a plan's error as an error.
func stepOf(err error) error {
	var failed *plan.StepError
	if errors.As(err, &failed) {
		return errors.New(failed.Step)
	}
	return err
}
