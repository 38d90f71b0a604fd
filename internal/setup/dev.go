package setup

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
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
	Project  string
	Registry string
	User     string   // of this machine; a part of the default project name
	Known    []string // revisions that this program can migrate to
	Limit    time.Duration
}

// DevUp brings database and broker up, at the revision that is asked for. It is [Setup.Init] without the application:
// as safe to repeat, and the database steps down, too, where that deletes nothing.
func (s *Setup) DevUp(ctx context.Context, o DevOptions) (Result, error) {
	asked, err := s.devOptions(o)
	if err != nil {
		return Result{}, err
	}
	return s.Init(ctx, InitOptions{Asked: asked, Limit: o.Limit})
}

// DevReset is [Setup.DevDown] with the volumes, and then [Setup.DevUp].
func (s *Setup) DevReset(ctx context.Context, o DevOptions) (Result, error) {
	asked, err := s.devOptions(o)
	if err != nil {
		return Result{}, err
	}
	if _, err := s.DevDown(ctx, o.User, true); err != nil {
		return Result{}, err
	}
	return s.Init(ctx, InitOptions{Asked: asked, Limit: o.Limit})
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
	r, err := release.Lookup(version)
	if err != nil {
		p.Add("--release: "+err.Error(), "")
	} else if head = cmp.Or(head, r.Head); !slices.Contains(o.Known, head) {
		p.Merge(unknownHead(o, r, head))
	}
	return config.Options{
		Dev: true, Version: version, Head: head, Project: cmp.Or(o.Project, project), Registry: o.Registry,
		// where SyncMaster's own sample runs server and UI from: they decide CORS
		Ports: config.Ports{Server: config.DefaultPorts.Server, UI: config.DefaultPorts.UI},
	}, p.Err()
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
	return fault.New(fault.BadInput, fmt.Errorf("--source: the checkout's head is revision %s, and this program carries %s to %s", head, o.Known[0], newest),
		"type: syncmaster-setup dev up --release develop; then, in the checkout with the settings of dev env: python -m syncmaster.db.migrations upgrade head")
}
