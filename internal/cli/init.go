package cli

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/urfave/cli/v2"

	"syncmaster-setup/internal/engine"
	"syncmaster-setup/internal/setup"
	"syncmaster-setup/internal/workdir"
)

func (p *program) initCommand() *cli.Command {
	flags := append(p.sharedFlags(), installFlags()...)
	flags = append(flags,
		&cli.BoolFlag{Name: "yes", Usage: "ask nothing"},
		&cli.BoolFlag{Name: "dry-run", Usage: "show the plan and change nothing"},
		&cli.DurationFlag{Name: "wait-timeout", Usage: "how long to wait for one service", Value: 5 * time.Minute},
	)
	return command(&cli.Command{
		Name:  "init",
		Usage: "from an empty folder to a healthy SyncMaster",
		Flags: flags,
		Action: func(c *cli.Context) error {
			return p.runInit(c)
		},
	}, `Example: syncmaster-setup init --dir /srv/syncmaster

Writes docker-compose.yml, .env and .env.docker, generates keys and passwords, starts the database, migrates it,
starts the rest and returns when everything is healthy. Running it again changes only what the options ask for;
an interrupted run goes on.`)
}

func (p *program) runInit(c *cli.Context) error {
	if err := p.readShared(c); err != nil {
		return err
	}
	asked, err := readInstall(c)
	if err != nil {
		return err
	}
	limit, err := readLimit(c)
	if err != nil {
		return err
	}
	s, done, err := p.setup(c.String("dir"))
	if err != nil {
		return err
	}
	options := setup.InitOptions{Asked: asked, Limit: limit, DryRun: c.Bool("dry-run")}
	if p.interactive() && !c.Bool("yes") && !options.DryRun {
		if c.NumFlags() == 0 || onlyDir(c) {
			if options.Asked, err = p.askOptions(c.Context, asked, s.Dir); err != nil {
				return err
			}
		}
		options.Confirm = func(plan string) (bool, error) { return p.confirm(c.Context, plan) }
	}
	result, err := s.Init(c.Context, options)
	done()
	if err != nil {
		return err
	}
	return p.printInit(result)
}

func onlyDir(c *cli.Context) bool { return c.NumFlags() == 1 && c.IsSet("dir") }

// setup builds the use cases on their adapters. done ends the progress display.
func (p *program) setup(dir string) (s *setup.Setup, done func(), err error) {
	folder, err := workdir.At(dir)
	if err != nil {
		return nil, nil, err
	}
	reporter, done := p.reporter()
	return &setup.Setup{
		Dir: folder, Connect: connectEngine, Load: loadProject, LoadAhead: engine.LoadAhead, Databases: databases{}, System: system{},
		Random: rand.Reader, Now: time.Now, Report: reporter,
	}, done, nil
}

func loadProject(ctx context.Context, dir string, profiles []string) (*types.Project, error) {
	return engine.Load(ctx, dir, "", profiles)
}

func connectEngine(ctx context.Context) (setup.Engine, error) {
	e, err := engine.New(ctx, engine.Options{})
	if err != nil {
		return nil, err
	}
	return dockerEngine{e}, nil
}
