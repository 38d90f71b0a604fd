package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/report"
	"syncmaster-setup/internal/setup"
)

// reporter chooses how progress is shown; done ends it.
func (p *program) reporter() (reporter report.Reporter, done func()) {
	nothing := func() {}
	switch {
	case p.json:
		return report.NewJSON(p.streams.Out), nothing
	case p.quiet:
		return report.Discard{}, nothing
	case p.verbose:
		return report.NewVerbose(p.streams.Err), nothing
	case redraws(p.streams.Err):
		t := report.NewTerminal(p.streams.Err, func() int { columns, _ := terminalSize(p.streams.Err); return columns }, !p.noColor)
		return t, t.Close
	default:
		return report.NewPlain(p.streams.Err), nothing
	}
}

// printInit writes the result of init: where everything is, and what to do next.
func (p *program) printInit(r setup.Result) error {
	if p.json {
		return printJSON(p.streams.Out, initJSON{"ok", r})
	}
	if r.Plan != "" {
		return p.print("This would be done in %s:\n\n%s\nNothing was changed.\n", r.Dir, hung(r.Plan, p.streams.Out))
	}
	var b strings.Builder
	if r.Changed {
		fmt.Fprintf(&b, "SyncMaster %s is running and healthy after %.1f s.\n\n", r.Version, r.Seconds)
	} else {
		fmt.Fprintf(&b, "SyncMaster %s is running and healthy; nothing had to be changed.\n\n", r.Version)
	}
	row := func(name, value, note string) {
		if value != "" {
			fmt.Fprintf(&b, "  %-10s %s%s\n", name, value, note)
		}
	}
	row("UI", r.UI, loginNote(r))
	row("API", r.API, "")
	row("database", r.Database, "  (this host only)")
	row("broker", r.Broker, "  (this host only)")
	row("running", strings.Join(r.Services, ", "), "")
	row("stopped", strings.Join(r.Stopped, ", "), "  (left as it was; start with: docker compose start)")
	row("folder", r.Dir, "")
	if r.NoWorker {
		b.WriteString("\nNo worker runs yet, since it has no queue to serve. Create a group and a queue in the UI, then type:\n" +
			"  syncmaster-setup init --queue SLUG    (the slug is shown with the queue, like 1-my_queue)\n")
	}
	b.WriteString("\nKeep a copy of .env and .env.docker from that folder in a safe place: without\n" +
		"the key in it, the credentials stored in the database cannot be read.\n")
	return p.print("%s", b.String())
}

func loginNote(r setup.Result) string {
	if r.Auth != "dummy" {
		return ""
	}
	if len(r.Superusers) == 0 {
		return "  (any name with any password)"
	}
	return fmt.Sprintf("  (log in as %s with any password)", strings.Join(r.Superusers, " or "))
}

func (p *program) print(format string, args ...any) error {
	if _, err := fmt.Fprintf(p.streams.Out, format, args...); err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	return nil
}

func printJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	return nil
}

// jsonError is the result object of a failure.
func jsonError(problems *fault.Problems) any {
	list := make([]problemJSON, len(problems.List))
	for i, f := range problems.List {
		list[i] = problemJSON(f)
	}
	return errorJSON{"error", problems.Code, list}
}
