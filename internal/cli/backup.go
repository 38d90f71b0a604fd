package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/urfave/cli/v2"

	"syncmaster-setup/internal/backup"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/report"
	"syncmaster-setup/internal/setup"
)

func (p *program) backupCommand() *cli.Command {
	return &cli.Command{
		Name:            "backup",
		Usage:           "back up database and files, and restore them",
		HideHelpCommand: true,
		Subcommands:     []*cli.Command{p.backupCreate(), p.backupList(), p.backupVerify(), p.backupRestore()},
		Description: `Example: syncmaster-setup backup create

A backup is a folder in backups/ with a dump of the database, the files of the install and a manifest with the checksum
of each. It holds the encryption key and every password: keep it as safe as those.

` + exitCodes,
		OnUsageError: usageError,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return unknownCommand(c)
			}
			return cli.ShowSubcommandHelp(c)
		},
	}
}

func (p *program) backupCreate() *cli.Command {
	flags := append(p.sharedFlags(),
		&cli.IntFlag{Name: "keep", Usage: "remove older backups, but keep so many (default: keep all)"},
		&cli.StringFlag{Name: "keep-for", Usage: "remove backups that are older, like 90d or 12h (default: keep all)"})
	return command(&cli.Command{
		Name: "create", Usage: "back up while everything runs", Flags: flags,
		Action: func(c *cli.Context) error {
			if err := p.readShared(c); err != nil {
				return err
			}
			keep, err := readKeep(c)
			if err != nil {
				return err
			}
			s, done, err := p.setup(c.String("dir"))
			if err != nil {
				return err
			}
			result, err := s.Backup(c.Context, keep)
			done()
			if err != nil {
				return err
			}
			return p.printBackup(result)
		},
	}, `Example: syncmaster-setup backup create --keep 14 --keep-for 30d

Dumps the database with its own pg_dump while everything runs, keeps the files beside the dump and makes sure that both
can be read. With --keep or --keep-for, older backups are removed behind it; what either of the two keeps stays, and the
newest backup that is whole always does.`)
}

// readKeep reads how many backups stay.
func readKeep(c *cli.Context) (backup.Keep, error) {
	keep := backup.Keep{Count: c.Int("keep")}
	problems := &fault.Problems{Code: fault.BadInput}
	if c.IsSet("keep") && keep.Count < 1 {
		problems.Add(fmt.Sprintf("--keep %d: at least one backup stays", keep.Count), "give a number from 1 on")
	}
	if text := c.String("keep-for"); text != "" {
		var err error
		if keep.Age, err = readAge(text); err != nil {
			problems.Add("--keep-for "+text+" is no time", "write days like 90d, or hours like 12h")
		}
	}
	return keep, problems.Err()
}

