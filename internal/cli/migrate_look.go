package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"syncmaster-setup/internal/database"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/report"
	"syncmaster-setup/internal/setup"
)

func (p *program) currentCommand() *cli.Command {
	return p.migration(&cli.Command{
		Name:  "current",
		Usage: "show the revision that the database is at",
		Flags: p.schemaFlags(),
	}, "", func(c *cli.Context, _ string) error { return p.runCurrent(c) },
		"Example: syncmaster-setup migrate current --verbose\n\nbase is a database without a revision. --verbose tells the database, its server and whether the schema differs, too.\n\n"+migrateDatabase)
}

func (p *program) runCurrent(c *cli.Context) error {
	var s *schema
	var drift *database.Drift
	var id string
	err := p.onSchema(c, setup.SchemaOptions{}, func(open *schema) (err error) {
		s = open
		if id, err = s.facts.Revision(); err != nil || (!p.json && !c.Bool("verbose")) {
			return err
		}
		found, err := s.db.Check(c.Context)
		drift = &found
		return err
	})
	if err != nil {
		return err
	}
	revision, _ := revisionByID(id)
	version := fmt.Sprintf("%d.%d", s.facts.ServerVersion/10000, s.facts.ServerVersion%10000)
	if p.json {
		return printJSON(p.streams.Out, currentJSON{"ok", shown(id), revision.Name, s.head(), id == s.head(), s.at.String(), version, differs(*drift)})
	}
	line := shown(id)
	if id == s.head() {
		line += " (" + s.headNote() + ")"
	}
	if drift == nil {
		return p.print("%s\n", line)
	}
	text := "no"
	if differs(*drift) {
		text = "yes: syncmaster-setup migrate check tells"
	}
	return p.print("%s\n  database  %s\n  server    PostgreSQL %s\n  name      %s\n  head      %s\n  drift     %s\n",
		line, s.at, version, orNone(revision.Name), s.head(), text)
}

func (p *program) historyCommand() *cli.Command {
	return p.migration(&cli.Command{
		Name:  "history",
		Usage: "list the revisions, the newest first, and which one is current",
		Flags: p.schemaFlags(),
	}, "", func(c *cli.Context, _ string) error { return p.runHistory(c) },
		"Example: syncmaster-setup migrate history\n\nNeeds no database; where one is given, its revision is marked.\n\n"+migrateDatabase)
}

func (p *program) runHistory(c *cli.Context) error {
	current, head, err := p.currentIfKnown(c)
	if err != nil {
		return err
	}
	list := database.Revisions()
	for i, r := range slices.Backward(list) {
		parent := "<base>"
		if i > 0 {
			parent = list[i-1].ID
		}
		if p.json {
			err = printJSON(p.streams.Out, revisionJSON{r.ID, parent, r.Name, r.Since, r.ID == head, r.ID == current})
		} else {
			err = p.print("%s -> %s%s, %s, SyncMaster %s\n", parent, r.ID, marks(r.ID == head, r.ID == current), r.Name, r.Since)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// currentIfKnown returns the revision of the database, where one is given. That it cannot be had is worth a warning.
func (p *program) currentIfKnown(c *cli.Context) (current, head string, err error) {
	head = database.Head()
	url, err := namedURL(c)
	if err != nil {
		return "", head, err
	}
	s, done, err := p.setup(c.String("dir"))
	if err != nil {
		return "", head, err
	}
	defer done()
	if _, installed, err := s.Dir.State(); err != nil || (url.Empty() && !installed) {
		return "", head, err
	}
	err = p.onSchema(c, setup.SchemaOptions{}, func(open *schema) (err error) {
		head = open.head()
		current, err = open.facts.Revision()
		return err
	})
	if err != nil && fault.CodeOf(err) != fault.Interrupted {
		s.Report.Report(report.Event{Kind: report.Warning, Text: "which revision is current cannot be told: " + err.Error()})
		err = nil
	}
	return current, head, err
}

func (p *program) headsCommand() *cli.Command {
	return p.migration(&cli.Command{
		Name:  "heads",
		Usage: "show the newest revision known",
		Flags: p.sharedFlags(),
	}, "", func(*cli.Context, string) error {
		if p.json {
			return printJSON(p.streams.Out, headsJSON{"ok", []string{database.Head()}})
		}
		return p.print("%s (head)\n", database.Head())
	}, "Example: syncmaster-setup migrate heads\n\nNeeds no database.")
}

func (p *program) showCommand() *cli.Command {
	return p.migration(&cli.Command{
		Name:  "show",
		Usage: "show what a revision does",
		Flags: p.sharedFlags(),
	}, "REVISION", func(_ *cli.Context, word string) error { return p.runShow(word) },
		"Example: syncmaster-setup migrate show 0012\n\nNeeds no database. A revision is head, an id such as 0012, or a release such as 0.2.5.")
}

func (p *program) runShow(word string) error {
	id, err := revisionOf(word, database.Head())
	if err != nil {
		return err
	}
	revision, parent := revisionByID(id)
	if revision.ID == "" {
		return fault.New(fault.BadInput, fmt.Errorf("no revision %q", word), "list them: syncmaster-setup migrate history")
	}
	up, err := database.SQL(shown(parent), id)
	if err != nil {
		return err
	}
	down, err := database.SQL(id, shown(parent))
	if err != nil {
		return err
	}
	if p.json {
		return printJSON(p.streams.Out, shownJSON{"ok", id, shown(parent), revision.Name, revision.Since, up, down})
	}
	return p.print("Rev: %s%s\nParent: %s\nName: %s\nSince: SyncMaster %s\n\n-- Upgrade\n\n%s\n\n-- Downgrade\n\n%s\n",
		id, marks(id == database.Head(), false), strings.ReplaceAll(shown(parent), database.Base, "<base>"), revision.Name, revision.Since,
		strings.TrimSpace(up), strings.TrimSpace(down))
}

// revisionByID returns a revision and the one before it; the zero value where there is none.
func revisionByID(id string) (r database.Revision, parent string) {
	for _, r := range database.Revisions() {
		if r.ID == id {
			return r, parent
		}
		parent = r.ID
	}
	return database.Revision{}, ""
}

func marks(head, current bool) string {
	text := ""
	if head {
		text += " (head)"
	}
	if current {
		text += " (current)"
	}
	return text
}

// differs reports whether a schema has differences that matter.
func differs(d database.Drift) bool { return len(d.Unexplained()) > 0 || d.Known() != "" }

func orNone(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
