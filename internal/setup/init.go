package setup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"syncmaster-setup/internal/config"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/journal"
	"syncmaster-setup/internal/plan"
	"syncmaster-setup/internal/report"
	"syncmaster-setup/internal/secret"
	"syncmaster-setup/internal/workdir"
)

// InitOptions are the options of one run of init beside those of the install.
type InitOptions struct {
	Asked  config.Options
	Limit  time.Duration // of each wait
	DryRun bool
	Build  bool // the images, from the checkout of the options
	// restores is set where a restore into an empty folder goes on as an init: the open journal is its own.
	restores bool
	// emptied: the volumes that are there will be deleted first
	emptied bool
	// Confirm is asked once, with the plan's text, before the first change; nil goes on without asking.
	Confirm func(plan string) (bool, error)
}

func (o InitOptions) operation() string {
	if o.Asked.Dev {
		return "dev up"
	}
	return "init"
}

// Result is what an install has come to.
type Result struct {
	Version    string   `json:"version"`
	Project    string   `json:"project"`
	Dir        string   `json:"dir"`
	Revision   string   `json:"revision,omitempty"` // of the database, where we migrated it
	Changed    bool     `json:"changed"`            // false: everything was as wanted
	API        string   `json:"api_url,omitempty"`
	UI         string   `json:"ui_url,omitempty"`
	Database   string   `json:"database,omitempty"` // host:port, without a container of its own empty
	Broker     string   `json:"broker,omitempty"`
	Services   []string `json:"services"`          // running and healthy
	Stopped    []string `json:"stopped,omitempty"` // were stopped by the operator, and left so
	Superusers []string `json:"superusers,omitempty"`
	Auth       string   `json:"auth"`
	NoWorker   bool     `json:"worker_waits_for_queue,omitempty"`
	Seconds    float64  `json:"seconds"`
	Plan       string   `json:"plan,omitempty"` // of a dry run
}

// run is one operation at work: what was observed and decided, and what the steps found out.
type run struct {
	*Setup
	world
	decision
	engine  Engine
	limit   time.Duration
	every   time.Duration // pause between two looks of a wait; 0 for the usual one
	project *types.Project
	db      Database          // session on the database, nil before it answers
	before  map[string]string // container IDs and start times by service, as observed
	result  Result
	// replaced are the images that had the names of those that were built
	replaced []string
	// vanishing is set while a container that fails is going to be replaced: what it has said is kept
	vanishing bool
}

// Init makes the install in the folder what the options ask for, or says what forbids it. It is safe to repeat: what
// is as wanted is left alone, and an interrupted run goes on.
func (s *Setup) Init(ctx context.Context, o InitOptions) (result Result, err error) {
	began := s.Now()
	unlock, err := s.Lock(o.operation(), began)
	if fault.CodeOf(err) == fault.Refused && !errors.Is(err, workdir.ErrNotFolder) { // tell what else stands in the way, too
		if _, all := s.prepare(ctx, o); all != nil {
			err = all
		}
	}
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	result, err = s.initLocked(ctx, began, o)
	for range portRaces {
		if !o.Asked.Dev || !errors.Is(err, ErrPortInUse) {
			break
		}
		s.Report.Report(report.Event{Kind: report.Note, Text: "somebody took a port in this moment: once more, with another one"})
		result, err = s.initLocked(ctx, began, o)
	}
	return result, err
}

// portRaces is how often `dev up` looks for other ports, where somebody has taken one since it looked. Several
// environments that begin at the same moment find the same ports free.
const portRaces = 5

// initLocked is Init in a folder that this process has locked.
func (s *Setup) initLocked(ctx context.Context, began time.Time, o InitOptions) (Result, error) {
	r, err := s.prepare(ctx, o)
	if err != nil {
		return Result{}, err
	}
	s.tell(r.decision)
	p := r.plan()
	if o.DryRun {
		r.result.Plan = p.String()
		return r.result, nil
	}
	if o.Confirm != nil {
		if err := confirmed(o.Confirm(p.String())); err != nil {
			return Result{}, err
		}
		began = s.Now() // what the user takes to read is not the program's
	}
	record, err := journal.Open(s.Dir.JournalStore(), p.Operation, nil, s.Now)
	if err != nil {
		return Result{}, err
	}
	logged, end, forget := s.recordUnless(p.Operation, "", r.release.Version, r.redactor())
	logPlan(logged, p.String(), nil)
	err = plan.Run(ctx, p, record, logged)
	closeErr := r.closeDatabase(ctx)
	if err != nil {
		if r.refusedAtOnce(err) {
			closeErr = errors.Join(closeErr, record.Close())
		}
		return Result{}, end(stopped(ctx, r.again(o), errors.Join(err, closeErr)))
	}
	if closeErr != nil {
		return Result{}, end(closeErr)
	}
	r.result.Seconds = s.Now().Sub(began).Round(time.Millisecond).Seconds()
	if !r.result.Changed {
		return r.result, errors.Join(record.Close(), forget())
	}
	return r.result, end(record.Close())
}

