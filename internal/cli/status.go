package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/setup"
)

// watchEvery is the pause between two looks of --watch.
const watchEvery = 2 * time.Second

const lookExitCodes = `EXIT STATUS:
   0    %s
   1    %s
   3    bad input, for example a folder without an install
   130  interrupted`

func (p *program) statusCommand() *cli.Command {
	c := command(&cli.Command{
		Name:   "status",
		Usage:  "one screen: what runs, what waits, what is wrong and what to type",
		Flags:  append(p.sharedFlags(), &cli.BoolFlag{Name: "watch", Usage: "look again every 2 seconds, until Ctrl-C"}),
		Action: func(c *cli.Context) error { return p.runStatus(c) },
	}, "")
	c.Description = `Example: syncmaster-setup status --dir /srv/syncmaster

Asks engine, database, broker, server and UI at once, for three seconds at most, and changes nothing. Without an
engine it tells what the files know.

` + fmt.Sprintf(lookExitCodes, "everything is healthy", "it is not, or it cannot be told")
	return c
}

func (p *program) runStatus(c *cli.Context) error {
	if err := p.readShared(c); err != nil {
		return err
	}
	watch := c.Bool("watch")
	if watch && !p.json && !redraws(p.streams.Out) {
		return fault.New(fault.BadInput, errors.New("--watch needs a terminal that redraws its screen, which a pipe or TERM=dumb does not"), "for a program, add: --output json")
	}
	s, done, err := p.setup(c.String("dir"))
	if err != nil {
		return err
	}
	defer done()
	if watch {
		return p.watchStatus(c.Context, s)
	}
	st, err := s.Status(c.Context)
	if err != nil {
		return interrupted(c.Context, err)
	}
	if err := p.printStatus(st); err != nil {
		return err
	}
	if !st.Healthy {
		return silentEnd{fault.Failed}
	}
	return nil
}

// watchStatus looks until it is interrupted. The screen is written over, line by line, so that it does not flicker.
func (p *program) watchStatus(ctx context.Context, s *setup.Setup) error {
	const home, eraseLine, eraseBelow, clear = "\x1b[H", "\x1b[K", "\x1b[J", "\x1b[2J"
	first := clear
	for {
		st, err := s.Status(ctx)
		if err != nil {
			return interrupted(ctx, err)
		}
		if p.json {
			err = p.printStatus(st)
		} else {
			columns, rows := terminalSize(p.streams.Out)
			err = p.print("%s", first+home+eraseLine+strings.Join(p.watchLines(st, columns, rows), "\n"+eraseLine)+eraseBelow)
			first = ""
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			if !p.json {
				err = p.print("\n")
			}
			return errors.Join(silentEnd{fault.Interrupted}, err)
		case <-time.After(watchEvery):
		}
	}
}

// watchLines fits the screen of status into a window. Where it is too high, what is wrong comes first, and the rest is
// cut.
func (p *program) watchLines(st setup.Status, columns, rows int) []string {
	end := fmt.Sprintf("%s, every %s, Ctrl-C ends", st.Time.Local().Format(time.TimeOnly), watchEvery)
	head, state, remarks := p.statusParts(st, columns, true)
	lines := folded(head+state+remarks, columns)
	room := max(rows-2, 1) // the end, and a line between
	if len(lines) > room {
		lines = folded(head+remarks+state, columns)
		more := len(lines) - room
		lines = append(lines[:room], folded(fmt.Sprintf("… %d line%s more: make the window higher", more, plural(more)), columns)[0])
	} else {
		lines = append(lines, "")
	}
	return append(lines, folded(end, columns)[0])
}

// interrupted returns the silent end of a look that the user has ended, or the error as it is.
func interrupted(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return silentEnd{fault.Interrupted}
	}
	return err
}

func (p *program) printStatus(st setup.Status) error {
	if !p.json {
		columns := 0
		if isTerminal(p.streams.Out) {
			columns, _ = terminalSize(p.streams.Out)
		}
		head, state, remarks := p.statusParts(st, columns, false)
		return p.print("%s", head+state+remarks)
	}
	return printJSON(p.streams.Out, statusJSON{"ok", st})
}
