package setup

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"syncmaster-setup/internal/checkout"
	"syncmaster-setup/internal/config"
	"syncmaster-setup/internal/envfile"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/secret"
	"syncmaster-setup/internal/workdir"
)

// DevFolder is the install folder of a development environment, in the folder that the environment belongs to.
const DevFolder = ".syncmaster-setup-dev"

// DevOptions are what a development environment is asked to be. An empty field is not asked for.
type DevOptions struct {
	Release  string             // whose revision the database gets
	Checkout *checkout.Checkout // whose head the database gets, instead of a release's
	Source   string             // folder of Checkout, where the images are built from it and the whole stack is run
	Profiles []string           // of the whole stack
	Queues   []string           // that its worker serves
	Project  string
	Registry string
	User     string   // of this machine; a part of the default project name
	Known    []string // revisions that this program can migrate to
	Limit    time.Duration
}

// DevUp brings database and broker up, at the revision that is asked for, and the application where it is built from a
// checkout. It is [Setup.Init] without the care for an install: as safe to repeat, and the database steps down, too, where
// that deletes nothing.
func (s *Setup) DevUp(ctx context.Context, o DevOptions) (Result, error) {
	asked, err := s.devOptions(o)
	if err != nil {
		return Result{}, err
	}
	return s.Init(ctx, InitOptions{Asked: asked, Limit: o.Limit, Build: o.Source != ""})
}

// DevReset is [Setup.DevDown] with the volumes, and then [Setup.DevUp]. What that would refuse is found before anything is
// deleted.
func (s *Setup) DevReset(ctx context.Context, o DevOptions) (Result, error) {
	asked, err := s.devOptions(o)
	if err != nil {
		return Result{}, err
	}
	init := InitOptions{Asked: asked, Limit: o.Limit, Build: o.Source != "", emptied: true}
	if _, err := s.prepare(ctx, init); err != nil {
		return Result{}, err
	}
	if _, err := s.DevDown(ctx, o.User, true); err != nil {
		return Result{}, err
	}
	return s.Init(ctx, init)
}

// DevDown removes the containers and the network of the environment in the folder, and its data where volumes are asked
// for. Files and keys stay. It returns the names of what was removed.
func (s *Setup) DevDown(ctx context.Context, user string, volumes bool) (removed []string, err error) {
	unlock, err := s.Lock("dev down", s.Now())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	project, err := s.DevProject(user)
	if err != nil {
		return nil, err
	}
	engine, err := s.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return engine.RemoveProject(ctx, project, s.Dir.Path(), volumes)
}

// DevEnv returns the settings that server, scheduler and worker need on this host to work with the environment in the
// folder, in the order in which they are explained in its .env.docker.
func (s *Setup) DevEnv() ([]config.Setting, error) {
	w, err := s.observeFolder()
	if err != nil {
		return nil, err
	}
	if !w.installed || !w.state.Options.Dev {
		return nil, fault.New(fault.BadInput, fmt.Errorf("there is no development environment in %s", filepath.Dir(w.dir)),
			"make one with: syncmaster-setup dev up --dir "+filepath.Dir(w.dir))
	}
	files := w.current()
	app, err := envfile.Parse(files.AppEnv)
	if err != nil {
		return nil, fault.New(fault.BadInput, fmt.Errorf("reading %s: %w", s.Dir.File(workdir.AppEnvFile), err), "")
	}
	ports := portsOf(files.Env)
	if ports.Database == 0 || ports.Broker == 0 {
		return nil, fault.New(fault.BadInput, fmt.Errorf("reading %s: DB_PORT or BROKER_PORT is no port", s.Dir.File(workdir.EnvFile)),
			"syncmaster-setup dev up --dir "+filepath.Dir(w.dir)+" chooses one where the line is removed")
	}
	var settings []config.Setting
	for _, name := range app.Keys() {
		text, _ := app.Get(name)
		value := secret.NewText(text)
		switch name {
		case databaseURL:
			value = at(value, fmt.Sprintf("%s:%d", loopback, ports.Database))
		case brokerURL:
			value = at(value, fmt.Sprintf("%s:%d", loopback, ports.Broker))
		}
		settings = append(settings, config.Setting{Name: name, Value: value})
	}
	return settings, nil
}