// prepare observes once and decides. It changes nothing.
func (s *Setup) prepare(ctx context.Context, o InitOptions) (*run, error) {
	w, err := s.look(o.Asked)
	if err != nil {
		return nil, err
	}
	if o.restores {
		w.open, w.stopped = nil, ""
	}
	if err := w.checkJournal("init"); err != nil { // half-way, release and database need not fit: that is no finding
		return nil, err
	}
	engine, err := s.Connect(ctx)
	if err != nil {
		return nil, w.withoutEngine(s.Dir.Writable(), err)
	}
	if err := s.observeHost(ctx, &w, engine); err != nil {
		return nil, err
	}
	if o.emptied {
		w.observed.Volumes = nil
	}
	if err := s.observeDatabase(ctx, engine, &w); err != nil {
		return nil, err
	}
	if o.Build {
		if w.builds, err = engine.Builds(ctx, w.options.Source, w.built()...); err != nil {
			return nil, err
		}
	}
	d, err := w.decide(s.Random, w.preflight())
	if err != nil {
		return nil, err
	}
	if err := checkProject(ctx, engine, w, d); err != nil {
		return nil, err
	}
	r := &run{Setup: s, world: w, decision: d, engine: engine, limit: o.Limit, before: fingerprints(w.observed)}
	r.describe()
	return r, nil
}

// withoutEngine adds to the engine's error what can be told without one.
func (w world) withoutEngine(writable, err error) error {
	p := &fault.Problems{Code: fault.Refused}
	p.Merge(err)
	w.writable = writable
	w.checkFolder(p)
	return p
}

// tell reports what the user should know before the first change.
func (s *Setup) tell(d decision) {
	for _, text := range d.notes {
		s.Report.Report(report.Event{Kind: report.Note, Text: text})
	}
	for _, text := range d.warnings {
		s.Report.Report(report.Event{Kind: report.Warning, Text: text})
	}
}

// validate checks the options, and the values of secrets that only the user can know.
func (w world) validate() error {
	p := &fault.Problems{Code: fault.BadInput}
	p.Merge(w.options.Validate(w.release, w.placed()))
	if key, have := w.fernetKey(); have {
		if err := secret.CheckFernetKey(key.Reveal()); err != nil {
			p.Add(fmt.Sprintf("%s is not a Fernet key: %v", fernetSetting, err), "")
		}
	}
	return p.Err()
}

// checkProject loads the Compose project as it will be, with the user's override file, so that a file that Compose
// refuses is found before anything is changed.
func checkProject(ctx context.Context, engine Engine, w world, d decision) error {
	if err := engine.Check(ctx, w.dir, d.files.Compose, d.files.Env); err != nil {
		return fault.New(fault.Refused, fmt.Errorf("loading the Compose project: %w", err),
			"check docker-compose.override.yml and .env in "+w.dir)
	}
	return nil
}

// describe fills what the result says of the decision.
func (r *run) describe() {
	o, ports := r.options, r.input.Ports
	api, ui := o.URLs(ports)
	r.result = Result{
		Version: r.release.Version, Project: o.Project, Dir: r.dir, Services: []string{}, Superusers: o.Superusers, Auth: o.Auth,
		NoWorker: o.WorkerWaits(),
	}
	for _, service := range r.services() {
		switch service {
		case "server":
			r.result.API = api
		case "frontend":
			r.result.UI = ui
		case "db":
			r.result.Database = fmt.Sprintf("%s:%d", loopback, ports.Database)
		case "rabbitmq":
			r.result.Broker = fmt.Sprintf("%s:%d", loopback, ports.Broker)
		}
	}
}

// stopped tells a run that the user ended from one that failed. What was done stays: the next init goes on from it.
func stopped(ctx context.Context, operation string, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return fault.New(fault.Interrupted, fmt.Errorf("interrupted at: %w", err), "type syncmaster-setup "+operation+" again: it goes on from there")
	}
	hint := fault.HintOf(err)
	if hint == "" {
		hint = "mend the cause, then type syncmaster-setup " + operation + " again: it goes on from there"
	}
	return fault.New(fault.CodeOf(err), err, hint)
}

// save writes the state of the install.
func (r *run) save(phase workdir.Phase) error {
	r.state.Phase, r.state.Version, r.state.Project = phase, r.release.Version, r.options.Project
	r.state.Options, r.state.Changed = r.options, r.Now().UTC().Truncate(time.Second)
	r.state.Options.Version, r.state.Options.Project = "", ""
	r.installed = true
	return r.Dir.SaveState(r.state)
}
