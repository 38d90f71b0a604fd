package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"syncmaster-setup/internal/envfile"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/report"
	"syncmaster-setup/internal/setup"
)

const moveCodes = `EXIT STATUS:
   0    done, everything that ran before is healthy
   1    failed
   3    bad input, nothing was changed
   4    refused, nothing was changed
   5    failed and taken back: the release from before runs
   6    failed and not taken back completely: see what is said, then abort
   11   another run is at work in the folder
   130  interrupted: resume or abort`

// moveFlags are those of every command that moves an install.
func moveFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "yes", Usage: "ask nothing"},
		&cli.BoolFlag{Name: "dry-run", Usage: "show the plan and change nothing"},
		&cli.DurationFlag{Name: "drain", Usage: "how long running transfers may take to end; 0 cuts them", Value: 10 * time.Minute},
		&cli.BoolFlag{Name: "drain-or-abort", Usage: "go back where they have not ended by then"},
		&cli.DurationFlag{Name: "wait-timeout", Usage: "how long to wait for one service", Value: 5 * time.Minute},
	}
}

func noBackupFlag() cli.Flag {
	return &cli.BoolFlag{Name: "no-backup", Usage: "make no backup before; what goes wrong with the data stays wrong"}
}

func (p *program) upgradeInstallCommand() *cli.Command {
	flags := append(p.sharedFlags(), &cli.StringFlag{Name: "to", Usage: "release of SyncMaster (default: the newest known)"})
	flags = append(flags, moveFlags()...)
	flags = append(flags, noBackupFlag(),
		&cli.StringSliceFlag{Name: "ours", Usage: "keep your value of a variable that the release changes, too"},
		&cli.StringSliceFlag{Name: "theirs", Usage: "take the release's value of a variable that you have changed"},
		&cli.BoolFlag{Name: "keep-compose", Usage: "keep a docker-compose.yml that was edited by hand, where it still fits"},
		&cli.StringFlag{Name: "plan-out", Usage: "write the plan to a file and change nothing"},
		&cli.StringFlag{Name: "plan", Usage: "do exactly what the plan in a file says, or refuse"},
	)
	return moveCommand(&cli.Command{
		Name:   "upgrade",
		Usage:  "a newer release, and back to the old one where anything goes wrong",
		Flags:  flags,
		Action: p.runUpgrade,
	}, `Example: syncmaster-setup upgrade --to 0.3.2 --dry-run

Looks at everything first and shows the plan: images, settings, files, revisions, running transfers, the expected
outage and the way back. Then it pulls, makes a backup, stops the scheduler, lets running transfers end, migrates,
replaces the containers and returns when everything that ran before is healthy. The server answers until it has to be
replaced. Whatever fails on the way is taken back. Ctrl-C ends it behind the step at work; a second one takes back.`)
}

// moveCommand is a command with the exit codes of a move.
func moveCommand(c *cli.Command, description string) *cli.Command {
	made := command(c, "")
	made.Description = description + "\n\n" + moveCodes
	return made
}

func (p *program) runUpgrade(c *cli.Context) error {
	if err := p.readShared(c); err != nil {
		return err
	}
	o := setup.UpgradeOptions{To: c.String("to"), KeepCompose: c.Bool("keep-compose")}
	var err error
	if o.MoveOptions, err = readMove(c); err != nil {
		return err
	}
	if o.Prefer, err = readSides(c); err != nil {
		return err
	}
	if err := followPlan(c, &o); err != nil {
		return err
	}
	out := c.String("plan-out")
	o.DryRun = o.DryRun || out != ""
	return p.move(c, &o.MoveOptions, func(ctx context.Context, s *setup.Setup) (setup.MoveResult, error) {
		result, err := s.Upgrade(ctx, o)
		if err == nil && out != "" && result.Plan != nil {
			err = writePlan(out, *result.Plan)
		}
		return result, err
	})
}

// followPlan takes everything that is decided from the plan, where there is one.
func followPlan(c *cli.Context, o *setup.UpgradeOptions) error {
	plan, err := readPlan(c.String("plan"))
	if plan == nil || err != nil {
		return err
	}
	problems := &fault.Problems{Code: fault.BadInput}
	if o.To != "" && o.To != plan.To {
		problems.Add(fmt.Sprintf("--to %s: the plan is for release %s", o.To, plan.To), "leave out one of the two")
	}
	for _, name := range []string{"ours", "theirs", "keep-compose", "no-backup", "drain", "drain-or-abort"} {
		if c.IsSet(name) {
			problems.Add("--"+name+": this is decided by the plan that --plan names", "leave it out, or make a new plan with --plan-out")
		}
	}
	o.Follow(plan)
	return problems.Err()
}

