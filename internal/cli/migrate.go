package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"syncmaster-setup/internal/database"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/release"
)

const migrateExitCodes = `EXIT STATUS:
   0    done, or nothing had to be done
   1    failed: the message says what is committed; of check: the schema differs
   3    bad input, nothing was changed
   4    refused, nothing was changed
   11   another run is at work on the database or in the folder
   130  interrupted: the revision at work was rolled back`

const migrateDatabase = `The database is the first of these that is given:
   --database-url URL, --env-file FILE,
   the install in --dir (or SYNCMASTER_SETUP_DIR),
   SYNCMASTER__DATABASE__URL in the environment,
   the install in the current folder.
All but an install need no Docker. postgresql+asyncpg:// is understood.`

const migrateRevision = `A revision is head, base, an id such as 0012, or a release such as 0.2.5. head is the revision of the
installed release, otherwise the newest one known.`

func (p *program) migrateCommand() *cli.Command {
	return &cli.Command{
		Name:            "migrate",
		Usage:           "SyncMaster's database schema, in Alembic's words",
		HideHelpCommand: true,
		OnUsageError:    usageError,
		Description:     "Example: syncmaster-setup migrate upgrade --dry-run\n\n" + migrateDatabase + "\n\n" + migrateExitCodes,
		Subcommands: []*cli.Command{
			p.upgradeCommand(), p.downgradeCommand(), p.currentCommand(), p.historyCommand(), p.headsCommand(),
			p.showCommand(), p.stampCommand(), p.checkCommand(), p.repairCommand(),
		},
		Action: func(c *cli.Context) error {
			if !c.Args().Present() {
				return cli.ShowSubcommandHelp(c)
			}
			return unknownCommand(c)
		},
	}
}

// migration fills in what the subcommands share. Its action gets the one argument that the command takes, which may
// be missing where optional.
func (p *program) migration(c *cli.Command, argument string, action func(*cli.Context, string) error, description string) *cli.Command {
	c.Description = description + "\n\n" + migrateExitCodes
	c.ArgsUsage = argument
	c.OnUsageError = usageError
	c.Action = func(ctx *cli.Context) error {
		if err := p.readShared(ctx); err != nil {
			return err
		}
		if err := database.Verify(); err != nil {
			return err
		}
		word, err := readArgument(ctx, argument)
		if err != nil {
			return err
		}
		return action(ctx, word)
	}
	return c
}

// readArgument returns the argument of a command; optional ones are written in brackets.
func readArgument(c *cli.Context, argument string) (string, error) {
	words := append(numberFlags(c), c.Args().Slice()...)
	for _, w := range words {
		if option, _, _ := strings.Cut(w, "="); strings.Contains(option, "://") {
			return "", fault.New(fault.BadInput, fmt.Errorf("%s takes no URL as its argument", c.Command.Name), "write it behind --database-url")
		}
	}
	usage := strings.TrimSpace("type " + c.Command.HelpName + " " + argument)
	switch {
	case argument == "" && len(words) > 0:
		return "", fault.New(fault.BadInput, fmt.Errorf("%s takes no argument, and %q is one", c.Command.Name, words[0]), usage)
	case len(words) > 1:
		return "", fault.New(fault.BadInput, fmt.Errorf("%s takes one argument, and these are %d: %s", c.Command.Name, len(words), strings.Join(words, " ")), usage)
	case len(words) == 1:
		return words[0], nil
	case argument != "" && !strings.HasPrefix(argument, "["):
		return "", fault.New(fault.BadInput, fmt.Errorf("%s needs an argument: %s", c.Command.Name, argument), usage)
	}
	return "", nil
}

// optionsFirst puts the options of a migrate command in front of its argument, where they are read: Alembic takes them
// behind it, too. What follows -- is left where it is.
func optionsFirst(app *cli.App, args []string) []string {
	if len(args) < 4 || args[1] != "migrate" {
		return args
	}
	command := app.Command("migrate").Command(args[2])
	if command == nil {
		return args
	}
	options, words := slices.Clone(args[:3]), []string{}
	for i := 3; i < len(args); i++ {
		name, _, valued := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		switch {
		case args[i] == "--":
			return append(append(options, words...), args[i:]...)
		case !strings.HasPrefix(args[i], "-") || args[i] == "-":
			words = append(words, args[i])
			continue
		}
		options = append(options, args[i])
		if !valued && takesValue(command, name) && i+1 < len(args) {
			i++
			options = append(options, args[i])
		}
	}
	return append(options, words...)
}

// takesValue reports whether a command has an option of this name that is more than a switch.
func takesValue(c *cli.Command, name string) bool {
	return slices.ContainsFunc(c.Flags, func(f cli.Flag) bool {
		_, isSwitch := f.(*cli.BoolFlag)
		return !isSwitch && slices.Contains(f.Names(), name)
	})
}

// stepFlags let -1, -2 and so on through, which look like flags.
func stepFlags() []cli.Flag {
	var flags []cli.Flag
	for i := range database.Revisions() {
		flags = append(flags, &cli.BoolFlag{Name: strconv.Itoa(i + 1), Hidden: true})
	}
	return flags
}

// numberFlags returns those of stepFlags that are set, as they were written.
func numberFlags(c *cli.Context) []string {
	var words []string
	for i := range database.Revisions() {
		if name := strconv.Itoa(i + 1); c.IsSet(name) {
			words = append(words, "-"+name)
		}
	}
	return words
}

// schemaFlags are those of the subcommands that work on a database.
func (p *program) schemaFlags(more ...cli.Flag) []cli.Flag {
	return append(append(p.sharedFlags(),
		&cli.StringFlag{Name: "database-url", Usage: "this PostgreSQL, without Docker"},
		&cli.StringFlag{Name: "env-file", Usage: "file that sets " + urlVariable + ", such as .env.docker"},
	), more...)
}

// revisionOf translates the words that internal/database does not know: a release, and head where an install says what
// that is. Everything else is left to it.
func revisionOf(word, head string) (string, error) {
	switch {
	case word == "" || word == "head" || word == "heads":
		return head, nil
	case word == "develop" || strings.Contains(word, "."):
		r, err := release.Lookup(word)
		if err != nil {
			return "", fault.New(fault.BadInput, err, "")
		}
		if r.Unknown {
			return "", fault.New(fault.BadInput, fmt.Errorf("the revision of SyncMaster %s is not known here", word),
				"use a newer syncmaster-setup, or that release's own db-migrations image")
		}
		return r.Head, nil
	}
	return word, nil
}

// shown returns what users read for a revision.
func shown(id string) string {
	if id == "" {
		return database.Base
	}
	return id
}
