package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"syncmaster-setup/internal/setup"
)

func (p *program) runsCommand() *cli.Command {
	return command(&cli.Command{
		Name: "history", Usage: "what was done to the install, and how it went", Flags: p.sharedFlags(),
		Action: func(c *cli.Context) error {
			if err := p.readShared(c); err != nil {
				return err
			}
			s, done, err := p.setup(c.String("dir"))
			if err != nil {
				return err
			}
			list, err := s.History()
			done()
			if err != nil {
				return err
			}
			return p.printHistory(list)
		},
	}, `Example: syncmaster-setup history

Lists every run that has changed the install, the oldest first. What each one did is in .syncmaster-setup/logs.`)
}

func (p *program) printHistory(list []setup.Entry) error {
	if p.json {
		if list == nil {
			list = []setup.Entry{}
		}
		return printJSON(p.streams.Out, historyJSON{"ok", list})
	}
	if len(list) == 0 {
		return p.print("Nothing was recorded yet.\n")
	}
	var b strings.Builder
	for _, e := range list {
		outcome := e.Outcome
		if outcome == "" {
			outcome = "killed"
		}
		releases := e.To
		if e.From != "" && e.From != e.To {
			releases = e.From + " → " + e.To
		}
		fmt.Fprintf(&b, "%s  %-9s %-17s %-11s %6.1fs\n", e.Began.UTC().Format(time.RFC3339), e.Operation, releases, outcome, e.Seconds)
		if e.Error != "" {
			what, _, _ := strings.Cut(e.Error, "\n")
			what, _, _ = strings.Cut(what, "; its last lines:") // they are in the log
			fmt.Fprintf(&b, "%22s%s\n", "", what)
		}
	}
	return p.print("%s", hung(b.String(), p.streams.Out))
}
