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
		return fault.New(fault.NotUndone, fmt.Errorf("%s failed at: %w\nand the way back failed at: %w%s", m.moving(), cause, m.told(err), m.missed(ctx)), m.abortHint()+hint)
	}
	next := fault.HintOf(cause)
	if next == "" {
		next = "mend the cause, then type the same again"
	}
	return fault.New(fault.Undone, fmt.Errorf("%s failed at: %w\n%s", m.moving(), cause, m.asBefore(touched)), next+hint)
}

func (m *move) abortHint() string {
	return "mend the cause, then go on with the way back: syncmaster-setup abort --dir " + m.dir
}

// shortened is an error without what is told at the end.
func shortened(err error) string {
	text, _, _ := strings.Cut(err.Error(), lastLinesMark)
	text, _, _ = strings.Cut(text, "\n")
	return text
}

// asBefore says what a failed move has left.
func (m *move) asBefore(touched bool) string {
	switch {
	case !touched:
		return "Nothing of the stack was touched: " + m.From.name() + " is as it was."
	case len(m.Running) == 0:
		return "Everything was taken back: " + m.From.name() + " is as it was."
	}
	return "Everything was taken back: " + m.From.name() + " runs and is healthy."
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
