package setup

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"syncmaster-setup/internal/backup"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/journal"
)

// Resume goes on with a move that was interrupted: forward, or on the way back where it had begun. hard ends a step at
// work.
func (s *Setup) Resume(ctx, hard context.Context) (MoveResult, error) {
	return s.reopened(ctx, hard, "resume", func(m *move, record journal.Record) (MoveResult, error) {
		if record.Backward {
			return m.abandon(ctx)
		}
		return m.goOn(ctx, record)
	})
}

// Abort takes back a move that was interrupted.
func (s *Setup) Abort(ctx, hard context.Context) (MoveResult, error) {
	return s.reopened(ctx, hard, "abort", func(m *move, _ journal.Record) (MoveResult, error) { return m.abandon(ctx) })
}

// reopened finds the interrupted move in the folder and hands it to do.
func (s *Setup) reopened(ctx, hard context.Context, operation string, do func(*move, journal.Record) (MoveResult, error)) (result MoveResult, err error) {
	unlock, err := s.Lock(operation, s.Now())
	if err != nil {
		return MoveResult{}, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	w, err := s.observeFolder()
	if err != nil {
		return MoveResult{}, err
	}
	if err := w.checkReopen(operation); err != nil {
		return MoveResult{}, err
	}
	t, err := reopen(*w.open)
	if err != nil {
		return MoveResult{}, s.brokenJournal(err)
	}
	if err := backup.In(s.Dir.File(backups)).Sweep(); err != nil { // a part of a backup holds secrets, and is of no use
		return MoveResult{}, err
	}
	engine, err := s.Connect(ctx)
	if err != nil {
		return MoveResult{}, err
	}
	if t.Fresh {
		if operation == "abort" {
			return MoveResult{}, fault.New(fault.Refused, fmt.Errorf("%s into %s was interrupted, and there is nothing to go back to", t.moving(), w.dir),
				"go on with: syncmaster-setup resume --dir "+w.dir)
		}
		return s.fillFresh(ctx, hard, engine, t, journal.Continue(s.Dir.JournalStore(), *w.open, s.Now))
	}
	m, err := s.newMove(hard, engine, t)
	if err != nil {
		return MoveResult{}, err
	}
	m.journal = journal.Continue(s.Dir.JournalStore(), *w.open, s.Now)
	end := m.keepLog(operation)
	result, err = do(m, *w.open)
	return result, end(err)
}

// checkReopen refuses where nothing can be gone on with.
func (w world) checkReopen(operation string) error {
	switch {
	case w.open == nil && !w.installed:
		return w.checkMovable(operation)
	case w.open == nil:
		return fault.New(fault.Refused, fmt.Errorf("nothing was interrupted in %s", w.dir), "")
	case len(w.open.Ticket) == 0: // of an init, which goes on by itself
		return w.checkJournal(operation)
	}
	return nil
}

// goOn carries out what is left of the plan.
func (m *move) goOn(ctx context.Context, record journal.Record) (MoveResult, error) {
	placed := record.Finished(placing)
	if !placed {
		if err := m.checkEdited(); err != nil {
			return MoveResult{}, err
		}
	}
	if err := m.ready(ctx); err != nil {
		return MoveResult{}, err
	}
	if placed {
		if err := m.standAt(m.To); err != nil {
			return MoveResult{}, err
		}
	}
	m.finished = func(step string) bool { return m.stillDone(record, step) }
	m.worked = true // the outage began before this run
	return m.carryOut(ctx, m.Now())
}

// checkEdited refuses to go on over files that were edited since the move was interrupted.
func (m *move) checkEdited() error {
	edited, err := m.edited()
	if err != nil {
		return err
	}
	problems := &fault.Problems{Code: fault.Refused}
	for _, name := range edited {
		problems.Add(fmt.Sprintf("%s was edited since %s was interrupted, which would overwrite that", name, m.moving()),
			fmt.Sprintf("keep your version under another name and put back what was there: cp %s %s; or go back with: syncmaster-setup abort --dir %s",
				filepath.Join(m.Dir.GenerationPath(m.From.Generation), name), m.Dir.File(name), m.dir))
	}
	return problems.Err()
}

// stillDone reports whether a step that is done need not be done again. Somebody may have started the stack meanwhile:
// what only makes sure that nothing writes is done again as long as database or files may still change, and a backup that
// is the only way back as long as the database was not touched: what was written since must be in it.
func (m *move) stillDone(record journal.Record, step string) bool {
	switch {
	case !record.Finished(step) || record.Finished(placing):
	case step == m.quietName(), step == stopping:
		return false
	case step == backingUp:
		return !m.Intact
	}
	return record.Finished(step)
}

// abandon takes everything back.
func (m *move) abandon(ctx context.Context) (MoveResult, error) {
	began := m.Now()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), backLimit)
	defer cancel()
	if err := m.goBack(ctx); err != nil {
		return MoveResult{}, fault.New(fault.NotUndone, fmt.Errorf("the way back from %s failed at: %w%s", m.moving(), m.told(err), m.missed(ctx)+m.unended()), m.abortHint(err))
	}
	result := m.done(began)
	result.Operation, result.To, result.Revision = "abort", m.From.State.Version, m.From.Revision
	result.From = m.To.State.Version
	return result, nil
}
