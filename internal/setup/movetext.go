package setup

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/report"
)

// Text writes the plan for people.
func (p MovePlan) Text(now time.Time) string {
	var b strings.Builder
	switch {
	case p.From == "":
		fmt.Fprintf(&b, "release    %s\n", p.To)
	case len(p.Through) > 0:
		fmt.Fprintf(&b, "releases   %s → %s\n", p.From, strings.Join(p.Through, " → "))
	default:
		fmt.Fprintf(&b, "release    %s → %s\n", p.From, p.To)
	}
	for i, image := range p.Images {
		fmt.Fprintf(&b, "%-10s %s%s\n", first(i, "images"), image.Ref, image.note())
	}
	for i, s := range p.Settings {
		fmt.Fprintf(&b, "%-10s %s (%s, since %s)\n", first(i, "settings"), s.text(), s.Why, s.Release)
	}
	for i, r := range p.Revisions {
		fmt.Fprintf(&b, "%-10s revision %s, %s of about %d rows to rewrite, about %.1f s\n", first(i, "database"), r.ID, report.Bytes(r.Bytes), r.Rows, r.Seconds)
	}
	switch {
	case p.Database != "":
		fmt.Fprintf(&b, "%-10s %s\n", first(len(p.Revisions), "database"), p.Database)
	case len(p.Revisions) == 0:
		fmt.Fprintf(&b, "%-10s stays as it is\n", "database")
	}
	if p.Backup > 0 {
		fmt.Fprintf(&b, "%-10s up to %s\n", "backup", report.Bytes(p.Backup))
	} else {
		fmt.Fprintf(&b, "%-10s none\n", "backup")
	}
	for i, t := range p.Running {
		fmt.Fprintf(&b, "%-10s %s\n", first(i, "running"), t.describe(now))
	}
	if len(p.Stops) > 0 {
		fmt.Fprintf(&b, "%-10s %s; the server for about %.1f s\n", "stops", strings.Join(p.Stops, ", then "), p.Outage)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Files)) {
		fmt.Fprintf(&b, "\n%s:\n%s", name, indentLines(p.Files[name]))
	}
	b.WriteString("\nsteps:\n")
	for i, s := range p.Steps {
		fmt.Fprintf(&b, "%4d  %s\n", i+1, s)
	}
	if len(p.Back) == 0 {
		return b.String()
	}
	b.WriteString("\nif anything goes wrong, what was begun of this is taken back:\n")
	for _, s := range p.Back {
		fmt.Fprintf(&b, "      %s\n", s)
	}
	return b.String()
}

func (i PlannedImage) note() string {
	const shown = len("sha256:") + 12 // as docker prints it
	facts := []string{"to pull", "size unknown"}
	switch {
	case i.Present:
		facts = []string{"here", report.Bytes(i.Bytes)}
	case i.Download > 0:
		facts[1] = "at most " + report.Bytes(i.Download)
	}
	if len(i.Digest) > shown {
		facts = append(facts, i.Digest[:shown])
	}
	return "  (" + strings.Join(facts, ", ") + ")"
}

func (s PlannedSetting) text() string {
	value := ""
	if s.Value != "" {
		value = "=" + s.Value
	}
	switch s.Kind {
	case release.Renamed:
		return s.From + " becomes " + s.To + value
	case release.Dropped:
		return s.From + " is dropped"
	case release.Added:
		return s.To + value + " is added"
	case release.Changed:
		return s.To + " becomes" + strings.Replace(value, "=", " ", 1)
	}
	return s.To
}

// first is a heading on the first line of a block.
func first(i int, heading string) string {
	if i > 0 {
		return ""
	}
	return heading
}

func indentLines(text string) string { return indent(text) + "\n" }
