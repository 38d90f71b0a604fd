package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// TestDocs compares docs/commands.md and the man page with the program; UPDATE=1 writes them ("make docs").
func TestDocs(t *testing.T) {
	for name, p := range map[string]page{"commands.md": &markdown{}, "syncmaster-setup.1": &roff{}} {
		document(p, (&program{}).app())
		path := filepath.Join("..", "..", "docs", name)
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(path, []byte(p.String()), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if data, err := os.ReadFile(path); err != nil || string(data) != p.String() {
			t.Errorf("%s is not what the program says; write it with: make docs (%v)", path, err)
		}
	}
}

// TestHelp wants an example first and the exit codes in the help of every command.
func TestHelp(t *testing.T) {
	for _, c := range allCommands("", (&program{}).app().Commands) {
		d := read(c.Description)
		if len(d.example) == 0 || !strings.HasPrefix(c.Description, "Example: ") || !strings.Contains(d.example[0], "syncmaster-setup "+c.Name) {
			t.Errorf("the help of %s does not start with an example of it", c.Name)
		}
		if !slices.ContainsFunc(d.exits, func(e pair) bool { return e.name == "0" }) || !slices.ContainsFunc(d.exits, func(e pair) bool { return e.name == "3" }) {
			t.Errorf("the help of %s does not tell its exit codes: %v", c.Name, d.exits)
		}
		if c.Usage == "" || c.OnUsageError == nil {
			t.Errorf("%s lacks a line on what it is for, or explains no wrong option", c.Name)
		}
	}
}

// TestHelpScreen wants what is on the screen to begin with the example, to end with the exit codes, and to fit a window.
func TestHelpScreen(t *testing.T) {
	for _, c := range allCommands("", (&program{}).app().Commands) {
		var screen strings.Builder
		args := append(append([]string{"syncmaster-setup"}, strings.Fields(c.Name)...), "--help")
		if code := Main(t.Context(), args, Streams{In: strings.NewReader(""), Out: &screen, Err: &screen}); code != 0 {
			t.Errorf("%v ended with %d", args, code)
		}
		at := -1
		for _, part := range []string{"Example: ", "\nNAME:\n", "\nUSAGE:\n", "\nOPTIONS:\n", "\nEXIT STATUS:\n   0 "} {
			next := strings.Index(screen.String(), part)
			if next <= at || (at < 0 && next > 0) {
				t.Errorf("the help of %s has %q at %d, behind %d:\n%s", c.Name, part, next, at, screen.String())
			}
			at = next
		}
		for line := range strings.Lines(screen.String()) {
			if width := len([]rune(strings.TrimRight(line, "\n"))); width > helpWidth && !strings.Contains(line, "syncmaster-setup") { // what is typed stays whole
				t.Errorf("the help of %s has a line of %d columns: %s", c.Name, width, line)
			}
		}
	}
}

// page is a document that is being written.
type page interface {
	begin(app *cli.App)
	command(name, usage, synopsis string)
	code(lines []string)
	text(paragraph string)
	pairs(title string, list []pair)
	String() string
}

// pair is an option, an exit code or a variable, and what it means.
type pair struct{ name, meaning string }

// document writes what the program says about itself.
func document(p page, app *cli.App) {
	p.begin(app)
	variables := []pair{{"NO_COLOR", "no colours, with any value"}}
	for _, c := range allCommands("", app.Commands) {
		synopsis := "syncmaster-setup " + c.Name
		if len(c.Subcommands) > 0 {
			synopsis += " COMMAND"
		}
		synopsis = strings.TrimSpace(synopsis + " [OPTION...] " + c.ArgsUsage)
		p.command(c.Name, c.Usage, synopsis)
		d := read(c.Description)
		p.code(d.example)
		for _, block := range d.blocks {
			if block.indented {
				p.code(block.lines)
			} else {
				p.text(strings.Join(block.lines, "\n"))
			}
		}
		var options []pair
		for _, f := range c.Flags {
			if visible, can := f.(cli.VisibleFlag); !can || visible.IsVisible() {
				options = append(options, option(f))
				variables = append(variables, variablesOf(f)...)
			}
		}
		p.pairs("Options", options)
		p.pairs("Exit status", d.exits)
	}
	slices.SortFunc(variables, func(a, b pair) int { return strings.Compare(a.name, b.name) })
	p.command("Environment", "", "")
	p.pairs("", slices.Compact(variables))
}

// allCommands returns the commands that help shows, with the names of those above in theirs.
func allCommands(above string, commands []*cli.Command) []*cli.Command {
	var list []*cli.Command
	for _, c := range commands {
		if !c.Hidden {
			named := *c
			named.Name = strings.TrimSpace(above + " " + c.Name)
			list = append(append(list, &named), allCommands(named.Name, c.Subcommands)...)
		}
	}
	return list
}

func option(f cli.Flag) pair {
	documented, _ := f.(cli.DocGenerationFlag) // every flag of urfave/cli is one
	var names []string
	for _, name := range f.Names() {
		names = append(names, dashed(name))
	}
	option := pair{strings.Join(names, ", "), documented.GetUsage()}
	if documented.TakesValue() {
		option.name += " VALUE"
		if value := strings.Trim(documented.GetValue(), `"`); value != "" && value != "0" && value != "[]" {
			option.meaning += " (default: " + value + ")"
		}
	}
	return option
}

func variablesOf(f cli.Flag) []pair {
	var list []pair
	documented, _ := f.(cli.DocGenerationFlag)
	for _, name := range documented.GetEnvVars() {
		list = append(list, pair{name, "stands in for " + dashed(f.Names()[0])})
	}
	return list
}

// description is the help of a command in its parts.
type description struct {
	example []string
	blocks  []block
	exits   []pair
}

// block is a paragraph, or lines that stay as they are.
type block struct {
	indented bool
	lines    []string
}

func read(text string) description {
	var d description
	for part := range strings.SplitSeq(text, "\n\n") {
		lines := strings.Split(strings.TrimSpace(part), "\n")
		if first, is := strings.CutPrefix(lines[0], "Example: "); is {
			d.example = []string{first}
			for _, line := range lines[1:] {
				d.example = append(d.example, strings.TrimSpace(line))
			}
		} else if lines[0] == "EXIT STATUS:" {
			for _, line := range lines[1:] {
				code, meaning, _ := strings.Cut(strings.TrimSpace(line), " ")
				d.exits = append(d.exits, pair{code, strings.TrimSpace(meaning)})
			}
		} else {
			d.blocks = append(d.blocks, blocks(lines)...)
		}
	}
	return d
}

// blocks tells indented lines from text.
func blocks(lines []string) []block {
	var list []block
	for _, line := range lines {
		indented := strings.HasPrefix(line, "   ")
		if last := len(list) - 1; last < 0 || list[last].indented != indented {
			list = append(list, block{indented: indented})
		}
		last := &list[len(list)-1]
		last.lines = append(last.lines, strings.TrimSpace(line))
	}
	return list
}
