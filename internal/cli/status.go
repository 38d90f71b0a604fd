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
	const home, toEndOfLine, toEndOfScreen, clear = "\x1b[H", "\x1b[K", "\x1b[J", "\x1b[2J"
	first := clear
	for {
		st, err := s.Status(ctx)
		if err != nil {
			return interrupted(ctx, err)
		}
		if p.json {
			err = p.printStatus(st)
		} else {
			text := p.statusText(st) + fmt.Sprintf("\n%s, every %s, Ctrl-C ends\n", st.Time.Local().Format(time.TimeOnly), watchEvery)
			err = p.print("%s", first+home+strings.ReplaceAll(text, "\n", toEndOfLine+"\n")+toEndOfScreen)
			first = ""
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return silentEnd{fault.Interrupted}
		case <-time.After(watchEvery):
		}
	}
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
		return p.print("%s", p.statusText(st))
	}
	return printJSON(p.streams.Out, statusJSON{"ok", st})
}
