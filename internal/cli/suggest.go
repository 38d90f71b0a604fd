package cli

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"syncmaster-setup/internal/database"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/nearest"
)

// usageError explains an option that could not be read. The text is all that package flag tells about the reason.
func usageError(c *cli.Context, err error, _ bool) error {
	text := err.Error()
	if name, unknown := strings.CutPrefix(text, "flag provided but not defined: -"); unknown {
		return unknownOption(c, name)
	}
	hint := "type " + c.Command.HelpName + " --help"
	if name, lacks := strings.CutPrefix(text, "flag needs an argument: -"); lacks {
		err = fmt.Errorf("the option %s needs a value behind it", dashed(name))
	}
	if m := invalidValue.FindStringSubmatch(text); m != nil {
		err = fmt.Errorf("%s %s: %s", dashed(m[2]), m[1], kindOf(c, m[2]))
	}
	return fault.New(fault.BadInput, err, hint)
}

var invalidValue = regexp.MustCompile(`^invalid (?:boolean )?value (".*") for (?:flag )?-([^\s:]+): `)

// kindOf says what values an option takes.
func kindOf(c *cli.Context, name string) string {
	for _, f := range c.Command.Flags {
		if f.Names()[0] != name {
			continue
		}
		switch f.(type) {
		case *cli.BoolFlag:
			return "a switch takes no value"
		case *cli.DurationFlag:
			return "that is no duration, like 30s or 5m"
		case *cli.IntFlag:
			return "that is no whole number"
		}
	}
	return "that cannot be read"
}

// unknownOption names the option that was probably meant, or where an option of that name belongs.
func unknownOption(c *cli.Context, name string) error {
	help, what := c.Command.HelpName, "unknown option "+dashed(name)
	if below, is := strings.CutPrefix(help, c.App.Name+" "); is {
		what += " for " + below
	}
	hint := "type " + help + " --help"
	names := flagNames(c.Command.Flags)
	switch meant := cmp.Or(elsewhere(name, names), likely(name, names)); {
	case isNumber(name):
		hint = numberHint(c, name, hint)
	case belongsBelow(c.Command, name):
		hint = fmt.Sprintf("write it behind the command: %s COMMAND %s", help, dashed(name))
	case meant != "":
		hint = "did you mean " + dashed(meant) + "?"
	}
	return fault.New(fault.BadInput, errors.New(what), hint)
}

// elsewhere returns the one of the names that stands for what another command calls by this name: a release is the
// --version of init, what an upgrade goes --to, and the --release of a development environment.
func elsewhere(name string, names []string) string {
	release := []string{"version", "to", "release"}
	if !slices.Contains(release, name) {
		return ""
	}
	i := slices.IndexFunc(names, func(n string) bool { return slices.Contains(release, n) })
	if i < 0 {
		return ""
	}
	return names[i]
}

func isNumber(name string) bool {
	_, err := strconv.Atoi(name)
	return err == nil
}

// numberHint explains -N, which only downgrade reads, and only as far as there are revisions.
func numberHint(c *cli.Context, name, otherwise string) string {
	switch c.Command.HelpName {
	case c.App.Name + " migrate upgrade":
		return fmt.Sprintf("to go on, write +%s; to go back, type %s migrate downgrade -%s", name, c.App.Name, name)
	case c.App.Name + " migrate downgrade":
		return fmt.Sprintf("there are %d revisions; base is before the first of them", len(database.Revisions()))
	}
	return otherwise
}

// belongsBelow reports whether a command below has an option of that name.
func belongsBelow(c *cli.Command, name string) bool {
	return slices.ContainsFunc(c.Subcommands, func(below *cli.Command) bool {
		return slices.Contains(flagNames(below.Flags), name) || belongsBelow(below, name)
	})
}

// unknownCommand names the command that was probably meant, at this level or else anywhere.
func unknownCommand(c *cli.Context) error {
	word, _, isURL := strings.Cut(c.Args().First(), "://")
	if isURL { // what follows may be a password
		word += "://..."
	}
	here := commandNames(c.Command.Subcommands)
	hint := "known are " + strings.Join(here, ", ")
	if meant := likely(word, here); meant != "" {
		hint = "did you mean " + c.Command.HelpName + " " + meant + "?"
	} else if slices.Contains(flagNames(c.Command.Flags), word) {
		hint = "did you mean " + c.Command.HelpName + " " + dashed(word) + "?"
	} else {
		for _, command := range c.App.Commands {
			if meant := likely(word, commandNames(command.Subcommands)); meant != "" {
				hint = "did you mean " + command.HelpName + " " + meant + "?"
			}
		}
	}
	return fault.New(fault.BadInput, fmt.Errorf("unknown command %q", strings.TrimPrefix(c.Command.HelpName+" "+word, c.App.Name+" ")), hint)
}

// commandNames returns the names of the commands that help shows.
func commandNames(commands []*cli.Command) []string {
	var names []string
	for _, command := range commands {
		if !command.Hidden {
			names = append(names, command.Name)
		}
	}
	return names
}

// misplacedOption refuses an option behind an argument: urfave/cli reads none there.
func misplacedOption(c *cli.Context, words []string) error {
	for i, word := range words {
		option, _, _ := strings.Cut(word, "=") // what follows may be a password
		if i > 0 && strings.HasPrefix(option, "-") && option != "-" {
			return fault.New(fault.BadInput, fmt.Errorf("the option %s stands behind %s, where it would not be read", option, words[0]),
				fmt.Sprintf("write the options first: %s %s … %s", c.Command.HelpName, option, words[0]))
		}
	}
	return nil
}

// swallowedOption refuses an option that was read as the value of the one before it.
func swallowedOption(c *cli.Context) error {
	known := flagNames(c.Command.Flags)
	for _, f := range c.Command.Flags {
		name := f.Names()[0]
		value, dashes := strings.CutPrefix(c.String(name), "--")
		value, _, _ = strings.Cut(value, "=")
		if dashes && slices.Contains(known, value) {
			return fault.New(fault.BadInput, fmt.Errorf("the option --%s needs a value, and --%s stands there", name, value), "type "+c.Command.HelpName+" --help")
		}
	}
	return nil
}

// likely returns the one of the names that was probably meant: it begins with the word, or few changes make it.
func likely(word string, names []string) string {
	if len(word) < 2 {
		return ""
	}
	for _, name := range names {
		if strings.HasPrefix(name, word) {
			return name
		}
	}
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return len(name) < 2 })
	return nearest.Within(word, names, max(1, len(word)/3))
}

// flagNames returns the names of the visible options, help included.
func flagNames(flags []cli.Flag) []string {
	var names []string
	for _, f := range flags {
		if visible, can := f.(cli.VisibleFlag); !can || visible.IsVisible() {
			names = append(names, f.Names()...)
		}
	}
	return names
}

// dashed writes the name of an option, or a number, as one types it.
func dashed(name string) string {
	if len(name) == 1 || isNumber(name) {
		return "-" + name
	}
	return "--" + name
}
