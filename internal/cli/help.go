package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// helpWidth is the width of the window that everybody has.
const helpWidth = 80

// explain gives the help of commands, and of those below them, the order in which it is read: the example first, the
// exit codes last.
func explain(commands []*cli.Command) []*cli.Command {
	for _, c := range commands {
		c.CustomHelpTemplate = helpTemplate(c)
		explain(c.Subcommands)
	}
	return commands
}

// helpTemplate is the one of urfave/cli with the parts of the description where they belong, and options that fit.
func helpTemplate(c *cli.Command) string {
	template := cli.CommandHelpTemplate
	if len(c.Subcommands) > 0 {
		template = cli.SubcommandHelpTemplate
	}
	head, rest, _ := strings.Cut(template, "{{if .Description}}")
	_, rest, _ = strings.Cut(rest, "{{end}}")
	commands, _, _ := strings.Cut(rest, "{{if .VisibleFlagCategories}}")
	text, codes, _ := strings.Cut(c.Description, "EXIT STATUS:")
	example, text, _ := strings.Cut(strings.TrimSpace(text), "\n\n")
	if text != "" {
		head += fmt.Sprintf("\n\nDESCRIPTION:{{%q}}", "\n"+filled(text, 3))
	}
	return fmt.Sprintf("{{%q}}\n\n%s%s\n\nOPTIONS:{{%q}}\n\nEXIT STATUS:{{%q}}\n", example, head, commands, optionLines(c.Flags), codes)
}

// filled breaks the paragraphs of a text anew, behind a margin. One with indented lines stays as it is.
func filled(text string, margin int) string {
	left := strings.Repeat(" ", margin)
	var b strings.Builder
	for n, paragraph := range strings.Split(text, "\n\n") {
		if n > 0 {
			b.WriteString("\n\n")
		}
		if strings.Contains(paragraph, "\n   ") {
			b.WriteString(left + indented(paragraph, left))
			continue
		}
		room := 0
		for i, word := range strings.Fields(paragraph) {
			switch {
			case i == 0:
				b.WriteString(left)
				room = helpWidth - margin
			case len(word) >= room:
				b.WriteString("\n" + left)
				room = helpWidth - margin
			default:
				b.WriteString(" ")
				room--
			}
			b.WriteString(word)
			room -= len(word)
		}
	}
	return b.String()
}

// optionLines lists the options, each with what it means beside it.
func optionLines(flags []cli.Flag) string {
	var rows [][2]string
	width := 0
	for _, f := range append(slices.Clone(flags), cli.HelpFlag) {
		if visible, can := f.(cli.VisibleFlag); can && !visible.IsVisible() {
			continue
		}
		name, meaning, _ := strings.Cut(f.String(), "\t")
		name, _, _ = strings.Cut(name, " [ ") // that it may be repeated
		rows = append(rows, [2]string{name, strings.TrimSuffix(meaning, " (default: false)")})
		width = max(width, len(name))
	}
	var b strings.Builder
	for _, row := range rows {
		fmt.Fprintf(&b, "\n   %-*s  %s", width, row[0], strings.TrimLeft(filled(row[1], width+5), " "))
	}
	return b.String()
}
