package setup

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"syncmaster-setup/internal/probe"
)

// sizeLimit bounds the look at the disk of the volumes. Where this user may not read them, the engine has to count, which
// may take many seconds.
const sizeLimit = 500 * time.Millisecond

// asker returns what reaches the services, as init does.
func (v *sight) asker() *run {
	return &run{Setup: v.setup, world: v.world, engine: v.engine, project: v.project, decision: decision{settings: v.settings}}
}

// reachable reports whether a server can be asked from here: an external one, or one of a local engine.
func (v *sight) reachable(external bool) error {
	switch {
	case external:
		return nil
	case v.engine == nil:
		return errors.New("the engine does not answer")
	case !v.host.Local:
		return errors.New("it is published on the engine's machine only, which is another one")
	case v.project == nil:
		return fmt.Errorf("its address is not known: %w", v.projectErr)
	}
	return nil
}

// runs reports whether a service has a container that may answer.
func (v *sight) runs(service string) bool {
	c, exists := v.observed.Container(service)
	return exists && c.State == "running"
}

// askServices asks each service in its own protocol, and the disk of the volumes.
func (v *sight) askServices(ctx context.Context, thoroughly bool) {
	var asking sync.WaitGroup
	var mu sync.Mutex
	asking.Go(func() {
		v.askDatabase(ctx, thoroughly)
		v.askBroker(ctx)
	})
	if v.engine == nil {
		asking.Wait()
		return
	}
	asking.Go(func() {
		var names []string
		for _, volume := range v.observed.Volumes {
			names = append(names, volume.Name)
		}
		v.volumes, _ = ask(ctx, func(ctx context.Context) (map[string]int64, error) { // a size that is missing is not told
			ctx, cancel := context.WithTimeout(ctx, sizeLimit)
			defer cancel()
			return v.engine.VolumeBytes(ctx, names)
		})
	})
	for service, target := range map[string]struct {
		port uint16
		path string
	}{"server": {8000, "/monitoring/ping"}, "frontend": {3000, "/"}} {
		if !v.runs(service) || v.reachable(false) != nil {
			continue
		}
		asking.Go(func() {
			_, err := ask(ctx, func(ctx context.Context) (bool, error) {
				return true, v.asker().get(ctx, service, target.port, target.path)
			})
			mu.Lock()
			defer mu.Unlock()
			v.answers[service] = err
		})
	}
	asking.Wait()
	v.noteAnswers()
}

// noteAnswers takes what database and broker said for the answer of their services, and of the worker, whose word is
// that it consumes its queues.
func (v *sight) noteAnswers() {
	if v.runs("db") && v.reachable(false) == nil {
		v.answers["db"] = v.database.err
	}
	if v.runs("rabbitmq") && v.reachable(false) == nil {
		v.answers["rabbitmq"] = v.broker.err
	}
	if v.database.served && v.runs("scheduler") { // otherwise it counts as up when it has run for a while
		v.answers["scheduler"] = nil
	}
	if !v.runs("worker") || v.broker.err != nil {
		return
	}
	v.answers["worker"] = nil
	for _, slug := range v.options.Queues {
		if v.broker.seen.Queues[slug].Consumers == 0 {
			v.answers["worker"] = fmt.Errorf("nobody serves the queue %s", slug)
		}
	}
}

func (v *sight) askDatabase(ctx context.Context, thoroughly bool) {
	external := v.options.ExternalDatabase
	if !external && v.engine != nil && !v.runs("db") {
		v.database.err = errors.New("its container does not run")
		return
	}
	if v.database.err = v.reachable(external); v.database.err != nil {
		return
	}
	r := v.asker()
	seen, err := ask(ctx, func(ctx context.Context) (databaseSight, error) { return r.lookAtDatabase(ctx, thoroughly) })
	v.database = seen
	v.database.err = err
}

// lookAtDatabase asks the database over a session of its own.
func (r *run) lookAtDatabase(ctx context.Context, thoroughly bool) (d databaseSight, err error) {
	address, err := r.address(ctx, "db", 5432)
	if err != nil {
		return d, err
	}
	db, err := r.Databases.Open(ctx, r.setting(databaseURL), address)
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, db.Close(context.WithoutCancel(ctx))) }()
	if d.facts, err = db.Observe(ctx); err != nil {
		return d, err
	}
	if d.size, err = db.Size(ctx); err != nil {
		return d, err
	}
	if d.queues, err = db.Queues(ctx); err != nil {
		return d, err
	}
	if from, err := r.engineAddress(ctx, "scheduler"); err == nil {
		sessions, err := db.SessionsFrom(ctx, from)
		d.served = err == nil && sessions > 0
	}
	if d.runs, err = db.Runs(ctx, runsShown); err != nil {
		return d, err
	}
	if d.tokens, err = db.Tokens(ctx, tokenSample); err != nil || !thoroughly {
		return d, err
	}
	d.differences, d.driftErr = db.Differences(ctx)
	return d, nil
}

// engineAddress returns the address of a service's container, where there is an engine.
func (r *run) engineAddress(ctx context.Context, service string) (netip.Addr, error) {
	if r.engine == nil {
		return netip.Addr{}, errors.New("there is no engine")
	}
	return r.engine.ContainerAddress(ctx, r.options.Project, service)
}

func (v *sight) askBroker(ctx context.Context) {
	external := v.options.ExternalBroker
	if !external && v.engine != nil && !v.runs("rabbitmq") {
		v.broker.err = errors.New("its container does not run")
		return
	}
	if v.broker.err = v.reachable(external); v.broker.err != nil {
		return
	}
	names := slices.Clone(v.options.Queues)
	for _, q := range v.database.queues {
		if !slices.Contains(names, q.Slug) {
			names = append(names, q.Slug)
		}
	}
	r := v.asker()
	v.broker.seen, v.broker.err = ask(ctx, func(ctx context.Context) (probe.Broker, error) {
		address, err := r.address(ctx, "rabbitmq", 5672)
		if err != nil {
			return probe.Broker{}, err
		}
		return probe.Look(ctx, at(r.setting(brokerURL), address), names)
	})
}