// DevProject returns the name of the environment's Compose project: the recorded one, otherwise one that no other
// folder and no other user of the host has.
func (s *Setup) DevProject(user string) (string, error) {
	state, exists, err := s.Dir.State()
	if err == nil && exists && !state.Options.Dev {
		err = fault.New(fault.Refused, fmt.Errorf("%s holds an install, not a development environment", s.Dir.Path()), "choose another folder with --dir")
	}
	return cmp.Or(state.Project, devProject(s.Dir.Path(), user)), err
}

func devProject(dir, user string) string {
	plain := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(user))
	sum := sha256.Sum256([]byte(dir + "\x00" + user))
	return fmt.Sprintf("syncmaster-dev-%s-%s", cmp.Or(plain, "user"), hex.EncodeToString(sum[:4]))
}

// devOptions completes what is asked for, or says everything that is wrong with it.
func (s *Setup) devOptions(o DevOptions) (config.Options, error) {
	state, exists, err := s.Dir.State()
	if err != nil {
		return config.Options{}, err
	}
	project, err := s.DevProject(o.User)
	if err != nil {
		return config.Options{}, err
	}
	p := &fault.Problems{Code: fault.BadInput}
	if o.Project != "" && !config.IsProjectName(o.Project) {
		p.Add(fmt.Sprintf("--name %q: Compose takes lower case letters, digits, - and _, beginning with a letter or digit", o.Project), "")
	} else if exists && o.Project != "" && o.Project != project {
		p.Add(fmt.Sprintf("the environment in %s has the name %s", filepath.Dir(s.Dir.Path()), project), "leave out --name, or use another folder with --dir")
	}
	version, head := devTarget(o, state)
	asked := config.Options{
		Dev: true, Version: version, Project: cmp.Or(o.Project, project), Registry: o.Registry,
		Source: devSource(o, state), Profiles: o.Profiles, Queues: o.Queues,
	}
	r, err := release.Lookup(version)
	if err != nil {
		p.Add("--release: "+err.Error(), "")
	} else if head = cmp.Or(head, r.Head); !slices.Contains(o.Known, head) {
		if asked.ImageMigrates = asked.Source != ""; !asked.ImageMigrates {
			p.Merge(unknownHead(o, r, head))
		}
	}
	asked.Head = head
	if asked.Source == "" {
		// where SyncMaster's own sample runs server and UI from: they decide CORS
		asked.Ports = config.Ports{Server: config.DefaultPorts.Server, UI: config.DefaultPorts.UI}
	} else if !imageName.MatchString(asked.Project) {
		p.Add(fmt.Sprintf("--name %q: images are named after it, so - and _ may only stand between letters or digits, and not three of them", asked.Project), "")
	}
	if asked.Source == "" && len(o.Profiles)+len(o.Queues) > 0 {
		p.Add("--profile and --queue choose what runs of a whole stack, and this environment is a database and a broker", "add --source with the checkout that it is built from")
	}
	return asked, p.Err()
}

// imageName is what may stand before the name of a service in that of an image.
var imageName = regexp.MustCompile(`^[a-z0-9]+((_|__|-+)[a-z0-9]+)*$`)

// devSource returns the checkout whose images run: the one that is asked for, otherwise what the environment was made from.
func devSource(o DevOptions, state workdir.State) string {
	if o.Checkout == nil && o.Release == "" {
		return state.Options.Source
	}
	return o.Source
}

// devTarget returns the release whose settings apply, and the revision where it is not that release's own.
func devTarget(o DevOptions, state workdir.State) (version, head string) {
	switch {
	case o.Checkout != nil:
		r, err := release.Lookup(o.Checkout.Version)
		if err != nil || r.Unknown { // between two releases, or past the newest one
			return "develop", o.Checkout.Head
		}
		return r.Version, o.Checkout.Head
	case o.Release == "" && state.Version != "":
		return state.Version, state.Options.Head
	}
	return cmp.Or(o.Release, release.Newest().Version), ""
}

func unknownHead(o DevOptions, r release.Release, head string) error {
	newest := o.Known[len(o.Known)-1]
	if o.Checkout == nil {
		return fault.New(fault.BadInput, fmt.Errorf("--release: the revision of SyncMaster %s is not known here", r),
			"give its checkout with --source, or use a newer syncmaster-setup")
	}
	return fault.New(fault.BadInput, fmt.Errorf("--checkout: the checkout's head is revision %s, and this program carries %s to %s", head, o.Known[0], newest),
		"let its own image migrate, with --source; or type: syncmaster-setup dev up --release develop; then, in the checkout with the settings of dev env: python -m syncmaster.db.migrations upgrade head")
}
