package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/setup"
)

func (p *program) doctorCommand() *cli.Command {
	c := command(&cli.Command{
		Name:  "doctor",
		Usage: "look for everything that is known to go wrong, and say what to type",
		Flags: append(p.sharedFlags(),
			&cli.StringFlag{Name: "bundle", Usage: "also write an archive for support, without secrets, to this new file (.tar.gz)"},
			&cli.BoolFlag{Name: "all", Usage: "list the checks that pass, too"}),
		Action: func(c *cli.Context) error { return p.runDoctor(c) },
	}, "")
	c.Description = `Example: syncmaster-setup doctor --dir /srv/syncmaster

Checks host, folder, secrets, settings, database, broker and services, problems first, each with what to type next.
Nothing is changed. --bundle adds status, files, the last plan, the logs of the last runs and the last lines of every
container, without secrets.

` + fmt.Sprintf(lookExitCodes, "nothing fails; there may be warnings", "something fails")
	return c
}

func (p *program) runDoctor(c *cli.Context) error {
	if err := p.readShared(c); err != nil {
		return err
	}
	s, done, err := p.setup(c.String("dir"))
	if err != nil {
		return err
	}
	defer done()
	var checkup setup.Checkup
	path := c.String("bundle")
	if c.IsSet("bundle") {
		checkup, err = writeBundle(c.Context, s, path)
	} else {
		checkup, err = s.Doctor(c.Context)
	}
	if err != nil {
		return interrupted(c.Context, err)
	}
	if err := p.printCheckup(checkup, path, c.Bool("all") || p.verbose); err != nil {
		return err
	}
	if !checkup.Well {
		return silentEnd{fault.Failed}
	}
	return nil
}

// writeBundle makes a new file for its owner alone; a part of one does not stay.
func writeBundle(ctx context.Context, s *setup.Setup, path string) (checkup setup.Checkup, err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return checkup, fault.New(fault.BadInput, fmt.Errorf("--bundle: %s exists already", path), "name a new file")
	}
	if err != nil {
		return checkup, fault.New(fault.BadInput, fmt.Errorf("--bundle: %w", err), "name a new file in a folder that you may write to")
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	checkup, err = s.Bundle(ctx, file, version)
	return checkup, errors.Join(err, file.Chmod(0o600), file.Close())
}

func (p *program) printCheckup(c setup.Checkup, bundle string, all bool) error {
	if p.json {
		return printJSON(p.streams.Out, doctorJSON{"ok", c, bundle})
	}
	var b strings.Builder
	fmt.Fprintf(&b, "SyncMaster %s in %s: %s, %s\n%s", c.Version, c.Dir, counted(c.Failed, "problem"), counted(c.Warnings, "warning"), p.workText(c.Work))
	for _, group := range []struct {
		title, colour string
		level         setup.Level
		shown         bool
	}{
		{"Problems", red, setup.Fail, true}, {"Warnings", yellow, setup.Warn, true},
		{"Could not be looked at", yellow, setup.Missing, true}, {"Passed", green, setup.Pass, all},
	} {
		if group.shown {
			p.writeFindings(&b, group.title, group.colour, group.level, c.Findings)
		}
	}
	if bundle != "" {
		fmt.Fprintf(&b, "\nFor support: %s    (no secrets are in it; look through it before you send it)\n", bundle)
	}
	return p.print("%s", b.String())
}

func (p *program) writeFindings(b *strings.Builder, title, colour string, level setup.Level, findings []setup.Finding) {
	first := true
	for _, f := range findings {
		if f.Level != level {
			continue
		}
		if first {
			fmt.Fprintf(b, "\n%s\n", p.paint(colour, title))
			first = false
		}
		fmt.Fprintf(b, "  - %s, %s: ", f.Group, f.ID)
		text := f.Text
		if text == "" {
			text = f.What
		}
		if strings.Contains(text, "\n") {
			text = "\n" + text
		}
		fmt.Fprintf(b, "%s\n", strings.TrimLeft(indented(text, "      "), " "))
		if f.Next != "" && level != setup.Pass {
			fmt.Fprintf(b, "    → %s\n", f.Next)
		}
	}
}
