package cli

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// markdown writes docs/commands.md.
type markdown struct{ strings.Builder }

func (m *markdown) begin(app *cli.App) {
	fmt.Fprintf(&m.Builder, "# Commands\n\nWritten by `make docs` from what the program says about itself.\n\n`%s`: %s.\n", app.Name, app.Usage)
}

func (m *markdown) command(name, usage, synopsis string) {
	if usage == "" {
		fmt.Fprintf(&m.Builder, "\n## %s\n", name)
		return
	}
	fmt.Fprintf(&m.Builder, "\n#%s %s\n\n%s\n\n    %s\n", strings.Repeat("#", 1+strings.Count(name, " ")), name, capital(usage)+".", synopsis)
}

func (m *markdown) code(lines []string) {
	if len(lines) == 0 {
		return
	}
	language := ""
	if strings.Contains(lines[0], "syncmaster-setup") {
		language = "sh"
	}
	fmt.Fprintf(&m.Builder, "\n```%s\n%s\n```\n", language, strings.Join(lines, "\n"))
}

func (m *markdown) text(paragraph string) { fmt.Fprintf(&m.Builder, "\n%s\n", escaped(paragraph)) }

func (m *markdown) pairs(title string, list []pair) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(&m.Builder, "\n%s\n|---|---|\n", strings.Replace("| "+title+" | |", "|  |", "| |", 1))
	for _, p := range list {
		fmt.Fprintf(&m.Builder, "| `%s` | %s |\n", p.name, strings.ReplaceAll(escaped(p.meaning), "|", `\|`))
	}
}

func escaped(text string) string {
	return strings.NewReplacer("*", `\*`, "_", `\_`, "<", `\<`, "[", `\[`).Replace(text)
}

func capital(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// roff writes the man page.
type roff struct{ strings.Builder }

func (r *roff) begin(app *cli.App) {
	fmt.Fprintf(&r.Builder, `.\" Written by "make docs" from what the program says about itself.
.TH SYNCMASTER-SETUP 1
.nh
.SH NAME
%s \- %s
.SH SYNOPSIS
.B %s
COMMAND [OPTION...] [ARGUMENT...]
.SH COMMANDS
`, unmarked(app.Name), unmarked(app.Usage), unmarked(app.Name))
}

func (r *roff) command(name, usage, synopsis string) {
	if usage == "" {
		fmt.Fprintf(&r.Builder, ".SH %s\n", strings.ToUpper(name))
		return
	}
	fmt.Fprintf(&r.Builder, ".SS %s\n.PP\n%s\n.PP\n.EX\n%s\n.EE\n", unmarked(name), unmarked(capital(usage)+"."), unmarked(synopsis))
}

func (r *roff) code(lines []string) {
	if len(lines) > 0 {
		fmt.Fprintf(&r.Builder, ".PP\n.RS\n.EX\n%s\n.EE\n.RE\n", unmarked(strings.Join(lines, "\n")))
	}
}

func (r *roff) text(paragraph string) { fmt.Fprintf(&r.Builder, ".PP\n%s\n", unmarked(paragraph)) }

func (r *roff) pairs(title string, list []pair) {
	if title != "" && len(list) > 0 {
		fmt.Fprintf(&r.Builder, ".PP\n%s:\n", title)
	}
	for _, p := range list {
		fmt.Fprintf(&r.Builder, ".TP\n.B %s\n%s\n", unmarked(p.name), unmarked(p.meaning))
	}
}

// plain keeps roff from reading commands in a text, and makes hyphens that can be searched for and copied.
func unmarked(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
