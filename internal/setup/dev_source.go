package setup

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/report"
)

// imageOf returns the service whose image a service runs.
func imageOf(service string) string {
	if service == migrations {
		return "server"
	}
	return service
}

// built returns the services whose images are built here, each image once.
func (w world) built() []string {
	var services []string
	for _, service := range w.services() {
		service = imageOf(service)
		if w.options.BuiltImage(service) != "" && !slices.Contains(services, service) {
			services = append(services, service)
		}
	}
	return services
}

func (w world) isBuilt(ref string) bool {
	return slices.ContainsFunc(w.built(), func(service string) bool { return w.options.BuiltImage(service) == ref })
}

// buildCommand is the command that builds the images of the environment.
func (w world) buildCommand() string {
	command := "dev up --source " + w.options.Source
	if base := filepath.Dir(w.dir); base != w.options.Source {
		command += " --dir " + base
	}
	return command
}

// again is the command that goes on where this run has failed.
func (r *run) again(o InitOptions) string {
	if r.builds != nil {
		return r.buildCommand()
	}
	return o.operation()
}

// addBuilds adds the steps that build the images. None gets its name before all are built, so that a failure leaves the
// environment as it was.
func (r *run) addBuilds(add func(name, why string, do func(context.Context) error)) {
	ids := map[string]string{}
	for _, service := range r.built() {
		section := r.builds[service]
		why := fmt.Sprintf("%s in %s", section.Dockerfile, section.Context)
		if section.Target != "" {
			why += ", up to " + section.Target
		}
		add("build the image of "+service, why, func(ctx context.Context) (err error) {
			ids[service], err = r.build(ctx, service)
			return err
		})
	}
	add("name the images", "now that all of them are built", func(ctx context.Context) error {
		for service, id := range ids {
			ref := r.options.BuiltImage(service)
			if before := r.observed.Images[ref].ID; before != id {
				if err := r.engine.Tag(ctx, id, ref); err != nil {
					return err
				}
				r.replaced, r.result.Changed = append(r.replaced, before), true
			}
		}
		return nil
	})
}

// build builds the image of a service. Its labels are those of `docker compose build`.
func (r *run) build(ctx context.Context, service string) (string, error) {
	labels := map[string]string{"com.docker.compose.project": r.options.Project, "com.docker.compose.service": service}
	id, said, err := r.engine.Build(ctx, r.builds[service], labels, r.dir, func(step string) {
		r.Report.Report(report.Event{Kind: report.Progress, Text: step})
	})
	if err == nil || ctx.Err() != nil {
		return id, err
	}
	hint := fault.HintOf(err)
	if hint == "" {
		hint = "mend it, then type: syncmaster-setup " + r.buildCommand()
	}
	if lines := lastLines(readableLines(said), logLines); lines != "" {
		err = fmt.Errorf("%w%s\n%s", err, lastLinesMark, indent(r.redact(lines)))
	}
	return "", fault.New(fault.Failed, err, hint)
}

// readableLines is what a build step has written, without what is meant for a terminal: progress that overwrites itself
// is its last state.
func readableLines(said string) string {
	lines := strings.Split(strings.TrimSpace(said), "\n")
	for i, line := range lines {
		line = strings.TrimRight(line, "\r ")
		lines[i] = escapes.ReplaceAllString(strings.ToValidUTF8(line[strings.LastIndex(line, "\r")+1:], "\uFFFD"), "")
	}
	return strings.Join(lines, "\n")
}

// removeReplaced removes the images whose names went to new ones; those that a container still uses stay.
func (r *run) removeReplaced(ctx context.Context) error {
	return r.engine.RemoveUnused(ctx, slices.DeleteFunc(r.replaced, func(id string) bool { return id == "" }))
}

// retired returns the services that run and are no part of what the environment is going to be.
func (r *run) retired() []string {
	var services []string
	for _, service := range []string{"server", "scheduler", "worker", "frontend"} {
		c, exists := r.observed.Container(service)
		if exists && c.State != "exited" && c.State != "created" && !slices.Contains(r.services(), service) {
			services = append(services, service)
		}
	}
	return services
}

// stop stops services that run, with the files that are in place.
func (r *run) stop(ctx context.Context, services []string) error {
	if err := r.load(ctx); err != nil {
		return err
	}
	r.result.Changed = true
	return r.engine.Stop(ctx, r.project, services, 0)
}

// prepareDev refuses a way back that would lose rows, and stops what works with the schema that is about to change.
func (r *run) prepareDev(ctx context.Context, db Database, from string) error {
	if from == r.head() {
		return nil
	}
	if !r.imageMigrates() {
		if err := r.checkStepsDown(ctx, db, from); err != nil {
			return err
		}
	}
	running := slices.DeleteFunc(slices.Clone(writers), func(service string) bool {
		c, exists := r.observed.Container(service)
		return !exists || c.State == "exited" || c.State == "created" || !slices.Contains(r.services(), service)
	})
	if len(running) == 0 {
		return nil
	}
	return r.stop(ctx, running)
}

// checkWay refuses a way back that would lose rows before minutes are spent on images.
func (r *run) checkWay(ctx context.Context) error {
	return r.withDatabase(ctx, func(db Database) error {
		facts, err := db.Observe(ctx)
		if err != nil || facts.Revision == r.head() {
			return err
		}
		return r.checkStepsDown(ctx, db, facts.Revision)
	})
}

// migrateByCheckout runs the checkout's own migrations, where the database is not at their head.
func (r *run) migrateByCheckout(ctx context.Context, db Database, from string) error {
	r.result.Revision = from
	if from == r.head() {
		return nil
	}
	if err := r.migrateByImage(ctx); err != nil {
		return fault.New(fault.CodeOf(err), err, "mend the migration, then type: syncmaster-setup "+r.buildCommand()+
			"; for a fresh database: syncmaster-setup dev reset, with the same options")
	}
	facts, err := db.Observe(ctx)
	if err != nil {
		return err
	}
	r.result.Revision = facts.Revision
	r.result.Changed = r.result.Changed || facts.Revision != from
	return nil
}
