package setup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"syncmaster-setup/internal/config"
	"syncmaster-setup/internal/envfile"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/journal"
	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/render"
	"syncmaster-setup/internal/stack"
	"syncmaster-setup/internal/workdir"
)

// world is one observation of everything a decision depends on. It is taken once.
type world struct {
	dir        string         // absolute path of the install folder
	options    config.Options // complete: recorded, asked for, defaults
	asked      config.Options // what the user asked for in this run
	release    release.Release
	state      workdir.State
	installed  bool              // there is a state
	texts      map[string]string // files of the install in the folder
	overridden bool              // there is an override file of the user's
	last       map[string]string // files of the last generation
	lastGen    int
	stopped    string          // step at which an earlier run was interrupted, empty for none
	open       *journal.Record // what that run has left, nil for none
	openErr    error           // what it has left cannot be read
	work       *Work           // of another process, nil for none; seen by commands that only look

	host     Host
	observed stack.Observed
	builds   map[string]types.BuildConfig // of the images that this run builds, by service
	external *externalDatabase

	disk       map[string]uint64 // free bytes by what they are for: "images", "folder", "backups"
	busy       map[portKey]string
	unpullable map[string]error
	offered    map[string]string // digests, in their registry, of images that are not present
	download   map[string]int64  // bytes that these are at most to download, where their registry tells
	writable   error
	shadowed   []string // variables of .env that the environment overrides
}

// externalDatabase is what an observation of a database that exists already told.
type externalDatabase struct {
	facts  DatabaseFacts
	tokens []string
}

// portKey is a host address and port that a service is published on.
type portKey struct {
	address string
	number  uint16
}

