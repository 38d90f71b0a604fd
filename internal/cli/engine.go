package cli

import (
	"context"
	"errors"
	"io"

	"github.com/compose-spec/compose-go/v2/types"

	"syncmaster-setup/internal/engine"
	"syncmaster-setup/internal/setup"
)

// dockerEngine is the engine as the use cases want it.
type dockerEngine struct{ *engine.Engine }

func (d dockerEngine) Host(ctx context.Context) (setup.Host, error) {
	h, err := d.Engine.Host(ctx)
	return setup.Host{
		Version: h.Version, CPUs: h.CPUs, Clock: h.Clock,
		OS: h.OS, Arch: h.Arch, Memory: h.Memory, RootDir: h.RootDir, Local: h.Local,
		ProxyVariables: h.ProxyVariables, NoProxy: h.NoProxy,
	}, err
}

func (d dockerEngine) Pull(ctx context.Context, refs []string, platform string, progress func(done, total int64)) error {
	return d.Engine.Pull(ctx, refs, platform, func(p engine.PullProgress) { progress(p.AllDone, p.AllTotal) })
}

func (d dockerEngine) Builds(ctx context.Context, source string, services ...string) (map[string]types.BuildConfig, error) {
	return engine.Builds(ctx, source, services...)
}

func (d dockerEngine) Build(ctx context.Context, section types.BuildConfig, labels map[string]string, hidden string, progress func(string)) (string, string, error) {
	return d.Engine.Build(ctx, section, engine.BuildOptions{Labels: labels, Hidden: hidden, Progress: progress})
}

func (d dockerEngine) Create(ctx context.Context, project *types.Project, services ...string) error {
	return d.Engine.Create(ctx, project, engine.CreateOptions{Services: services})
}

func (d dockerEngine) Start(ctx context.Context, project *types.Project, services ...string) error {
	err := d.Engine.Start(ctx, project, services...)
	if errors.Is(err, engine.ErrPortInUse) {
		return portInUse{err}
	}
	return err
}

// portInUse is an error of the engine as the use cases tell it from others.
type portInUse struct{ error }

func (e portInUse) Unwrap() []error { return []error{e.error, setup.ErrPortInUse} }

func (d dockerEngine) RunOneOff(ctx context.Context, project *types.Project, service string) (int, string, error) {
	exit, err := d.Engine.RunOneOff(ctx, project, service)
	return exit.Code, exit.Tail, err
}

func (d dockerEngine) Check(ctx context.Context, dir, compose, env string) error {
	return engine.Check(ctx, dir, compose, env)
}

func (d dockerEngine) Stream(ctx context.Context, project, service string, command []string, in io.Reader, out io.Writer) (int, string, error) {
	exit, err := d.Engine.Stream(ctx, project, service, command, in, out)
	return exit.Code, exit.Tail, err
}
