package setup

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"syncmaster-setup/internal/config"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/secret"
)

// writers are the services whose sessions a migration must not meet (contract.md, section 3).
var writers = []string{"server", "scheduler", "worker"}

// Schema is the database of an install and what a migration of it must know.
type Schema struct {
	Version  string      // installed release
	Head     string      // revision of that release; empty where its own image migrates it
	URL      secret.Text // SyncMaster's
	Address  string      // host:port that replaces the one in URL; empty to take URL as it is
	Database string      // system identifier that the install was made with; empty where it is not known yet
	Running  []string    // of server, scheduler and worker, those that run; only with WithServices
	Free     uint64      // bytes on the file system of the database's data; 0 where it is not known
}

// Own reports whether the database is a container of the install, which a backup can be taken of.
func (s Schema) Own() bool { return s.Address != "" }

// SchemaOptions say what a look at the install is for.
type SchemaOptions struct {
	Change       bool // the schema may be changed
	WithServices bool // tell what runs
	Offline      bool // tell the release and its head only: nothing else is asked
}

// Schema finds the database of the install in the folder. It changes nothing. The engine is asked only where it knows
// something that is needed: where the database's container is, and what runs.
func (s *Setup) Schema(ctx context.Context, o SchemaOptions) (Schema, error) {
	w, err := s.observeFolder()
	if err != nil {
		return Schema{}, err
	}
	if err := w.checkMigratable(o.Change); err != nil {
		return Schema{}, err
	}
	if err := w.recall(config.Options{}); err != nil {
		return Schema{}, err
	}
	found := Schema{Version: w.release.Version, URL: w.recorded(databaseURL), Database: w.state.Database}
	if !w.imageMigrates() {
		found.Head = w.head()
	}
	if found.URL.Empty() {
		return Schema{}, fault.New(fault.BadInput, fmt.Errorf("%s sets no %s", s.Dir.File(".env.docker"), databaseURL),
			"put the line back; it is in .syncmaster-setup/generations, too")
	}
	if o.Offline || (w.options.ExternalDatabase && !o.WithServices) {
		return found, nil
	}
	return found, s.askEngine(ctx, &found, w)
}

// checkMigratable refuses a folder without an install, and one whose last run has not ended.
func (w world) checkMigratable(change bool) error {
	switch {
	case !w.installed:
		return fault.New(fault.BadInput, fmt.Errorf("%s holds no install of syncmaster-setup", w.dir),
			"name the folder with --dir, or the database with --database-url, --env-file or "+databaseURL)
	case change:
		return w.checkJournal("migrate")
	}
	return nil
}

// askEngine fills in where the database's container is reached, and which services run.
func (s *Setup) askEngine(ctx context.Context, found *Schema, w world) error {
	engine, err := s.Connect(ctx)
	if err != nil {
		return err
	}
	if w.observed, err = engine.Observe(ctx, w.options.Project, nil); err != nil {
		return err
	}
	for _, service := range writers {
		c, exists := w.observed.Container(service)
		if exists && slices.Contains([]string{"running", "restarting", "paused"}, c.State) {
			found.Running = append(found.Running, service)
		}
	}
	if w.options.ExternalDatabase {
		return nil
	}
	return s.locate(ctx, engine, found, w)
}

// locate finds the address of the install's own database, and the free space under its data.
func (s *Setup) locate(ctx context.Context, engine Engine, found *Schema, w world) error {
	c, exists := w.observed.Container("db")
	if !exists || c.State != "running" {
		return fault.New(fault.Refused, fmt.Errorf("the database of the install in %s does not run", w.dir),
			"start it: cd "+w.dir+" && docker compose start db")
	}
	host, err := engine.Host(ctx)
	if err != nil {
		return err
	}
	if !host.Local {
		return fault.New(fault.Refused, errors.New("the engine is on another machine, and the database is published there only"),
			"run this on that machine, or give an address that is reached from here with --database-url")
	}
	r := &run{Setup: s, world: w, engine: engine}
	if err := r.load(ctx); err != nil {
		return err
	}
	if free, err := s.System.FreeBytes(host.RootDir); err == nil { // the root of a VM's engine is not on this machine
		found.Free = max(free, 1) // 0 says that it is not known
	}
	for _, d := range s.dataDisks(r.project, w.observed, "db") { // the volume may have a disk of its own
		found.Free = max(d.free, 1)
	}
	found.Address, err = r.address(ctx, "db", 5432)
	return err
}
