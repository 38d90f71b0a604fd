package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"syncmaster-setup/internal/database"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/report"
	"syncmaster-setup/internal/setup"
)

// direction is what tells upgrade from downgrade.
type direction struct {
	name, opposite string
	up             bool
}

var (
	upward   = direction{name: "upgrade", opposite: "downgrade", up: true}
	downward = direction{name: "downgrade", opposite: "upgrade"}
)

func (p *program) upgradeCommand() *cli.Command {
	return p.migration(&cli.Command{
		Name:  "upgrade",
		Usage: "bring the schema to a later revision",
		Flags: p.schemaFlags(runFlags()...),
	}, "[head|+N|REVISION|RELEASE]", func(c *cli.Context, word string) error {
		return p.runMigration(c, upward, word)
	}, `Example: syncmaster-setup migrate upgrade --dry-run

Each revision is one transaction together with its row in alembic_version; Alembic goes on from there at any time.
`+migrateRevision+` +N goes N revisions on. With --sql: TO from base, or FROM:TO;
FROM may be current, the revision that the database is at.

`+migrateDatabase)
}

func (p *program) downgradeCommand() *cli.Command {
	return p.migration(&cli.Command{
		Name:  "downgrade",
		Usage: "bring the schema back to an earlier revision",
		Flags: append(p.schemaFlags(runFlags()...), append(stepFlags(),
			&cli.BoolFlag{Name: "yes", Usage: "delete the rows that the earlier revision has no place for, unasked"},
			&cli.BoolFlag{Name: "no-backup", Usage: "take no backup before rows are deleted"})...),
	}, "-N|REVISION|RELEASE|base", func(c *cli.Context, word string) error {
		return p.runMigration(c, downward, word)
	}, `Example: syncmaster-setup migrate downgrade -1

Each revision is one transaction together with its row in alembic_version. Rows that would be lost are counted and
asked for, and a backup is taken first where the database is a container of the install.
`+migrateRevision+` -N goes N revisions back.
With --sql: FROM:TO; FROM may be current, the revision that the database is at.

`+migrateDatabase)
}

func runFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "sql", Usage: "print the SQL and run nothing"},
		&cli.BoolFlag{Name: "dry-run", Usage: "show the plan and change nothing"},
		&cli.BoolFlag{Name: "running", Usage: "go on while server, scheduler, worker or others are connected"},
	}
}

func (p *program) runMigration(c *cli.Context, d direction, word string) error {
	if c.Bool("sql") {
		return p.runSQL(c, d, word)
	}
	if strings.Contains(word, ":") {
		return fault.New(fault.BadInput, fmt.Errorf("%s: FROM:TO is for --sql", word), "the database knows where it is: give TO")
	}
	dry := c.Bool("dry-run")
	var m migrationRun
	err := p.onSchema(c, setup.SchemaOptions{Change: !dry, WithServices: dry || !c.Bool("running")}, func(s *schema) (err error) {
		m = migrationRun{schema: s, direction: d, noBackup: c.Bool("no-backup")}
		if err := m.prepare(p, c, word); err != nil || dry {
			return err
		}
		if err := m.confirm(c.Context, p, c.Bool("yes")); err != nil {
			return err
		}
		if err := m.keepRows(c.Context); err != nil {
			return err
		}
		return m.run(c)
	})
	if err != nil {
		return err
	}
	if dry {
		return p.printPlan(&m)
	}
	return p.printMigrated(&m)
}

// migrationRun is one upgrade or downgrade at work.
type migrationRun struct {
	*schema
	direction
	plan   database.Plan
	way    []fault.Problem // what is in the way of the plan's steps
	result database.Result
	vacuum []string // what went wrong with it; no harm is done

	noBackup bool
	backup   setup.BackupResult // that was made before rows are deleted
}

// prepare makes the plan, or returns everything that forbids it at once: what the database says, other programs, and the
// loss of rows that nobody has agreed to and nobody can be asked for. A dry run shows the latter two with the plan.
func (m *migrationRun) prepare(p *program, c *cli.Context, word string) error {
	if m.install != nil && m.install.Head == "" && (word == "" || word == "head" || word == "heads") {
		return fault.New(fault.Refused, fmt.Errorf("SyncMaster %s is migrated by its own image: its head is not known here", m.install.Version),
			fmt.Sprintf("type: syncmaster-setup init --dir %s; or name a revision", m.dir))
	}
	to, err := revisionOf(word, m.head())
	if err != nil {
		return err
	}
	problems := &fault.Problems{Code: fault.Refused}
	m.plan, err = m.db.PlanFrom(c.Context, m.facts, to)
	if err != nil && fault.CodeOf(err) != fault.Refused {
		return err
	}
	problems.Merge(err)
	m.checkPlan(problems)
	if err != nil || len(m.plan.Steps) > 0 {
		m.way = m.inTheWay()
	}
	if c.Bool("dry-run") && len(problems.List) == 0 {
		return nil
	}
	if !c.Bool("running") {
		problems.List = append(problems.List, m.way...)
	}
	if lost := lostRows(m.plan); !m.up && len(lost) > 0 && !c.Bool("yes") && !p.interactive() {
		problems.Add(fmt.Sprintf("going back to %s deletes rows that no upgrade brings back: %s", shown(m.plan.To), strings.Join(lost, ", ")),
			m.howToLose())
	}
	return problems.Err()
}

