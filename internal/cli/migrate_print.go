package cli

import (
	"fmt"
	"strings"

	"syncmaster-setup/internal/database"
)

// tableJSON is a table of a plan.
type tableJSON struct {
	Name  string `json:"table"`
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"bytes"`
}

type planStepJSON struct {
	Revision  string      `json:"revision"`
	Name      string      `json:"name"`
	Direction string      `json:"direction"`
	Rewrites  []tableJSON `json:"rewrites,omitempty"`
	Deletes   []tableJSON `json:"deletes,omitempty"`
}

// printPlan writes what would be done.
func (p *program) printPlan(m *migrationRun) error {
	if p.json {
		return p.printPlanJSON(m)
	}
	plan := m.plan
	if len(plan.Steps) == 0 {
		return p.print("%s is at revision %s; nothing would be done.\n", m.at, shown(plan.To))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "This would be done in %s, from %s to %s:\n\n", m.at, shown(plan.From), shown(plan.To))
	for i, s := range plan.Steps {
		fmt.Fprintf(&b, "%3d. %s\n", i+1, strings.Split(stepText(s), ",")[0])
		for _, t := range s.Rewrites {
			fmt.Fprintf(&b, "       rewrites %s: about %s, %s\n", t.Name, rows(t.Rows), size(t.Bytes))
		}
		for _, t := range s.Drops {
			fmt.Fprintf(&b, "       deletes %s: %s, %s\n", t.Name, rows(t.Rows), size(t.Bytes))
		}
	}
	if need := plan.Bytes(); need > 0 {
		fmt.Fprintf(&b, "\nDisk space needed meanwhile: %s, and up to %s for WAL%s.\n", size(need), size(plan.WAL()), m.freeNote())
	}
	if m.backsUp() {
		b.WriteString("\nBefore rows are deleted, a backup would be taken.\n")
	}
	if known := plan.Drift.Known(); known != "" {
		fmt.Fprintf(&b, "\nThe database was %s: syncmaster-setup migrate repair mends what differs.\n", known)
	}
	if len(m.way) > 0 {
		b.WriteString("\nIn the way now:\n")
		for _, problem := range m.way {
			fmt.Fprintf(&b, "  %s\n", problem.What)
			if problem.Hint != "" {
				fmt.Fprintf(&b, "      %s\n", problem.Hint)
			}
		}
	}
	b.WriteString("\nNothing was changed.\n")
	return p.print("%s", b.String())
}

// freeNote says what is free on the disk of the database, where that is known.
func (m *migrationRun) freeNote() string {
	if m.free() == 0 {
		return ""
	}
	return "; " + size(m.free()) + " are free"
}

func (p *program) printPlanJSON(m *migrationRun) error {
	list := []planStepJSON{}
	for _, s := range m.plan.Steps {
		list = append(list, planStepJSON{s.Revision.ID, s.Revision.Name, directionWord(s.Up), tablesJSON(s.Rewrites), tablesJSON(s.Drops)})
	}
	var way []string
	for _, problem := range m.way {
		way = append(way, problem.What)
	}
	return printJSON(p.streams.Out, migrationPlanJSON{"ok", true, m.at.String(), shown(m.plan.From), shown(m.plan.To), list, m.plan.Bytes(), m.plan.WAL(), m.free(), m.backsUp(), way, m.plan.Drift.Known()})
}

// printMigrated writes the result of a run.
func (p *program) printMigrated(m *migrationRun) error {
	r := m.result
	if p.json {
		return p.printMigratedJSON(m)
	}
	var b strings.Builder
	if n := len(r.Applied); n == 0 {
		fmt.Fprintf(&b, "%s is at revision %s; nothing had to be done.\n", m.at, shown(r.To))
	} else {
		var written int64
		for _, a := range r.Applied {
			written += a.Rows
		}
		fmt.Fprintf(&b, "%s -> %s, %d revision%s", shown(r.From), shown(r.To), n, plural(n))
		if written > 0 {
			fmt.Fprintf(&b, ", about %s rewritten", rows(written))
		}
		fmt.Fprintf(&b, ", %.1fs, in %s\n", r.Took.Seconds(), m.at)
	}
	fmt.Fprintln(&b, verdict(r.Drift))
	if m.backup.Name != "" {
		fmt.Fprintf(&b, "The deleted rows are in the backup %s\nThey come back with: %s\n", m.backup.Dir, m.restoreHint())
	}
	for _, w := range m.vacuum {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	return p.print("%s", b.String())
}

func (p *program) printMigratedJSON(m *migrationRun) error {
	list := []appliedJSON{}
	for _, a := range m.result.Applied {
		list = append(list, appliedJSON{a.Revision(), directionWord(a.Up()), a.Rows, a.Took.Seconds()})
	}
	return printJSON(p.streams.Out, migratedJSON{"ok", m.at.String(), shown(m.result.From), shown(m.result.To), list, m.result.Took.Seconds(), m.backup.Dir, m.result.Drift.Known(), m.vacuum})
}

// verdict says in one line how the schema compares with its revision.
func verdict(d database.Drift) string {
	switch {
	case d.Known() != "":
		return "The database was " + d.Known() + ", and its schema differs for that reason: syncmaster-setup migrate repair"
	case d.Equal:
		return "The schema is exactly that of revision " + shown(d.Revision) + "."
	case len(d.Differences) > 0:
		return fmt.Sprintf("The schema is that of revision %s, with additions of its own: syncmaster-setup migrate check", shown(d.Revision))
	}
	return "The schema is that of revision " + shown(d.Revision) + "."
}

func tablesJSON(list []database.TableFacts) []tableJSON {
	var out []tableJSON
	for _, t := range list {
		out = append(out, tableJSON{t.Name, t.Rows, t.Bytes})
	}
	return out
}

func directionWord(up bool) string {
	if up {
		return "up"
	}
	return "down"
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}
