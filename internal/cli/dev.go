package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"syncmaster-setup/internal/checkout"
	"syncmaster-setup/internal/database"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/setup"
)

func (p *program) devCommand() *cli.Command {
	return &cli.Command{
		Name:            "dev",
		Usage:           "database and broker for running SyncMaster from its source",
		HideHelpCommand: true,
		OnUsageError:    devUsageError,
		Description: `Example: syncmaster-setup dev up --source . && eval "$(syncmaster-setup dev env --shell)"

Each checkout, and each user of a host, has an environment of its own: a Compose project with free ports on 127.0.0.1.
It is kept in the folder ` + setup.DevFolder + ` of the checkout, which git does not see.` + "\n\n" + exitCodes,
		Subcommands: []*cli.Command{p.devUpCommand(), p.devEnvCommand(), p.devResetCommand(), p.devDownCommand()},
		Action: func(c *cli.Context) error {
			if !c.Args().Present() {
				return cli.ShowSubcommandHelp(c)
			}
			return fault.New(fault.BadInput, fmt.Errorf("unknown command \"dev %s\"", c.Args().First()), "known are up, env, reset, down")
		},
	}
}

func (p *program) devUpCommand() *cli.Command {
	return p.dev(&cli.Command{
		Name:  "up",
		Usage: "start database and broker, at the revision of a release or of a checkout",
		Flags: p.devFlags(targetFlags()...),
		Action: func(c *cli.Context) error {
			return p.runDev(c, (*setup.Setup).DevUp)
		},
	}, `Example: syncmaster-setup dev up --source ~/syncmaster

Without --release and --source an environment keeps the revision that it was made for; a new one gets the newest
release's. Going back to an earlier revision happens only where that deletes no table; otherwise use dev reset.
Running it again changes only what is not as wanted.`)
}

func (p *program) devResetCommand() *cli.Command {
	return p.dev(&cli.Command{
		Name:  "reset",
		Usage: "delete the data of the environment and start it afresh",
		Flags: p.devFlags(append(targetFlags(), &cli.BoolFlag{Name: "yes", Usage: "delete the data unasked"})...),
		Action: func(c *cli.Context) error {
			return p.runDev(c, func(s *setup.Setup, ctx context.Context, o setup.DevOptions) (setup.Result, error) {
				if err := p.confirmReset(c, s, o.User); err != nil {
					return setup.Result{}, err
				}
				return s.DevReset(ctx, o)
			})
		},
	}, `Example: syncmaster-setup dev reset --yes

Removes containers, network and volumes of this environment, and no other's, then does what dev up does. Ports, keys
and passwords stay as they are, so that settings from dev env stay valid.`)
}

func (p *program) devDownCommand() *cli.Command {
	return p.dev(&cli.Command{
		Name:  "down",
		Usage: "stop and remove database and broker; their data stays",
		Flags: p.devFlags(&cli.BoolFlag{Name: "volumes", Usage: "delete the data, too"}),
		Action: func(c *cli.Context) error {
			s, done, err := p.devSetup(c)
			if err != nil {
				return err
			}
			removed, err := s.DevDown(c.Context, userName(), c.Bool("volumes"))
			done()
			if err != nil {
				return err
			}
			return p.printDevDown(removed)
		},
	}, `Example: syncmaster-setup dev down

The next dev up goes on with the data, unless --volumes has deleted it.`)
}

func (p *program) devEnvCommand() *cli.Command {
	return p.dev(&cli.Command{
		Name:  "env",
		Usage: "print the settings for server, scheduler and worker",
		Flags: p.devFlags(&cli.BoolFlag{Name: "shell", Usage: "as export commands of a shell"}),
		Action: func(c *cli.Context) error {
			s, done, err := p.devSetup(c)
			if err != nil {
				return err
			}
			defer done()
			settings, err := s.DevEnv()
			if err != nil {
				return err
			}
			return p.printDevEnv(settings, c.Bool("shell"))
		},
	}, `Example: syncmaster-setup dev env > .env.dev
         eval "$(syncmaster-setup dev env --shell)"

Prints every setting that the release needs, with the passwords and keys of this development database, on standard
output and nowhere else. Keep the output out of logs and commits.`)
}

