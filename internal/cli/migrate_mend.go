package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"syncmaster-setup/internal/database"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/report"
	"syncmaster-setup/internal/setup"
)

// differenceJSON is one line of check and stamp.
type differenceJSON struct {
	Event    string `json:"event"`
	Kind     string `json:"kind"`
	Name     string `json:"name"`
	What     string `json:"what"`
	SQL      string `json:"sql"`
	Addition bool   `json:"addition,omitempty"`
	Known    string `json:"known_drift,omitempty"`
}

func (p *program) checkCommand() *cli.Command {
	return p.migration(&cli.Command{
		Name:  "check",
		Usage: "compare the schema with its revision",
		Flags: p.schemaFlags(),
	}, "", func(c *cli.Context, _ string) error { return p.runCheck(c) },
		`Example: syncmaster-setup migrate check

Every difference is told in words, with the SQL that would mend it; nothing is run. Additions, such as an index of
your own, are listed and are no difference.

`+migrateDatabase)
}

func (p *program) runCheck(c *cli.Context) error {
	var drift database.Drift
	err := p.onSchema(c, setup.SchemaOptions{}, func(s *schema) (err error) {
		drift, err = s.db.Check(c.Context)
		return err
	})
	if err != nil {
		return err
	}
	if err := p.printDifferences(drift); err != nil {
		return err
	}
	if !differs(drift) {
		return p.printSame(drift)
	}
	hint := "nothing was run; after a backup, run the SQL that you agree with"
	if len(drift.Unexplained()) == 0 {
		hint = "it was " + drift.Known() + ": syncmaster-setup migrate repair"
	}
	return fault.New(fault.Failed, fmt.Errorf("the schema is not that of revision %s", shown(drift.Revision)), hint)
}

func (p *program) printSame(d database.Drift) error {
	if p.json {
		return printJSON(p.streams.Out, checkedJSON{"ok", shown(d.Revision), d.Equal})
	}
	if d.Equal {
		return p.print("The schema is exactly that of revision %s.\n", shown(d.Revision))
	}
	return p.print("The schema is that of revision %s.\n", shown(d.Revision))
}

