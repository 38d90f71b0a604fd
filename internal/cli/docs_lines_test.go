package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// leastLines is less than the documents have: a pattern that finds nothing would pass everything.
const leastLines = 100

// TestCommandLinesInDocs gives every command line in README.md and docs/ to the program's parser. Nothing is executed.
func TestCommandLinesInDocs(t *testing.T) {
	root := filepath.Join("..", "..")
	paths, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, path := range append(paths, filepath.Join(root, "README.md")) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range commandLines(string(data)) {
			found++
			if err := parses(t.Context(), line); err != nil {
				t.Errorf("%s: syncmaster-setup %s: %v", filepath.Base(path), strings.Join(line, " "), err)
			}
		}
	}
	if found < leastLines {
		t.Errorf("only %d command lines were found", found)
	}
}

// leastAdvice is less than the tests of status and doctor bring about.
const leastAdvice = 50

// TestAdviceParses gives the parser every command line that the program is seen to advise.
func TestAdviceParses(t *testing.T) {
	found := 0
	for _, name := range []string{"doctor.txt", "status.txt"} {
		data, err := os.ReadFile(filepath.Join("..", "setup", "testdata", "advice", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range commandLines(string(data)) {
			found++
			if err := parses(t.Context(), line); err != nil {
				t.Errorf("%s: syncmaster-setup %s: %v", name, strings.Join(line, " "), err)
			}
		}
	}
	if found < leastAdvice {
		t.Errorf("only %d command lines were found", found)
	}
}

// TestParserOfDocs makes sure that lines which the program would refuse are found.
func TestParserOfDocs(t *testing.T) {
	text := "| see | `syncmaster-setup upgrad --to 1`, `syncmaster-setup upgrade --too 1` |\n" +
		"    eval \"$(syncmaster-setup dev env --shel)\" # or syncmaster-setup logs --grep 'a|b\n" +
		"syncmaster-setup is a program; `syncmaster-setup backup verify NAME --quiet`, `syncmaster-setup status all`\n"
	var refused []string
	for _, line := range commandLines(text) {
		if parses(t.Context(), line) != nil {
			refused = append(refused, strings.Join(line, " "))
		}
	}
	want := []string{"upgrad --to 1", "upgrade --too 1", "dev env --shel", "backup verify NAME --quiet", "status all"}
	if !slices.Equal(refused, want) {
		t.Errorf("refused are %q, want %q", refused, want)
	}
}

var (
	inlineCode = regexp.MustCompile("`([^`]+)`")
	callOfOurs = regexp.MustCompile(`(?:^|[\s('"=/])syncmaster-setup `)
)

// commandLines returns the words behind each syncmaster-setup in the code of a document: indented, fenced or inline.
func commandLines(text string) [][]string {
	var list [][]string
	fenced := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
			continue
		}
		pieces := []string{line}
		if !fenced && !strings.HasPrefix(line, "    ") {
			pieces = nil
			for _, m := range inlineCode.FindAllStringSubmatch(line, -1) {
				pieces = append(pieces, strings.ReplaceAll(m[1], `\|`, "|"))
			}
		}
		for _, piece := range pieces {
			for _, at := range callOfOurs.FindAllStringIndex(piece, -1) {
				// a synopsis is written from the parser itself, and COMMAND stands for any
				if words := shellWords(piece[at[1]:]); len(words) > 0 && words[0] != "COMMAND" && !strings.Contains(piece, "[OPTION...]") {
					list = append(list, words)
				}
			}
		}
	}
	return list
}

// shellWords cuts a command into words as a shell does, up to the end of the command. What stands in brackets, or behind
// three blanks, is said to the reader.
func shellWords(text string) []string {
	text, _, _ = strings.Cut(text, "   ")
	var words []string
	var word strings.Builder
	quote, open := rune(0), false
	end := func() {
		if open {
			words = append(words, word.String())
		}
		word.Reset()
		open = false
	}
	for _, r := range text {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, open = r, true
		case quote == 0 && (r == ' ' || r == '\n'):
			end()
		case quote == 0 && strings.ContainsRune("|&;<>()[]#", r):
			end()
			return words
		default:
			word.WriteRune(r)
			open = true
		}
	}
	end()
	return words
}

// parses gives words to the program with actions that do nothing but look at the arguments.
func parses(ctx context.Context, words []string) error {
	app := (&program{streams: Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard}}).app()
	for _, c := range everyCommand(app.Commands) {
		c.Action = func(ctx *cli.Context) error {
			switch rest := ctx.Args().Slice(); {
			case len(rest) > 0 && c.ArgsUsage == "":
				return fmt.Errorf("%s takes no argument, and %q is one", c.Name, rest[0])
			case len(rest) > 1 && strings.HasPrefix(rest[1], "-"):
				return fmt.Errorf("the option %s would not be read behind %s", rest[1], rest[0])
			}
			return swallowedOption(ctx)
		}
	}
	return app.RunContext(ctx, append([]string{app.Name}, words...))
}

func everyCommand(commands []*cli.Command) []*cli.Command {
	list := slices.Clone(commands)
	for _, c := range commands {
		list = append(list, everyCommand(c.Subcommands)...)
	}
	return list
}
