// Package docs knows every command line that README.md and docs/ give to their reader, and who executes it: a scenario
// on a real stack (scenarios/, run by test/e2e), or somebody else (elsewhere.txt).
package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Line is a command line of a document.
type Line struct {
	File   string
	Number int
	Text   string // without the comment behind it
	Block  bool   // it stands in a block of its own, not in a sentence
}

// designs tell why the program is as it is, and give nobody a line to type.
var designs = []string{"design.md", "decisions.md"}

// programs are the words that a command line in a sentence begins with.
var programs = strings.Fields("syncmaster-setup migrate docker make go sudo systemctl journalctl rsync eval export curl head mkdir cd openssl git sed cp")

var (
	inlineCode = regexp.MustCompile("`([^`]+)`")
	comment    = regexp.MustCompile(`\s+# .*$`)
	blanks     = regexp.MustCompile(`\s+`)
)

// Read returns the command lines of all documents in the repository.
func Read(root string) ([]Line, error) {
	paths, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		return nil, fmt.Errorf("listing the documents: %w", err)
	}
	var list []Line
	for _, path := range append(paths, filepath.Join(root, "README.md")) {
		name := filepath.Base(path)
		if slices.Contains(designs, name) {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		list = append(list, linesOf(name, string(data))...)
	}
	return list, nil
}

// linesOf reads a document: indented blocks, those fenced as sh or console, and code in sentences and tables.
func linesOf(name, text string) []Line {
	var list []Line
	fence, fenced := "", false
	var sentence strings.Builder
	began := 0
	flush := func() {
		list = append(list, inline(name, began, sentence.String())...)
		sentence.Reset()
	}
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\n")
		language, isFence := strings.CutPrefix(line, "```")
		prompt, isPrompt := strings.CutPrefix(line, "$ ")
		switch {
		case isFence:
			flush()
			fence, fenced = language, !fenced
		case fenced && fence == "sh":
			list = append(list, block(name, number, line)...)
		case fenced && fence == "console" && isPrompt:
			list = append(list, block(name, number, prompt)...)
		case fenced:
		case strings.HasPrefix(line, "    "):
			flush()
			list = append(list, block(name, number, line)...)
		case strings.TrimSpace(line) == "":
			flush()
		default:
			if sentence.Len() == 0 {
				began = number
			}
			sentence.WriteString(line + "\n")
		}
	}
	flush()
	return list
}

// block returns the line of a block, unless it is a comment or a synopsis.
func block(name string, number int, line string) []Line {
	line = strings.TrimSpace(comment.ReplaceAllString(line, ""))
	if line == "" || strings.HasPrefix(line, "# ") || strings.Contains(line, "[OPTION...]") {
		return nil
	}
	return []Line{{name, number, line, true}}
}

// inline returns the command lines within a paragraph. A program that is only named is none.
func inline(name string, began int, paragraph string) []Line {
	var list []Line
	for _, at := range inlineCode.FindAllStringSubmatchIndex(paragraph, -1) {
		code := strings.ReplaceAll(paragraph[at[2]:at[3]], `\|`, "|")
		code = strings.TrimSpace(blanks.ReplaceAllString(code, " "))
		words := strings.Fields(code)
		if len(words) < 2 || code == "docker compose" || strings.Contains(code, "COMMAND") {
			continue
		}
		if !slices.Contains(programs, words[0]) && !strings.Contains(code, "syncmaster-setup ") {
			continue
		}
		if words[0] == "migrate" { // as docs/migrations.md writes it beside Alembic's words
			code = "syncmaster-setup " + code
		}
		list = append(list, Line{name, began + strings.Count(paragraph[:at[0]], "\n"), code, false})
	}
	return list
}