// move runs an operation with both ways to interrupt it, and prints its result.
func (p *program) move(c *cli.Context, o *setup.MoveOptions, run func(context.Context, *setup.Setup) (setup.MoveResult, error)) error {
	s, done, err := p.setup(c.String("dir"))
	if err != nil {
		return err
	}
	hard, stop := p.secondSignal(c.Context, s.Report)
	defer stop()
	if o != nil {
		o.Hard = hard
		if p.interactive() && !c.Bool("yes") && !o.DryRun {
			o.Confirm = func(plan setup.MovePlan) (bool, error) { return p.confirm(c.Context, plan.Text(time.Now())) }
		}
	}
	result, err := run(c.Context, s)
	done()
	if err != nil {
		return err
	}
	return p.printMove(result)
}

// secondSignal returns a context that ends at the second Ctrl-C or SIGTERM; the first one ends ctx only, and is reported.
func (p *program) secondSignal(ctx context.Context, reporter report.Reporter) (context.Context, func()) {
	hard, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ended := make(chan struct{})
	go func() {
		for n := 1; ; n++ {
			select {
			case <-ended:
				return
			case <-signals:
				switch {
				case n > 1:
					cancel(errTakenBack)
				case !p.asking.Load(): // otherwise no step is at work
					p.say(reporter, "interrupted: the step at work comes to its end; Ctrl-C again takes all back")
				}
			}
		}
	}()
	return hard, func() {
		signal.Stop(signals)
		close(ended)
		cancel(nil)
	}
}

// say reports a warning in the midst of the progress; --quiet, which has none, says it all the same.
func (p *program) say(reporter report.Reporter, text string) {
	if p.quiet {
		p.errorf("warning: %s\n", text)
		return
	}
	reporter.Report(report.Event{Kind: report.Warning, Text: text})
}

var errTakenBack = errors.New("ended by a second Ctrl-C")

func readMove(c *cli.Context) (setup.MoveOptions, error) {
	o := setup.MoveOptions{Drain: c.Duration("drain"), DrainOrAbort: c.Bool("drain-or-abort"), NoBackup: c.Bool("no-backup"), DryRun: c.Bool("dry-run")}
	problems := &fault.Problems{Code: fault.BadInput}
	var err error
	o.Limit, err = readLimit(c)
	problems.Merge(err)
	if o.Drain < 0 {
		problems.Add(fmt.Sprintf("--drain %s is less than nothing", o.Drain), "0 cuts running transfers, 10m gives them ten minutes")
	}
	if o.Drain == 0 && o.DrainOrAbort {
		problems.Add("--drain-or-abort makes no sense with --drain 0", "give transfers a time, like --drain 10m")
	}
	return o, problems.Err()
}

func readSides(c *cli.Context) (map[string]envfile.Side, error) {
	sides := map[string]envfile.Side{}
	for _, name := range names(c, "ours") {
		sides[name] = envfile.Ours
	}
	for _, name := range names(c, "theirs") {
		if sides[name] == envfile.Ours {
			return nil, fault.New(fault.BadInput, fmt.Errorf("%s is named with --ours and with --theirs", name), "leave out one of the two")
		}
		sides[name] = envfile.Theirs
	}
	return sides, nil
}

// readPlan reads what --plan-out has written; no path gives no plan.
func readPlan(path string) (*setup.MovePlan, error) {
	if path == "" {
		return nil, nil //nolint:nilnil // no plan is asked for
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.New(fault.BadInput, fmt.Errorf("--plan: %w", err), "")
	}
	var plan setup.MovePlan
	if err := json.Unmarshal(data, &plan); err != nil || plan.Operation == "" || plan.World == nil {
		return nil, fault.New(fault.BadInput, fmt.Errorf("--plan: %s is no plan of this program", path), "make one with --plan-out")
	}
	return &plan, nil
}

func writePlan(path string, plan setup.MovePlan) error {
	data, err := json.MarshalIndent(plan, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the plan: %w", err)
	}
	if err := os.WriteFile(path, append(data, '\n'), 0o600); err != nil {
		return fault.New(fault.BadInput, fmt.Errorf("--plan-out: %w", err), "")
	}
	return nil
}

