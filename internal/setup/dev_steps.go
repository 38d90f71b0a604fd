package setup

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"syncmaster-setup/internal/envfile"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/plan"
	"syncmaster-setup/internal/render"
	"syncmaster-setup/internal/workdir"
)

// devPlan returns the steps of `dev up`. A refused way back leaves an environment as it was: the database is migrated
// before the files follow, or looked at before images are built.
func (r *run) devPlan() plan.Plan {
	p := plan.Plan{Operation: "dev up"}
	add := func(name, why string, do func(context.Context) error) {
		p.Steps = append(p.Steps, plan.Step{Name: name, Why: why, Do: do})
	}
	if missing := r.missingImages(); len(missing) > 0 {
		add("pull "+count(len(missing), "image"), strings.Join(missing, ", "), r.pull)
	}
	infrastructure, services := r.options.Infrastructure(), r.options.Services()
	start := func(ctx context.Context) error { return r.start(ctx, infrastructure...) }
	exists := r.state.Phase == workdir.Installed
	files := func() {
		if r.writes {
			add("write files", "settings, keys and the Compose file in "+r.dir, r.writeDev)
		}
	}
	if !exists {
		files()
	}
	if was := portsOf(r.current().Env); exists && (was.Database != r.input.Ports.Database || was.Broker != r.input.Ports.Broker) {
		add("move ports", "others hold those of before", r.movePorts)
	}
	add("start "+strings.Join(infrastructure, " and "), "SyncMaster keeps its data and its queues there", start)
	if r.builds != nil {
		if exists && !r.imageMigrates() {
			add("look at the database", "the way to revision "+r.head()+" must lose nothing", r.checkWay)
		}
		r.addBuilds(add)
	}
	if retired := r.retired(); len(retired) > 0 {
		add("stop "+strings.Join(retired, ", "), "no part of this environment any more", func(ctx context.Context) error { return r.stop(ctx, retired) })
	}
	if exists && r.builds != nil { // the image that migrates is named there, and the way was looked at
		files()
	}
	add("migrate the database", r.whyMigrate(), r.migrate)
	if exists && r.builds == nil {
		files()
	}
	if exists && r.writes {
		add("apply them", "where a container is affected", start)
	}
	if len(services) > 0 {
		add("check the encryption key", "it must open the credentials that are stored", r.checkKey)
		first := slices.DeleteFunc(slices.Clone(services), func(s string) bool { return s == "worker" })
		add("start "+strings.Join(first, ", "), "replacing what has changed", func(ctx context.Context) error { return r.start(ctx, first...) })
	}
	add("wait for the broker", "transfers are sent through it", r.waitBroker)
	if slices.Contains(services, "worker") {
		add("start worker", "it serves "+strings.Join(r.options.Queues, ", "), func(ctx context.Context) error { return r.start(ctx, "worker") })
	}
	if len(services) > 0 {
		add("wait until all are healthy", "each is asked in its own protocol", func(ctx context.Context) error { return r.waitHealthy(ctx, services) })
	}
	if r.builds != nil {
		add("remove replaced images", "what no container uses", r.removeReplaced)
	}
	add("record the environment", "as complete", r.finish)
	return p
}

// writeDev writes the files; git must not see them, since they hold keys.
func (r *run) writeDev(ctx context.Context) error {
	if err := r.Dir.Ignore(); err != nil {
		return err
	}
	r.project = nil // it was loaded from the files that are about to change
	return r.write(ctx)
}

// movePorts puts the ports of database and broker into .env, since they must start before the files follow.
func (r *run) movePorts(context.Context) error {
	env, err := envfile.Parse(r.current().Env)
	if err != nil {
		return fmt.Errorf("reading %s: %w", workdir.EnvFile, err)
	}
	for name, port := range map[string]uint16{"DB_PORT": r.input.Ports.Database, "BROKER_PORT": r.input.Ports.Broker} {
		if err := env.Set(name, strconv.Itoa(int(port))); err != nil {
			return fmt.Errorf("changing %s in %s: %w", name, workdir.EnvFile, err)
		}
	}
	_, err = r.Dir.WriteProject(map[string]string{workdir.EnvFile: env.String()})
	return err
}

// checkStepsDown refuses to go back to an earlier revision where rows would be deleted on the way.
func (r *run) checkStepsDown(ctx context.Context, db Database, from string) error {
	lost, err := db.Losses(ctx, r.head())
	fresh := "for a fresh database: syncmaster-setup dev reset, with the same options"
	switch {
	case fault.CodeOf(err) == fault.Refused:
		return fault.New(fault.Refused, err, "go back with the Alembic of the branch that made it, or "+fresh)
	case err == nil && len(lost) > 0:
		err = fault.New(fault.Refused, fmt.Errorf("the database is at revision %s, and going back to %s deletes the tables %s", from, r.head(), strings.Join(lost, ", ")), fresh)
	}
	return err
}

// refusedAtOnce reports whether a development environment is as it was, but for being started.
func (r *run) refusedAtOnce(err error) bool {
	return r.options.Dev && r.state.Phase == workdir.Installed && fault.CodeOf(err) == fault.Refused
}

// switched renders the files of another release. What the user has changed in .env.docker since it was written stays,
// where that release reads it.
func (w world) switched(base render.Files, in render.Input) (render.Files, error) {
	files, err := render.Render(in)
	if err != nil {
		return files, err
	}
	now, errNow := envfile.Parse(base.AppEnv)
	was, errWas := envfile.Parse(w.last[workdir.AppEnvFile])
	next, errNext := envfile.Parse(files.AppEnv)
	if err := errors.Join(errNow, errWas, errNext); err != nil {
		return files, fmt.Errorf("reading %s: %w", workdir.AppEnvFile, err)
	}
	for _, name := range now.Keys() {
		value, _ := now.Get(name)
		written, had := was.Get(name)
		if _, known := in.Release.Setting(name); known && (!had || written != value) {
			if err := next.Set(name, value); err != nil {
				return files, fmt.Errorf("keeping %s in %s: %w", name, workdir.AppEnvFile, err)
			}
		}
	}
	files.AppEnv = next.String()
	return files, nil
}

// checkDevVolumes refuses data that was made with passwords which are not in this folder any more, as after `git clean`.
func (w world) checkDevVolumes(p *fault.Problems) {
	for _, v := range w.observed.Volumes {
		if v.Name == w.options.Project+"_postgres_data" || v.Name == w.options.Project+"_rabbitmq_data" {
			p.Add(fmt.Sprintf("the volume %s is of an earlier environment, whose passwords are not in %s", v.Name, w.dir),
				"for a fresh one: syncmaster-setup dev reset; if it had a --name of its own: docker volume rm "+v.Name)
		}
	}
}

// continueWith is the command that is meant for what the folder holds.
func (w world) continueWith() string {
	if w.state.Options.Dev {
		return "dev up --dir " + filepath.Dir(w.dir)
	}
	return "init --dir " + w.dir
}

// refuseOtherKind says which command is meant for the folder.
func (w world) refuseOtherKind(p *fault.Problems) {
	if w.state.Options.Dev {
		p.Add(w.dir+" holds a development environment", "type: syncmaster-setup "+w.continueWith())
		return
	}
	p.Add(w.dir+" holds an install, not a development environment", "choose another folder with --dir")
}
