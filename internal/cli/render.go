package cli

import (
	"strings"

	"github.com/urfave/cli/v2"

	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/setup"
)

const renderExitCodes = `EXIT STATUS:
   0    written, or nothing had to be changed
   1    failed; run the command again to go on
   3    bad input, nothing was changed
   4    refused, nothing was changed
   11   another run is at work in the folder`

func (p *program) renderCommand() *cli.Command {
	return describe(&cli.Command{
		Name:  "render",
		Usage: "write the files of an install without an engine",
		Flags: append(p.sharedFlags(), installFlags()...),
		Action: func(c *cli.Context) error {
			return p.runRender(c)
		},
	}, `Example: syncmaster-setup render --dir /srv/syncmaster --version 0.3.2

Writes docker-compose.yml, .env and .env.docker as init would, with the default ports, and starts nothing.
A later init in that folder goes on with them.`, renderExitCodes)
}

func (p *program) runRender(c *cli.Context) error {
	if err := p.readShared(c); err != nil {
		return err
	}
	asked, err := readInstall(c)
	if err != nil {
		return err
	}
	s, done, err := p.setup(c.String("dir"))
	if err != nil {
		return err
	}
	result, err := s.Render(asked)
	done()
	if err != nil {
		return err
	}
	return p.printRender(result)
}

func (p *program) printRender(r setup.RenderResult) error {
	if p.json {
		return printJSON(p.streams.Out, renderJSON{"ok", r})
	}
	if len(r.Written) == 0 {
		return p.print("The files in %s are as wanted; nothing had to be changed.\n", r.Dir)
	}
	return p.print("Wrote %s in %s for release %s.\nNext: syncmaster-setup init --dir %s\n",
		strings.Join(r.Written, ", "), r.Dir, r.Version, r.Dir)
}

func (p *program) releasesCommand() *cli.Command {
	return describe(&cli.Command{
		Name:  "releases",
		Usage: "list the releases of SyncMaster that can be installed",
		Flags: p.sharedFlags(),
		Action: func(c *cli.Context) error {
			if err := p.readShared(c); err != nil {
				return err
			}
			return p.printReleases()
		},
	}, "Example: syncmaster-setup releases --output json", printExitCodes)
}

func (p *program) printReleases() error {
	for _, r := range release.Known() {
		if p.json {
			if err := printJSON(p.streams.Out, releaseJSON{r.Version, r.Date, r.Head, r.Floating}); err != nil {
				return err
			}
			continue
		}
		if err := p.print("%-8s  %s  database revision %s\n", r.Version, r.Date, r.Head); err != nil {
			return err
		}
	}
	return nil
}