// images returns the images that the install runs, each once.
func (w world) images() []string {
	var refs []string
	for _, service := range w.services() {
		if ref := w.image(service); !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	return refs
}

// image returns the reference of a service's image.
func (w world) image(service string) string {
	if built := w.options.BuiltImage(imageOf(service)); built != "" {
		return built
	}
	c := release.Component(service)
	if service == migrations {
		c = release.Migrations
	}
	return w.options.ImagePrefix() + w.release.Image(c).String()
}

// services returns everything that runs or is run once, the infrastructure first.
func (w world) services() []string {
	services := append(w.options.Infrastructure(), w.options.Services()...)
	if w.imageMigrates() {
		services = append(services, migrations)
	}
	return services
}

// imageMigrates reports whether the schema is brought up by the release's own image: its head is not known to us.
func (w world) imageMigrates() bool {
	if w.options.Dev {
		return w.options.ImageMigrates
	}
	return w.release.Unknown || w.release.Floating
}

// head returns the revision that the database is brought to, where we bring it there.
func (w world) head() string { return cmp.Or(w.options.Head, w.release.Head) }

// recall merges what is recorded, what the user asks for and the defaults into complete options.
func (w *world) recall(asked config.Options) error {
	base := config.Options{}
	if w.installed {
		base = w.state.Options
		base.Version, base.Project = w.state.Version, w.state.Project
		base.Bind = w.placedBind()
		if asked.Preset != "" && asked.Preset != base.Preset { // the new preset decides them again
			base.Auth, base.Bind = "", ""
		}
		if asked.Dev { // which says what is built, and up to what the database comes
			base.Source, base.Head, base.ImageMigrates = "", "", false
		}
	}
	w.asked = asked
	w.options = w.edited(base).Merge(asked).Defaults(release.Newest().Version)
	if w.options.ExternalDatabase && w.options.DatabaseURL.Empty() {
		w.options.DatabaseURL = w.recorded(databaseURL)
	}
	if w.options.ExternalBroker && w.options.BrokerURL.Empty() {
		w.options.BrokerURL = w.recorded(brokerURL)
	}
	r, err := release.Lookup(w.options.Version)
	if err != nil {
		return fault.New(fault.BadInput, fmt.Errorf("--version: %w", err), "")
	}
	w.release = r
	return nil
}

// placedBind returns the address that .env publishes server and UI on, which the user may have edited; the recorded one
// where that is none.
func (w *world) placedBind() string {
	value, has := w.value(workdir.EnvFile, "BIND_ADDRESS")
	if addr, err := netip.ParseAddr(strings.Trim(value, "[]")); has && err == nil {
		return addr.String()
	}
	return w.state.Options.Bind
}

// look reads the install folder and completes and checks what the user asks for.
func (s *Setup) look(asked config.Options) (world, error) {
	w, err := s.observeFolder()
	if err != nil {
		return w, err
	}
	if err := w.recall(asked); err != nil {
		return w, err
	}
	return w, w.validate()
}

// observeFolder reads the install folder.
func (s *Setup) observeFolder() (world, error) {
	w, err := s.readFolder()
	if err == nil {
		err = w.openErr
	}
	return w, err
}

// readFolder is observeFolder for a command that only looks: a journal that cannot be read does not end it.
func (s *Setup) readFolder() (world, error) {
	w := world{dir: s.Dir.Path(), texts: map[string]string{}}
	var err error
	if w.state, w.installed, err = s.Dir.State(); err != nil {
		return w, err
	}
	for _, name := range []string{workdir.ComposeFile, workdir.EnvFile, workdir.AppEnvFile} {
		text, exists, err := s.Dir.Read(name)
		if err != nil {
			return w, fault.New(fault.Refused, err, "make the file readable for you")
		}
		if exists {
			w.texts[name] = text
		}
	}
	if _, w.overridden, err = s.Dir.Read(workdir.OverrideFile); err != nil {
		return w, fault.New(fault.Refused, err, "make the file readable for you")
	}
	if w.lastGen, err = s.Dir.LastGeneration(); err != nil {
		return w, err
	}
	current := w.lastGen
	if w.installed { // a later one is what a killed upgrade has laid aside
		current = w.state.Generation
	}
	if w.last, err = s.Dir.Generation(current); err != nil {
		return w, err
	}
	s.readJournal(&w)
	return w, nil
}

// freeSpace returns what the disks of the folder, its backups and the engine's images have left, as far as that can be
// told from here. host is the zero value without an engine.
func (s *Setup) freeSpace(host Host) map[string]uint64 {
	disk := map[string]uint64{}
	if free, err := s.System.FreeBytes(s.Dir.Existing()); err == nil {
		disk["folder"], disk["backups"] = free, free
	}
	if free, err := s.System.FreeBytes(s.Dir.File(backups)); err == nil { // it may be a mount of its own
		disk["backups"] = free
	}
	if host.Local {
		if free, err := s.System.FreeBytes(host.RootDir); err == nil { // the root of a VM's engine is not on this machine
			disk["images"] = free
		}
	}
	return disk
}

// observeHost asks engine, disk, ports and registry. It changes nothing.
func (s *Setup) observeHost(ctx context.Context, w *world, engine Engine) error {
	var err error
	if w.host, err = engine.Host(ctx); err != nil {
		return err
	}
	refs := w.images()
	if w.observed, err = engine.Observe(ctx, w.options.Project, refs); err != nil {
		return err
	}
	w.writable = s.Dir.Writable()
	w.disk = s.freeSpace(w.host)
	w.busy = s.busyPorts(w)
	w.unpullable, w.offered = map[string]error{}, map[string]string{}
	for _, ref := range refs {
		if _, present := w.observed.Images[ref]; present || w.isBuilt(ref) {
			continue
		}
		if digest, err := engine.CheckPull(ctx, ref, w.platform()); err != nil {
			w.unpullable[ref] = err
		} else {
			w.offered[ref] = digest
		}
	}
	w.download = engine.DownloadBytes(ctx, w.offered, w.platform())
	for _, name := range composeVariables {
		if s.System.Getenv(name) != "" {
			w.shadowed = append(w.shadowed, name)
		}
	}
	return nil
}

// observeDatabase looks at a database of the user's own, and at one of the install that runs already, before anything is
// changed. A database that does not answer yet is looked at when it runs.
func (s *Setup) observeDatabase(ctx context.Context, engine Engine, w *world) error {
	if !w.options.ExternalDatabase {
		w.external = s.observeRunning(ctx, engine, w)
		return nil
	}
	db, err := s.Databases.Open(ctx, w.options.DatabaseURL, "")
	if err != nil {
		code := fault.Refused
		if fault.CodeOf(err) == fault.BadInput {
			code = fault.BadInput
		}
		return fault.New(code, fmt.Errorf("opening the external database: %w", err), fault.HintOf(err))
	}
	w.external, err = askDatabase(ctx, db)
	return errors.Join(err, db.Close(context.WithoutCancel(ctx)))
}

// observeRunning asks the database of a complete install; nil where it does not run or does not answer.
func (s *Setup) observeRunning(ctx context.Context, engine Engine, w *world) *externalDatabase {
	c, exists := w.observed.Container("db")
	if w.options.Dev || !w.installed || w.state.Phase != workdir.Installed || !exists || c.State != "running" {
		return nil
	}
	r := &run{Setup: s, world: *w, engine: engine}
	if r.load(ctx) != nil {
		return nil
	}
	address, err := r.address(ctx, "db", 5432)
	if err != nil {
		return nil
	}
	db, err := s.Databases.Open(ctx, w.recorded(databaseURL), address)
	if err != nil {
		return nil
	}
	defer func() { _ = db.Close(context.WithoutCancel(ctx)) }() // it was only read
	found, err := askDatabase(ctx, db)
	if err != nil {
		return nil
	}
	return found
}

func askDatabase(ctx context.Context, db Database) (*externalDatabase, error) {
	var found externalDatabase
	var err error
	if found.facts, err = db.Observe(ctx); err != nil {
		return nil, err
	}
	found.tokens, err = db.Tokens(ctx, tokenSample)
	return &found, err
}

// platform returns what images must be made for: what was asked for, otherwise the engine's own.
func (w world) platform() string {
	if w.options.Platform != "" {
		return w.options.Platform
	}
	return w.host.OS + "/" + w.host.Arch
}

// placed returns the settings of the install in the folder; none where they cannot be read, which is told elsewhere.
func (w world) placed() map[string]string {
	parsed, err := envfile.Parse(w.current().AppEnv)
	if err != nil {
		return nil
	}
	return parsed.Map()
}

// value returns a variable of an env file that is in the folder, or of the last generation where a killed run has not
// put it into place yet.
func (w world) value(file, name string) (string, bool) {
	for _, text := range []string{w.texts[file], w.last[file]} {
		if text == "" {
			continue
		}
		parsed, err := envfile.Parse(text)
		if err != nil {
			return "", false
		}
		return parsed.Get(name)
	}
	return "", false
}

// readServices adds the services and queues that .env names to those that are recorded: the user may have edited it, and
// what runs may be of either.
func (w *world) readServices() {
	if queues, has := w.list("WORKER_QUEUES"); has {
		w.options.Queues = queues
	}
	profiles, _ := w.list("COMPOSE_PROFILES")
	w.options.Profiles = slices.Concat(w.options.Profiles, w.state.Options.Profiles, profiles)
}

// edited returns recorded options with the queues and services that .env names, which its user may edit. A profile of the
// user's own is Compose's matter alone, and where there is none of ours those that are recorded stay.
func (w world) edited(recorded config.Options) config.Options {
	if !w.installed {
		return recorded
	}
	profiles := w.profiles()
	written := w.state.Options.Defaults("").Services() // a profile without a service of its own, like the worker without a queue, is not written
	if len(profiles) > 0 && !slices.Equal(profiles, written) {
		recorded.Profiles = profiles
	}
	if queues, has := w.list("WORKER_QUEUES"); has {
		recorded.Queues = queues
	}
	return recorded
}

// profiles returns those of ours that .env names.
func (w world) profiles() []string {
	list, _ := w.list("COMPOSE_PROFILES")
	return slices.DeleteFunc(list, func(name string) bool { return !slices.Contains(config.Profiles, name) })
}

// list returns what a variable of .env enumerates.
func (w world) list(name string) ([]string, bool) {
	value, has := w.value(workdir.EnvFile, name)
	return strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' }), has
}

// filesOf returns the texts in the folder as render knows them.
func filesOf(texts map[string]string) render.Files {
	return render.Files{Compose: texts[workdir.ComposeFile], Env: texts[workdir.EnvFile], AppEnv: texts[workdir.AppEnvFile]}
}

// textsOf is the reverse of filesOf.
func textsOf(files render.Files) map[string]string {
	return map[string]string{
		workdir.ComposeFile: files.Compose, workdir.EnvFile: files.Env, workdir.AppEnvFile: files.AppEnv,
	}
}

// composeVariables are read by Compose from the environment before .env.
var composeVariables = []string{"COMPOSE_PROJECT_NAME", "COMPOSE_PROFILES", "COMPOSE_FILE", "VERSION", "IMAGE_PREFIX",
	"BIND_ADDRESS", "SERVER_PORT", "UI_PORT", "DB_PORT", "BROKER_PORT", "POSTGRES_PASSWORD", "RABBITMQ_PASSWORD"}
