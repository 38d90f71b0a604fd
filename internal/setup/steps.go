package setup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/plan"
	"syncmaster-setup/internal/report"
	"syncmaster-setup/internal/stack"
	"syncmaster-setup/internal/workdir"
)

// plan returns the steps of an install in the order that waits least: the database migrates while the broker still
// starts, and each service starts as soon as what it needs is there.
func (r *run) plan() plan.Plan {
	if r.options.Dev {
		return r.devPlan()
	}
	p := plan.Plan{Operation: "init"}
	add := func(name, why string, do func(context.Context) error) {
		p.Steps = append(p.Steps, plan.Step{Name: name, Why: why, Do: do})
	}
	if r.writes {
		add("write files", "settings, keys and the Compose file in "+r.dir, r.write)
	}
	if missing := r.missingImages(); len(missing) > 0 {
		add(fmt.Sprintf("pull %s", count(len(missing), "image")), strings.Join(missing, ", "), r.pull)
	}
	infrastructure, services := r.startable(r.options.Infrastructure()), r.startable(r.options.Services())
	if len(infrastructure) > 0 {
		add("start "+strings.Join(infrastructure, " and "), "SyncMaster keeps its data and its queues there", func(ctx context.Context) error {
			return r.start(ctx, infrastructure...)
		})
	}
	if len(services) > 0 {
		add("create the other containers", strings.Join(services, ", "), func(ctx context.Context) error {
			return r.create(ctx, services...)
		})
	}
	add("migrate the database", r.whyMigrate(), r.migrate)
	add("check the encryption key", "it must open the credentials that are stored", r.checkKey)
	first := slices.DeleteFunc(slices.Clone(services), func(s string) bool { return s == "worker" })
	if len(first) > 0 {
		add("start "+strings.Join(first, ", "), "they need the database only", func(ctx context.Context) error {
			return r.start(ctx, first...)
		})
	}
	if len(services) > 0 || slices.Contains(infrastructure, "rabbitmq") {
		add("wait for the broker", "transfers are sent through it", r.waitBroker)
	}
	if slices.Contains(services, "worker") {
		add("start worker", "it serves "+strings.Join(r.options.Queues, ", "), func(ctx context.Context) error {
			return r.start(ctx, "worker")
		})
	}
	add("wait until all are healthy", "each is asked in its own protocol", func(ctx context.Context) error {
		return r.waitHealthy(ctx, services)
	})
	add("record the install", "as complete", r.finish)
	return p
}

func (r *run) write(context.Context) error {
	changed, err := r.putFiles()
	r.result.Changed = r.result.Changed || len(changed) > 0
	return err
}

// pull gets the images that are missing, in parallel.
func (r *run) pull(ctx context.Context) error {
	r.result.Changed = true
	return r.engine.Pull(ctx, r.missingImages(), r.platform(), func(done, total int64) {
		r.Report.Report(report.Event{Kind: report.Progress, Bytes: done, OfBytes: total})
	})
}

// create makes containers equal to the project and starts none of them.
func (r *run) create(ctx context.Context, services ...string) error {
	if err := r.load(ctx); err != nil || len(services) == 0 {
		return err
	}
	return r.engine.Create(ctx, r.project, services...)
}

func (r *run) start(ctx context.Context, services ...string) error {
	if err := r.create(ctx, services...); err != nil {
		return err
	}
	return r.engine.Start(ctx, r.project, services...)
}

// load reads the project from the files in place, as docker compose does.
func (r *run) load(ctx context.Context) error {
	if r.project != nil {
		return nil
	}
	profiles := r.options.Services() // each has a profile of its own name
	if r.imageMigrates() {
		profiles = append(profiles, "migrations")
	}
	project, err := r.Load(ctx, r.dir, profiles)
	if err != nil {
		return fmt.Errorf("loading the Compose project: %w", err)
	}
	r.project = project
	return nil
}

// checkKey tries the key on stored credentials, where there are any.
func (r *run) checkKey(ctx context.Context) error {
	return r.withDatabase(ctx, func(db Database) error {
		tokens, err := db.Tokens(ctx, tokenSample)
		if err != nil {
			return err
		}
		if !opensAll(r.setting(fernetSetting), tokens) {
			return fault.New(fault.Refused, errors.New("the encryption key does not open the credentials that are stored in the database; no service was started"),
				"put the right "+fernetSetting+" into "+r.Dir.File(workdir.AppEnvFile))
		}
		return nil
	})
}

// finish compares what runs now with what was observed, and records the install as complete.
func (r *run) finish(ctx context.Context) error {
	now, err := r.engine.Observe(ctx, r.options.Project, nil)
	if err != nil {
		return err
	}
	after := fingerprints(now)
	for _, service := range r.services() {
		c, exists := now.Container(service)
		switch {
		case service == migrations || !exists:
			continue
		case c.State == "running":
			r.result.Services = append(r.result.Services, service)
		default:
			r.result.Stopped = append(r.result.Stopped, service)
		}
		if after[service] != r.before[service] {
			r.result.Changed = true
		}
	}
	if r.state.Phase == workdir.Installed && !r.result.Changed {
		return nil
	}
	return r.save(workdir.Installed)
}

// startable leaves out the services that the operator has stopped in a complete install: they stay stopped.
func (w world) startable(services []string) []string {
	return slices.DeleteFunc(slices.Clone(services), w.leftStopped)
}

func (w world) leftStopped(service string) bool {
	c, exists := w.observed.Container(service)
	return exists && w.state.Phase == workdir.Installed && c.State == "exited"
}

// missingImages returns the images that the engine does not hold.
func (r *run) missingImages() []string {
	return slices.DeleteFunc(r.images(), func(ref string) bool { _, present := r.observed.Images[ref]; return present || r.isBuilt(ref) })
}

// fingerprints tells containers apart by identity and start.
func fingerprints(o stack.Observed) map[string]string {
	prints := map[string]string{}
	for _, c := range o.Containers {
		prints[c.Service] = c.ID + c.StartedAt.String()
	}
	return prints
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
