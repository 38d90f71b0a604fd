package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// candidate is a word that a shell may put in, and what it means.
type candidate struct{ value, meaning string }

// Instead of candidates, a shell may be told to offer files of its own.
var (
	files   = []candidate{{value: ":files"}}
	folders = []candidate{{value: ":folders"}}
)

// completeCommand prints candidates for the last of its arguments, which stands behind a colon; those before it are
// the words of the line.
func (p *program) completeCommand() *cli.Command {
	return &cli.Command{
		Name: "__complete", Hidden: true, HideHelp: true, SkipFlagParsing: true,
		Action: func(c *cli.Context) error {
			words := c.Args().Slice()
			if len(words) == 0 {
				return nil
			}
			last := len(words) - 1
			l := line{commands: c.App.Commands, flags: c.App.Flags, given: map[string]string{}}
			for _, word := range words[:last] {
				l.read(word)
			}
			for _, found := range l.complete(c.Context, strings.TrimPrefix(words[last], ":")) {
				if err := p.print("%s\n", strings.TrimSuffix(found.value+"\t"+found.meaning, "\t")); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// line is a command line as far as it has been typed.
type line struct {
	command   string // its name, with that of the command above; empty before one was typed
	commands  []*cli.Command
	flags     []cli.Flag
	given     map[string]string // values of options by name
	arguments []string
	open      string // option that waits for its value
}

// read takes one complete word. bash makes three words of --name=value.
func (l *line) read(word string) {
	switch {
	case word == "=":
	case l.open != "":
		l.given[l.open], l.open = word, ""
	case strings.HasPrefix(word, "-"):
		name, value, assigned := strings.Cut(strings.TrimLeft(word, "-"), "=")
		if assigned {
			l.given[name] = value
		} else if l.takesValue(name) {
			l.open = name
		}
	default:
		for _, c := range l.commands {
			if c.Name == word && len(l.arguments) == 0 {
				l.command = strings.TrimSpace(l.command + " " + word)
				l.commands, l.flags = c.Subcommands, append(slices.Clone(c.Flags), cli.HelpFlag)
				return
			}
		}
		l.arguments = append(l.arguments, word)
	}
}

func (l *line) takesValue(name string) bool {
	for _, f := range l.flags {
		if documented, can := f.(cli.DocGenerationFlag); can && slices.Contains(f.Names(), name) {
			return documented.TakesValue()
		}
	}
	return false
}

// complete returns what may stand in place of the word that is being typed.
func (l *line) complete(ctx context.Context, word string) []candidate {
	name, value, assigned := strings.Cut(word, "=")
	switch {
	case l.open != "":
		return beginning(l.values(l.open, strings.TrimPrefix(word, "=")), "", strings.TrimPrefix(word, "="))
	case assigned && strings.HasPrefix(name, "-"):
		return beginning(l.values(strings.TrimLeft(name, "-"), value), name+"=", value)
	case strings.HasPrefix(word, "-"):
		return beginning(append(l.options(), l.steps()...), "", word)
	}
	var list []candidate
	for _, c := range l.commands {
		if !c.Hidden {
			list = append(list, candidate{c.Name, c.Usage})
		}
	}
	if list = append(list, l.argumentValues(ctx)...); len(list) == 0 && word == "" {
		list = l.options()
	}
	return beginning(list, "", word)
}

// options returns the options that are visible, by their long names.
func (l *line) options() []candidate {
	var list []candidate
	for _, f := range l.flags {
		documented, can := f.(cli.DocGenerationFlag)
		visible, hides := f.(cli.VisibleFlag)
		if can && (!hides || visible.IsVisible()) {
			list = append(list, candidate{dashed(f.Names()[0]), documented.GetUsage()})
		}
	}
	return list
}

// beginning keeps the candidates that begin with what was typed, and puts a prefix before them.
func beginning(list []candidate, prefix, typed string) []candidate {
	var kept []candidate
	for _, c := range list {
		switch {
		case strings.HasPrefix(c.value, ":"):
			return []candidate{c}
		case strings.HasPrefix(c.value, typed):
			kept = append(kept, candidate{prefix + c.value, c.meaning})
		}
	}
	return kept
}