// checkPlan looks for what the plan itself does not know: where the user wanted to go, the installed release, the disk.
func (m *migrationRun) checkPlan(problems *fault.Problems) {
	from, to := m.plan.From, m.plan.To
	if (m.up && from > to) || (!m.up && from < to) {
		later, _ := revisionByID(max(from, to))
		problems.Add(fmt.Sprintf("the database is at revision %s: %s does not lead to %s (%s came with SyncMaster %s)",
			shown(from), m.name, shown(to), later.ID, later.Since), fmt.Sprintf("type: syncmaster-setup migrate %s %s", m.opposite, shown(to)))
	}
	if m.install != nil && m.install.Head != "" && m.up && to > m.install.Head {
		problems.Add(fmt.Sprintf("revision %s is later than SyncMaster %s, whose own migrations would fail on it", to, m.install.Version),
			fmt.Sprintf("its head is %s: type syncmaster-setup migrate upgrade", m.install.Head))
	}
	if need := m.plan.Disk(); m.free() > 0 && need > m.free() {
		problems.Add(fmt.Sprintf("rewriting the tables needs up to %s on the disk of the database (%s for their copies, %s for WAL), which has %s free",
			size(need), size(m.plan.Bytes()), size(m.plan.WAL()), size(m.free())), "free disk space first, for example with: docker image prune")
	}
}

// confirm asks for the loss of rows that nobody has agreed to yet.
func (m *migrationRun) confirm(ctx context.Context, p *program, yes bool) error {
	lost := lostRows(m.plan)
	if len(lost) == 0 || yes {
		return nil
	}
	p.errorf("Going back to %s deletes rows that no upgrade brings back:\n  %s\n", shown(m.plan.To), strings.Join(lost, "\n  "))
	if m.backsUp() {
		p.errorf("A backup is taken first.\n")
	}
	return p.confirmDelete(ctx)
}

// run carries the plan out and shows each revision.
func (m *migrationRun) run(c *cli.Context) (err error) {
	progress := newSteps(m.report, m.plan)
	progress.start()
	m.result, err = m.db.Migrate(c.Context, m.plan, progress.show)
	if err != nil {
		progress.failed()
		err = m.whereKept(partly(m.result, err))
	}
	began := time.Now()
	m.vacuum = vacuum(c.Context, m.schema, m.result.Rewritten)
	m.result.Took += time.Since(began)
	if err != nil { // with which nothing else is printed
		for _, w := range m.vacuum {
			m.report.Report(report.Event{Kind: report.Warning, Text: w})
		}
	}
	return err
}

// vacuum cleans up after rewritten tables, also those of a run that has failed later, and returns what went wrong with
// it; no harm is done. Whoever has interrupted the run does not wait for it.
func vacuum(ctx context.Context, s *schema, tables []database.TableFacts) []string {
	if len(tables) == 0 {
		return nil
	}
	if ctx.Err() != nil {
		var names []string
		for _, t := range tables {
			names = append(names, t.Name)
		}
		return []string{fmt.Sprintf("rewritten and not vacuumed: %s; until autovacuum comes, searches may be slow", strings.Join(names, ", "))}
	}
	if err := s.db.Vacuum(ctx, tables, newSteps(s.report, database.Plan{}).show); err != nil {
		return strings.Split(err.Error(), "\n")
	}
	return nil
}

// partly says beside an error what was committed before it.
func partly(r database.Result, err error) error {
	if len(r.Applied) == 0 {
		return err
	}
	var done []string
	for _, a := range r.Applied {
		done = append(done, a.Revision())
	}
	code := fault.CodeOf(err)
	if code == fault.Refused || code == fault.BadInput { // which would say that nothing was changed
		code = fault.Failed
	}
	return fault.New(code, fmt.Errorf("%w; committed before: %s; the database is at revision %s", err, strings.Join(done, ", "), shown(r.To)),
		fault.HintOf(err))
}

// lostRows names what the plan deletes, with exact counts.
func lostRows(plan database.Plan) []string {
	var lost []string
	for _, s := range plan.Steps {
		for _, t := range s.Drops {
			if t.Rows > 0 {
				lost = append(lost, fmt.Sprintf("%s (%s)", t.Name, rows(t.Rows)))
			}
		}
	}
	return lost
}
