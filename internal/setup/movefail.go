package setup

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/report"
)

// back takes the move back after a failure, and says how that went.
func (m *move) back(ctx context.Context, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), backLimit)
	defer cancel()
	if m.hard.Err() != nil { // the engine's word for a call that was cut says nothing
		cause = fault.New(fault.Failed, fmt.Errorf("%w: %w", stepOf(cause), context.Cause(m.hard)), "type the same again when you want it")
	}
	shaken := m.shaken(ctx)
	if shaken.what != "" {
		hint := fault.HintOf(cause)
		if shaken.engine {
			hint = "find out why (`journalctl -u docker`), then type the same again"
		}
		cause = fault.New(fault.CodeOf(cause), fmt.Errorf("%w\nMeanwhile %s", cause, shaken.what), hint)
	}
	cause = m.told(cause)
	touched := m.journal.Begun(m.quietName())
	if touched {
		m.Report.Report(report.Event{Kind: report.Warning, Text: fmt.Sprintf("%s failed at: %s; it is taken back now", m.moving(), shortened(cause))})
	}
	hint := ""
	if m.Backup != "" {
		hint = "; the backup made before is in " + m.Dir.File(backups+"/"+m.Backup)
	}
	if err := m.goBack(ctx); err != nil {
		return fault.New(fault.NotUndone, fmt.Errorf("%s failed at: %w\nand the way back failed at: %w%s", m.moving(), cause, m.told(err), m.missed(ctx)+m.unended()), m.abortHint(err)+hint)
	}
	next := fault.HintOf(cause)
	if next == "" {
		next = "mend the cause, then type the same again"
	}
	return fault.New(fault.Undone, fmt.Errorf("%s failed at: %w\n%s", m.moving(), cause, m.asBefore(touched, shaken.what != "")+m.unended()), next+hint)
}

// abortHint says what to do before the way back is gone on with. PostgreSQL and the engine tell of two causes in words
// only, and among many.
func (m *move) abortHint(err error) string {
	mend := "mend the cause"
	switch {
	case strings.Contains(err.Error(), "No space left on device"):
		mend = "free disk space where the database keeps its data (`docker volume inspect`)"
	case strings.Contains(err.Error(), "port is already allocated"): // as an engine does that was killed while it started a container
		mend = "stop what holds the port; where `docker ps` and `ss -ltnp` show nothing, restart the Docker Engine"
	}
	return mend + ", then go on with the way back: syncmaster-setup abort --dir " + m.dir
}

// shortened is an error without what is told at the end.
func shortened(err error) string {
	text, _, _ := strings.Cut(err.Error(), lastLinesMark)
	text, _, _ = strings.Cut(text, "\n")
	return text
}

// asBefore says what a failed move has left.
func (m *move) asBefore(touched, shaken bool) string {
	switch {
	case !touched && shaken:
		return "The " + m.Operation + " had not touched the stack yet: " + m.From.name() + " runs and is healthy again."
	case !touched:
		return "Nothing of the stack was touched: " + m.From.name() + " is as it was."
	case len(m.Running) == 0:
		return "Everything was taken back: " + m.From.name() + " is as it was."
	}
	return "Everything was taken back: " + m.From.name() + " runs and is healthy."
}

// unended names the transfers that were cut, and those that no worker knew of before.
func (t ticket) unended() string {
	text := ""
	for _, c := range t.Cut {
		text += "\nCut: " + c.CutText()
	}
	for _, c := range t.Stranded {
		text += "\nStranded: " + c.StrandedText()
	}
	return text
}

// missed names the services that ran before and do not now.
func (m *move) missed(ctx context.Context) string {
	now, err := m.engine.Observe(ctx, m.options.Project, nil)
	if err != nil {
		return "" // the error that is told has the cause
	}
	missing := slices.DeleteFunc(slices.Clone(m.Running), func(service string) bool {
		c, exists := now.Container(service)
		return exists && c.Alive()
	})
	if len(missing) == 0 {
		return ""
	}
	return "\nStopped at the moment: " + strings.Join(missing, ", ")
}