func (p *program) rollbackCommand() *cli.Command {
	flags := append(p.sharedFlags(), moveFlags()...)
	flags = append(flags, noBackupFlag(),
		&cli.BoolFlag{Name: "lose-newer-data", Usage: "go on where what was written since the upgrade is lost"})
	return moveCommand(&cli.Command{
		Name:  "rollback",
		Usage: "return to what was installed before the last upgrade",
		Flags: flags,
		Action: func(c *cli.Context) error {
			if err := p.readShared(c); err != nil {
				return err
			}
			moves, err := readMove(c)
			if err != nil {
				return err
			}
			o := setup.RollbackOptions{MoveOptions: moves, LoseNewer: c.Bool("lose-newer-data")}
			return p.move(c, &o.MoveOptions, func(ctx context.Context, s *setup.Setup) (setup.MoveResult, error) { return s.Rollback(ctx, o) })
		},
	}, `Example: syncmaster-setup rollback --dry-run

Brings back the release, the files and the revision from before the last upgrade. Where the revisions can be taken back
without loss, everything that was written since stays; otherwise the backup of that time takes its place, and what was
written since is counted and asked for.`)
}

func (p *program) resumeCommand() *cli.Command {
	return p.reopenCommand("resume", "go on with an operation that was interrupted", `Example: syncmaster-setup resume

Goes on where an upgrade, a rollback or a restore was interrupted by Ctrl-C, by kill -9 or by a reboot: forward, or on
the way back where that had begun.`, (*setup.Setup).Resume)
}

func (p *program) abortCommand() *cli.Command {
	return p.reopenCommand("abort", "take back an operation that was interrupted", `Example: syncmaster-setup abort

Takes back an upgrade, a rollback or a restore that was interrupted, and returns when what ran before is healthy.`, (*setup.Setup).Abort)
}

func (p *program) reopenCommand(name, usage, description string, run func(s *setup.Setup, ctx, hard context.Context) (setup.MoveResult, error)) *cli.Command {
	return moveCommand(&cli.Command{
		Name: name, Usage: usage, Flags: p.sharedFlags(),
		Action: func(c *cli.Context) error {
			if err := p.readShared(c); err != nil {
				return err
			}
			var o setup.MoveOptions
			o.DryRun = true // nothing is asked
			return p.move(c, &o, func(ctx context.Context, s *setup.Setup) (setup.MoveResult, error) { return run(s, ctx, o.Hard) })
		},
	}, description)
}

// printMove writes what an operation has come to.
func (p *program) printMove(r setup.MoveResult) error {
	if p.json {
		return printJSON(p.streams.Out, moveJSON{"ok", r})
	}
	var b strings.Builder
	switch {
	case r.Plan != nil:
		return p.print("This would be done in %s:\n\n%s\nNothing was changed.\n", r.Dir, hung(r.Plan.Text(time.Now()), p.streams.Out))
	case !r.Changed:
		return p.print("SyncMaster %s is installed in %s; nothing had to be changed.\n", r.To, r.Dir)
	case r.Operation == "abort":
		fmt.Fprintf(&b, "Everything was taken back: SyncMaster %s is as it was.\n\n", r.To)
	default:
		fmt.Fprintf(&b, "SyncMaster %s is running and healthy after %.1f s.\n\n", r.To, r.Seconds)
	}
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "  %-10s %s\n", name, value)
		}
	}
	if r.From != r.To && r.Operation != "abort" {
		row("before", r.From)
	}
	if r.Away != nil {
		row("outage", fmt.Sprintf("the server did not answer for %.1f s", *r.Away))
	}
	row("revision", r.Revision)
	row("running", strings.Join(r.Services, ", "))
	if len(r.Stopped) > 0 {
		row("stopped", strings.Join(r.Stopped, ", ")+"  (as before; start with: docker compose start)")
	}
	row("backup", r.Backup)
	for _, t := range r.Cut {
		row("cut", t.CutText())
	}
	for _, t := range r.Stranded {
		row("stranded", t.StrandedText())
	}
	if r.Operation == "upgrade" {
		b.WriteString("\nTo return to what was before: syncmaster-setup rollback\n")
	}
	return p.print("%s", b.String())
}