// readAge reads a duration that may be in days.
func readAge(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 1 {
			return 0, errors.New("not a number of days")
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	age, err := time.ParseDuration(text)
	if err == nil && age <= 0 {
		err = errors.New("not a time")
	}
	return age, err
}

func (p *program) printBackup(r setup.BackupResult) error {
	if p.json {
		return printJSON(p.streams.Out, backupJSON{"ok", r})
	}
	text := fmt.Sprintf("Backed up SyncMaster %s, %s, in %.1f s.\n\n  backup     %s\n  folder     %s\n", r.Version, report.Bytes(r.Bytes()), r.Seconds, r.Name, r.Dir)
	if len(r.Removed) > 0 {
		text += "  removed    " + strings.Join(r.Removed, ", ") + "\n"
	}
	return p.print("%s\nIt holds the encryption key and every password: keep a copy on another machine, as safe as those.\n", text)
}

func (p *program) backupList() *cli.Command {
	return command(&cli.Command{
		Name: "list", Usage: "what backups there are, the newest first", Flags: p.sharedFlags(),
		Action: func(c *cli.Context) error {
			if err := p.readShared(c); err != nil {
				return err
			}
			s, done, err := p.setup(c.String("dir"))
			if err != nil {
				return err
			}
			list, err := s.Backups()
			done()
			if err != nil {
				return err
			}
			return p.printBackups(list, s.Dir.File("backups"))
		},
	}, `Example: syncmaster-setup backup list

Those whose manifest cannot be read come last, with the reason. No --keep removes them.`)
}

func (p *program) printBackups(l backup.Listing, folder string) error {
	if p.json {
		return printJSON(p.streams.Out, backupsJSON{"ok", append([]backup.Manifest{}, l.Backups...), append([]backup.Unreadable{}, l.Unreadable...)})
	}
	if len(l.Backups)+len(l.Unreadable) == 0 {
		return p.print("There is no backup in %s. Make one with: syncmaster-setup backup create\n", folder)
	}
	var b strings.Builder
	for _, m := range l.Backups {
		fmt.Fprintf(&b, "%-32s  %-8s  revision %s  %9s  %s\n", m.Name, m.Version, m.Revision, report.Bytes(m.Bytes()), m.Reason)
	}
	for _, u := range l.Unreadable {
		name := u.Name
		if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
			name = strconv.Quote(name)
		}
		fmt.Fprintf(&b, "%-32s  cannot be read: %s\n", name, u.Reason)
	}
	return p.print("%s", b.String())
}

func (p *program) backupVerify() *cli.Command {
	return p.onBackup(&cli.Command{Name: "verify", Usage: "read a whole backup and compare it with its checksums", Flags: p.sharedFlags()},
		`Example: syncmaster-setup backup verify 20261123T120000Z-upgrade

Without a name it is the newest one.`, exitCodes, func(c *cli.Context, name string) error {
			s, done, err := p.setup(c.String("dir"))
			if err != nil {
				return err
			}
			m, err := s.VerifyBackup(name)
			done()
			if err != nil {
				return err
			}
			if p.json {
				return printJSON(p.streams.Out, verifiedJSON{"ok", m})
			}
			return p.print("The backup %s is whole: SyncMaster %s, revision %s, %s.\n", m.Name, m.Version, m.Revision, report.Bytes(m.Bytes()))
		})
}

func (p *program) backupRestore() *cli.Command {
	flags := append(p.sharedFlags(), moveFlags()...)
	return p.onBackup(&cli.Command{Name: "restore", Usage: "bring back database, files and release of a backup", Flags: flags},
		`Example: syncmaster-setup backup restore 20261123T120000Z-upgrade

Into the install in the folder, after a backup of what is there now; or into a folder that holds nothing but
backups/, as on a new host: copy the folder of the backup there first. Without a name it is the newest one.
What was written since the backup is lost.`, moveCodes, func(c *cli.Context, name string) error {
			o, err := readMove(c)
			if err != nil {
				return err
			}
			return p.move(c, &o, func(ctx context.Context, s *setup.Setup) (setup.MoveResult, error) { return s.Restore(ctx, name, o) })
		})
}

// onBackup is a command that takes the name of a backup.
func (p *program) onBackup(c *cli.Command, description, codes string, run func(*cli.Context, string) error) *cli.Command {
	c.ArgsUsage = "[NAME]"
	c.Description = description + "\n\n" + codes
	c.OnUsageError = usageError
	c.Action = func(ctx *cli.Context) error {
		if err := p.readShared(ctx); err != nil {
			return err
		}
		if err := misplacedOption(ctx, ctx.Args().Slice()); err != nil {
			return err
		}
		if ctx.Args().Len() > 1 {
			return fault.New(fault.BadInput, fmt.Errorf("%s takes one name, and %q is another one", c.Name, ctx.Args().Get(1)), "write options before the name")
		}
		name := ctx.Args().First()
		if name == "" {
			s, done, err := p.setup(ctx.String("dir"))
			if err != nil {
				return err
			}
			name, err = s.NewestBackup()
			done()
			if err != nil {
				return err
			}
		}
		return run(ctx, name)
	}
	return c
}