// printDifferences lists a drift: in words, and the SQL below.
func (p *program) printDifferences(d database.Drift) error {
	for _, x := range d.Differences {
		known := ""
		if x.Known {
			known = database.KnownDrift
		}
		if p.json {
			if err := printJSON(p.streams.Out, differenceJSON{"difference", x.Kind, x.Name, x.Words, x.SQL, x.Extra, known}); err != nil {
				return err
			}
			continue
		}
		note := known
		if x.Extra {
			note = "an addition, which does no harm"
		}
		if note != "" {
			note = " (" + note + ")"
		}
		text := x.Words + note + "\n"
		if !x.Extra { // nobody should drop it for our sake
			text += "    " + strings.ReplaceAll(strings.TrimSpace(x.SQL), "\n", "\n    ") + "\n"
		}
		if err := p.print("%s", text); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) stampCommand() *cli.Command {
	return p.migration(&cli.Command{
		Name:  "stamp",
		Usage: "write a revision into alembic_version and run nothing",
		Flags: p.schemaFlags(&cli.BoolFlag{Name: "force", Usage: "also where the schema is not that of the revision"}),
	}, "REVISION", func(c *cli.Context, word string) error { return p.runStamp(c, word) },
		`Example: syncmaster-setup migrate stamp 0012

Done only where the catalogue proves that the schema is that of the revision; --force shows what differs and does it
all the same. `+migrateRevision+"\n\n"+migrateDatabase)
}

func (p *program) runStamp(c *cli.Context, word string) error {
	if strings.HasPrefix(word, "+") || strings.HasPrefix(word, "-") {
		return fault.New(fault.BadInput, fmt.Errorf("stamp %s: a stamp is no step", word), "name the revision that the schema is at")
	}
	var drift database.Drift
	var before []string
	err := p.onSchema(c, setup.SchemaOptions{Change: true}, func(s *schema) error {
		to, err := revisionOf(word, s.head())
		if err != nil {
			return err
		}
		before = s.facts.Revisions
		drift, err = s.db.Stamp(c.Context, to, c.Bool("force"), newSteps(s.report, database.Plan{}).show)
		return stampError(err)
	})
	if err != nil {
		return err
	}
	if err := p.printDifferences(drift); err != nil {
		return err
	}
	was := shown(strings.Join(before, ", "))
	if p.json {
		return printJSON(p.streams.Out, stampedJSON{"ok", was, shown(drift.Revision), differs(drift)})
	}
	return p.print("alembic_version: %s -> %s; nothing else was changed.\n", was, shown(drift.Revision))
}

// stampError tells each difference as a finding of its own.
func stampError(err error) error {
	var drift *database.DriftError
	if !errors.As(err, &drift) {
		return err
	}
	problems := &fault.Problems{Code: fault.Refused}
	problems.Add("the schema is not that of revision "+shown(drift.Drift.Revision), fault.HintOf(err))
	for _, d := range drift.Drift.Unexplained() {
		problems.Add(d.Words, "")
	}
	return problems
}

func (p *program) repairCommand() *cli.Command {
	return p.migration(&cli.Command{
		Name:  "repair",
		Usage: "mend what SyncMaster 0.2.0 and 0.2.1 have made differently",
		Flags: p.schemaFlags(&cli.BoolFlag{Name: "running", Usage: "go on while server, scheduler, worker or others are connected"}),
	}, "", func(c *cli.Context, _ string) error { return p.runRepair(c) },
		`Example: syncmaster-setup migrate repair

A database that SyncMaster 0.2.0 or 0.2.1 created has connection.type varchar(23) instead of 32 and group.name
varchar(256) instead of 128. Names that would not fit are listed, and nothing is done. Other differences are left
alone: see migrate check.

`+migrateDatabase)
}

func (p *program) runRepair(c *cli.Context) error {
	var statements, warnings []string
	var left database.Drift
	err := p.onSchema(c, setup.SchemaOptions{Change: true, WithServices: !c.Bool("running")}, func(s *schema) error {
		found, err := s.db.Check(c.Context)
		if left = found; err != nil || found.Known() == "" {
			return err
		}
		if way := s.inTheWay(); len(way) > 0 && !c.Bool("running") {
			return &fault.Problems{Code: fault.Refused, List: way}
		}
		if statements, err = s.db.Repair(c.Context, newSteps(s.report, database.Plan{}).show); err != nil {
			return err
		}
		if group, _ := s.facts.Table("group"); group.Heap > 0 && strings.Contains(strings.Join(statements, ""), `"group"`) {
			warnings = vacuum(c.Context, s, []database.TableFacts{group})
		}
		left, err = s.db.Check(c.Context)
		return err
	})
	if err != nil {
		return err
	}
	reporter, done := p.reporter()
	for _, w := range warnings {
		reporter.Report(report.Event{Kind: report.Warning, Text: w})
	}
	if n := len(left.Unexplained()); n > 0 {
		reporter.Report(report.Event{Kind: report.Warning, Text: fmt.Sprintf("%d other difference%s left alone: syncmaster-setup migrate check", n, plural(n))})
	}
	done()
	return p.printRepair(left, statements)
}

func (p *program) printRepair(left database.Drift, statements []string) error {
	if p.json {
		if statements == nil {
			statements = []string{}
		}
		return printJSON(p.streams.Out, repairedJSON{"ok", shown(left.Revision), statements, len(left.Unexplained())})
	}
	if len(statements) == 0 {
		return p.print("Nothing that SyncMaster 0.2.0 or 0.2.1 made differently was found; nothing was changed.\n")
	}
	return p.print("Mended at revision %s:\n    %s\n", shown(left.Revision), strings.Join(statements, "\n    "))
}