// dev fills in what the subcommands share.
func (p *program) dev(c *cli.Command, description string) *cli.Command {
	c = command(c, description)
	c.OnUsageError = devUsageError
	c.ArgsUsage = " " // urfave/cli would write [arguments...]
	return c
}

func devUsageError(c *cli.Context, err error, _ bool) error {
	return fault.New(fault.BadInput, err, "type "+c.Command.HelpName+" --help")
}

// devFlags are the shared ones; SYNCMASTER_SETUP_DIR names an install, which is something else.
func (p *program) devFlags(more ...cli.Flag) []cli.Flag {
	dir := &cli.StringFlag{Name: "dir", Usage: "checkout or folder that the environment belongs to (default: --source, or the current folder)"}
	return append(append([]cli.Flag{dir}, p.sharedFlags()[1:]...), more...)
}

func targetFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "release", Usage: "migrate to the revision of this release"},
		&cli.StringFlag{Name: "source", Usage: "migrate to the head of this checkout of SyncMaster"},
		&cli.StringFlag{Name: "name", Usage: "Compose project (default: made from user and folder)"},
		&cli.StringFlag{Name: "registry", Usage: "registry, with a path where needed, that the images come from"},
		&cli.DurationFlag{Name: "wait-timeout", Usage: "how long to wait for one service", Value: 5 * time.Minute},
	}
}

// devSetup builds the use cases on the environment's folder.
func (p *program) devSetup(c *cli.Context) (*setup.Setup, func(), error) {
	if err := p.readShared(c); err != nil {
		return nil, nil, err
	}
	return p.setup(filepath.Join(devBase(c), setup.DevFolder))
}

func devBase(c *cli.Context) string { return cmp.Or(c.String("dir"), c.String("source"), ".") }

// runDev reads the options of up and reset, and prints what came of them.
func (p *program) runDev(c *cli.Context, do func(*setup.Setup, context.Context, setup.DevOptions) (setup.Result, error)) error {
	if err := p.readShared(c); err != nil {
		return err
	}
	options, err := readDev(c)
	if err != nil {
		return err
	}
	s, done, err := p.devSetup(c)
	if err != nil {
		return err
	}
	result, err := do(s, c.Context, options)
	done()
	if err != nil {
		return err
	}
	return p.printDevUp(c, result)
}

func readDev(c *cli.Context) (setup.DevOptions, error) {
	o := setup.DevOptions{Release: c.String("release"), Project: c.String("name"), Registry: c.String("registry"), User: userName()}
	for _, r := range database.Revisions() {
		o.Known = append(o.Known, r.ID)
	}
	source := c.String("source")
	if o.Release != "" && source != "" {
		return o, fault.New(fault.BadInput, errors.New("--release and --source both name a revision"), "give one of them")
	}
	if source != "" {
		found, err := checkout.Read(os.DirFS(source))
		if err != nil {
			return o, fault.New(fault.BadInput, fmt.Errorf("--source %s: %w", source, err), "")
		}
		o.Checkout = &found
	}
	var err error
	o.Limit, err = readLimit(c)
	return o, err
}

// confirmReset asks once; without a terminal --yes has to stand for the answer.
func (p *program) confirmReset(c *cli.Context, s *setup.Setup, user string) error {
	if c.Bool("yes") {
		return nil
	}
	project, err := s.DevProject(user)
	if err != nil {
		return err
	}
	if !p.interactive() {
		return fault.New(fault.Refused, fmt.Errorf("this deletes the database and the messages of %s", project), "add --yes")
	}
	p.errorf("This deletes the database and the messages of %s.\n", project)
	answer, err := p.ask("Delete them?", "no")
	if err == nil && !strings.HasPrefix(strings.ToLower(answer), "y") {
		err = fault.New(fault.Refused, errors.New("not confirmed"), "")
	}
	return err
}

// userName tells the users of a host apart.
func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return strconv.Itoa(os.Getuid())
}
