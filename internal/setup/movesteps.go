package setup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/report"
)

// applicationOrder is the order in which services start.
var applicationOrder = []string{"server", "frontend", "worker", "scheduler"}

func (m *move) pullImages(ctx context.Context) error {
	return m.engine.Pull(ctx, m.Pull, m.platformOf(), func(done, total int64) {
		m.Report.Report(report.Event{Kind: report.Progress, Bytes: done, OfBytes: total})
	})
}

// platformOf is what was asked for; empty leaves it to the engine.
func (m *move) platformOf() string { return m.options.Platform }

// stopServer takes the server away; the outage begins. Where the database is migrated next, that begins when the
// server's program has ended.
func (m *move) stopServer(ctx context.Context) error {
	migrates := !m.To.ImageMigrates && m.Restore == ""
	if migrates { // what can be done before is not done while the server is missed
		if err := m.withDatabase(ctx, func(db Database) error { return m.readyToChange(ctx, db) }); err != nil {
			return err
		}
		m.loadAhead(ctx)
	}
	m.leave()
	if !migrates || m.Offline { // what comes next is another container's work, or a backup
		return m.halt(ctx, "server", 0)
	}
	if err := m.noteHalt("server"); err != nil {
		return err
	}
	if err := m.load(ctx); err != nil {
		return err
	}
	rest, err := m.engine.End(ctx, m.project, "server")
	if err == nil {
		m.rest = rest
	}
	return err
}

// halt stops a service, and notes before that it does.
func (m *move) halt(ctx context.Context, service string, limit time.Duration) error {
	if err := m.noteHalt(service); err != nil {
		return err
	}
	return m.stop(ctx, []string{service}, limit)
}

func (m *move) noteHalt(service string) error {
	if slices.Contains(m.Halted, service) {
		return nil
	}
	m.Halted = append(m.Halted, service)
	return m.journal.Note(m.ticket)
}

// leave notes when the server was taken away.
func (m *move) leave() {
	if m.away.IsZero() {
		m.away = m.Now()
	}
}

// stop stops those of the services that have a container.
func (m *move) stop(ctx context.Context, services []string, limit time.Duration) error {
	if err := m.load(ctx); err != nil || len(services) == 0 {
		return err
	}
	return m.engine.Stop(ctx, m.project, services, limit)
}

func (m *move) progress(text string) {
	m.Report.Report(report.Event{Kind: report.Progress, Text: text})
}

// replace makes the containers of services as the files have them, and starts those that ran.
func (m *move) replace(present, running []string) error {
	ctx := m.hard
	if slices.Contains(running, "server") {
		m.leave()
	}
	if m.made && slices.Equal(present, []string{"server"}) {
		m.project = m.ahead
	} else if err := m.create(ctx, present...); err != nil {
		return err
	}
	if slices.Contains(running, "scheduler") {
		if err := m.oneScheduler(ctx); err != nil {
			return err
		}
	}
	return m.startAndWait(ctx, running)
}

func (m *move) startAndWait(ctx context.Context, services []string) error {
	if len(services) == 0 {
		return nil
	}
	if err := m.engine.Start(ctx, m.project, services...); err != nil {
		return err
	}
	m.every = 0
	if slices.Contains(services, "server") {
		m.every = missedEvery
	}
	if err := m.waitHealthy(ctx, services); err != nil {
		return err
	}
	if slices.Contains(services, "server") && !m.away.IsZero() && !m.worked {
		seconds := m.Now().Sub(m.away).Round(time.Millisecond).Seconds()
		m.outage = &seconds
	}
	return nil
}

// oneScheduler refuses to start the scheduler beside another one of this project.
func (m *move) oneScheduler(ctx context.Context) error {
	now, err := m.engine.Observe(ctx, m.options.Project, nil)
	if err != nil {
		return err
	}
	var alive []string
	for _, c := range now.Containers {
		if c.Service == "scheduler" && c.Alive() {
			alive = append(alive, c.Name)
		}
	}
	if len(alive) < 2 { // one is the container that was just made, and somebody else has started it
		return nil
	}
	return fault.New(fault.Failed, fmt.Errorf("%d schedulers run already, in the containers %s: they run every transfer twice", len(alive), strings.Join(alive, ", ")),
		"stop one with: docker stop "+alive[0])
}

// startOld starts what ran before, with the old files, and waits until it is healthy.
func (m *move) startOld(ctx context.Context) error {
	if err := m.putOld(ctx); err != nil {
		return err
	}
	var present []string
	for _, service := range applicationOrder {
		if slices.Contains(m.Present, service) {
			present = append(present, service)
		}
	}
	// a stop goes on in the engine when the process that asked for it was killed: it is waited for, or it would end
	// what is started now
	if err := m.stop(ctx, m.Halted, cutAfter); err != nil {
		return err
	}
	resumeErr := m.resumeQueues(ctx)
	if err := m.create(ctx, present...); err != nil {
		return err
	}
	if err := m.startOneByOne(ctx); err != nil {
		return errors.Join(err, resumeErr)
	}
	return nil // also where a worker gave no answer: it was seen to serve its queues
}

// startOneByOne starts what ran before as in a start: the server first, the scheduler last.
func (m *move) startOneByOne(ctx context.Context) error {
	for _, service := range applicationOrder {
		if m.ran(service) {
			if err := m.startAndWait(ctx, []string{service}); err != nil {
				return err
			}
		}
	}
	return nil
}
