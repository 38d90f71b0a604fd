package setup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"syncmaster-setup/internal/plan"
	"syncmaster-setup/internal/probe"
	"syncmaster-setup/internal/report"
	"syncmaster-setup/internal/stack"
)

const (
	// engineLimit is how long the way back waits for an engine that is being restarted: it stops every container first.
	engineLimit = 5 * time.Minute
	// backAttempts is how often the way back begins where the engine is restarted under it.
	backAttempts = 3
)

// goBack undoes what was begun and forgets the new generation. Where the engine goes away meanwhile, it begins anew:
// steps that are undone stay so.
func (m *move) goBack(ctx context.Context) error {
	m.worked, m.vanishing, m.limit = true, false, max(m.limit, backWait)
	if err := m.journal.Back(); err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		err := m.undo(ctx)
		if err == nil {
			break
		}
		if attempt == backAttempts || ctx.Err() != nil {
			return err
		}
		shaken := m.shaken(ctx)
		if !shaken.engine { // a database that crashes again and again is no better the next time
			return err
		}
		m.Report.Report(report.Event{Kind: report.Warning, Text: fmt.Sprintf("the way back stopped at: %s; meanwhile %s: it goes on now", shortened(m.told(err)), shaken.what)})
	}
	if err := m.journal.Close(); err != nil {
		return err
	}
	return m.Dir.DropGenerations(m.From.State.Generation)
}

// undo takes back the steps that were begun. Before the first of them nothing of the stack was touched; but what an
// engine that was restarted has left stopped is started.
func (m *move) undo(ctx context.Context) error {
	touched := m.journal.Begun(m.quietName())
	if !touched && m.shaken(ctx) != (shock{}) {
		m.Shaken = true
		if err := m.journal.Note(m.ticket); err != nil {
			return err
		}
	}
	if touched || m.Shaken {
		if err := m.ready(ctx); err != nil {
			return err
		}
	}
	err := plan.Undo(ctx, m.plan(), m.journal, m.Report)
	if err == nil && m.Shaken {
		err = m.startOneByOne(ctx)
	}
	return errors.Join(err, m.closeDatabase(ctx))
}

// ready waits for an engine that is being restarted, and starts database and broker where that, or a reboot, left them
// stopped.
func (m *move) ready(ctx context.Context) error {
	m.progress("waiting for the Docker Engine")
	err := probe.Wait(ctx, probe.Options{What: "the Docker Engine", Limit: engineLimit}, func(ctx context.Context) error {
		engine, err := m.Connect(ctx) // connections that are open are served to the last by an engine that shuts down
		if err == nil {
			m.engine = engine
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := m.load(ctx); err != nil {
		return err
	}
	now, err := m.engine.Observe(ctx, m.options.Project, nil)
	if err != nil {
		return err
	}
	for _, service := range m.options.Infrastructure() {
		c, exists := now.Container(service)
		if !exists || c.State == "running" {
			continue
		}
		if c.State == "restarting" { // the engine waits longer and longer before the next attempt; the cause may be mended
			if err := m.engine.Stop(ctx, m.project, []string{service}, cutAfter); err != nil {
				return err
			}
		}
		if err := m.engine.Start(ctx, m.project, service); err != nil {
			return err
		}
	}
	if now, err = m.engine.Observe(ctx, m.options.Project, nil); err != nil {
		return err
	}
	m.observed.Containers, m.starts = now.Containers, m.startsOf(now) // what has crashed before does not count any more
	if err := m.withDatabase(ctx, func(db Database) error { _, err := db.Observe(ctx); return err }); err != nil {
		return err
	}
	if _, exists := now.Container("rabbitmq"); exists || m.options.ExternalBroker {
		return m.waitBroker(ctx)
	}
	return nil
}

// noteStarts notes when the containers of database and broker were started, which a move leaves alone.
func (m *move) noteStarts(ctx context.Context) {
	if now, err := m.engine.Observe(ctx, m.options.Project, nil); err == nil { // the first step misses the engine otherwise
		m.starts = m.startsOf(now)
	}
}

func (m *move) startsOf(now stack.Observed) map[string]string {
	starts := map[string]string{}
	for _, service := range m.options.Infrastructure() {
		if c, exists := now.Container(service); exists && c.Alive() {
			starts[service] = c.ID + " " + c.StartedAt.String()
		}
	}
	return starts
}

// shock is what was restarted under a move: a failure may come of it.
type shock struct {
	what   string
	engine bool
}

// shaken tells what was restarted since the starts were noted; nothing is the zero shock.
func (m *move) shaken(ctx context.Context) shock {
	away := shock{"the Docker Engine went away", true}
	engine, err := m.Connect(ctx) // as in ready
	if err != nil {
		return away
	}
	observed, err := engine.Observe(ctx, m.options.Project, nil)
	if err != nil {
		return away
	}
	now := m.startsOf(observed)
	var changed []string
	for service, start := range m.starts {
		if now[service] != start {
			changed = append(changed, service)
		}
	}
	slices.Sort(changed)
	switch len(changed) {
	case 0:
		return shock{}
	case 1:
		return shock{changed[0] + " was restarted", false}
	}
	return shock{"the Docker Engine was restarted", true}
}
