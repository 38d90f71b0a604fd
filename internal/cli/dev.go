package cli

import (
	"cmp"
	"context"
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
		Usage:           "database and broker for SyncMaster from its source, or all of it built there",
		HideHelpCommand: true,
		OnUsageError:    usageError,
		Description: `Example: syncmaster-setup dev up --checkout . && eval "$(syncmaster-setup dev env --shell)"

Each checkout, and each user of a host, has an environment of its own: a Compose project with free ports on 127.0.0.1.
It is kept in the folder ` + setup.DevFolder + ` of the checkout, which git does not see.` + "\n\n" + exitCodes,
		Subcommands: []*cli.Command{p.devUpCommand(), p.devEnvCommand(), p.devResetCommand(), p.devDownCommand()},
		Action: func(c *cli.Context) error {
			if !c.Args().Present() {
				return cli.ShowSubcommandHelp(c)
			}
			return unknownCommand(c)
		},
	}
}

func (p *program) devUpCommand() *cli.Command {
	return command(&cli.Command{
		Name:  "up",
		Usage: "start database and broker, migrated; with --source the whole stack",
		Flags: p.devFlags(targetFlags()...),
		Action: func(c *cli.Context) error {
			return p.runDev(c, (*setup.Setup).DevUp)
		},
	}, `Example: syncmaster-setup dev up --checkout ~/syncmaster
         syncmaster-setup dev up --source ~/syncmaster --queue 1-etl

--checkout migrates to the head of a checkout and leaves server, scheduler and worker to you. --source builds their
images with the engine's BuildKit, as the build sections of the checkout's docker-compose.yml say, and runs the whole
stack on 127.0.0.1; the UI is the released one. After an edit type it again: what has not changed comes from the cache,
and only containers whose image is another one are replaced. A head that this program does not carry is reached with the
checkout's own image. The worker runs once it has a --queue. To run one of them from its source beside the others, leave
it out with --profile and take the settings from dev env; two schedulers would run every transfer twice.

Without --release, --checkout and --source an environment keeps what it was made for, and builds nothing; a new one gets
the newest release's revision. Going back to an earlier revision happens only where that deletes no table; otherwise use
dev reset. Running it again changes only what is not as wanted.`)
}

func (p *program) devResetCommand() *cli.Command {
	return command(&cli.Command{
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
	return command(&cli.Command{
		Name:  "down",
		Usage: "stop and remove the containers; data and images stay",
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

The next dev up goes on with the data, unless --volumes has deleted it. Images that were built from a checkout stay, so
that it need not build again; to remove them: docker image rm $(docker image ls --quiet 'PROJECT-*')`)
}

func (p *program) devEnvCommand() *cli.Command {
	return command(&cli.Command{
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

// devFlags are the shared ones; SYNCMASTER_SETUP_DIR names an install, which is something else.
func (p *program) devFlags(more ...cli.Flag) []cli.Flag {
	dir := &cli.StringFlag{Name: "dir", Usage: "checkout or folder that the environment belongs to (default: that of --source or --checkout, or the current one)"}
	return append(append([]cli.Flag{dir}, p.sharedFlags()[1:]...), more...)
}

func targetFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "release", Usage: "migrate to the revision of this release"},
		&cli.StringFlag{Name: "checkout", Usage: "migrate to the head of this checkout of SyncMaster"},
		&cli.StringFlag{Name: "source", Usage: "build the images of this checkout of SyncMaster, and run the whole stack"},
		&cli.StringSliceFlag{Name: "profile", Usage: "with --source, what to run: server, scheduler, worker, frontend, all (default: all)"},
		&cli.StringSliceFlag{Name: "queue", Usage: "with --source, slug of a queue that the worker serves; it exists once the queue was created in the UI"},
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

func devBase(c *cli.Context) string {
	return cmp.Or(c.String("dir"), c.String("source"), c.String("checkout"), ".")
}

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
	o := setup.DevOptions{
		Release: c.String("release"), Project: c.String("name"), Registry: c.String("registry"), User: userName(),
		Profiles: names(c, "profile"), Queues: names(c, "queue"),
	}
	for _, r := range database.Revisions() {
		o.Known = append(o.Known, r.ID)
	}
	if err := readCheckout(c, &o); err != nil {
		return o, err
	}
	var err error
	o.Limit, err = readLimit(c)
	return o, err
}

// readCheckout reads the checkout that --checkout or --source names.
func readCheckout(c *cli.Context, o *setup.DevOptions) error {
	var given []string
	for _, flag := range []string{"release", "checkout", "source"} {
		if c.String(flag) != "" {
			given = append(given, "--"+flag)
		}
	}
	if len(given) > 1 {
		return fault.New(fault.BadInput, fmt.Errorf("%s both name a revision", strings.Join(given[:2], " and ")), "give one of them")
	}
	if len(given) == 0 || o.Release != "" {
		return nil
	}
	folder := c.String(given[0][2:])
	found, err := checkout.Read(os.DirFS(folder))
	if err != nil {
		return fault.New(fault.BadInput, fmt.Errorf("%s %s: %w", given[0], folder, err), "")
	}
	o.Checkout = &found
	if c.String("source") != "" {
		if o.Source, err = filepath.Abs(folder); err != nil {
			return fmt.Errorf("finding the folder %s: %w", folder, err)
		}
	}
	return nil
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
	return p.confirmDelete(c.Context)
}

// userName tells the users of a host apart.
func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return strconv.Itoa(os.Getuid())
}
