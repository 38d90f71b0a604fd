package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestMessages looks for each message of docs/troubleshooting.md in the program. Cells that begin with other text than
// a message, such as "log:", tell what others say.
func TestMessages(t *testing.T) {
	said := sayings(t)
	found := 0
	for line := range strings.Lines(text(t, "docs/troubleshooting.md")) {
		cell, is := strings.CutPrefix(line, "| `")
		if !is {
			continue
		}
		cell, _, _ = strings.Cut(cell, " | ")
		for _, code := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch("`"+cell, -1) {
			found++
			if !isSaid(said, code[1]) {
				t.Errorf("no message of the program is %q", code[1])
			}
		}
	}
	if found < 50 {
		t.Errorf("only %d messages were found", found)
	}
}

// isSaid tells whether a message, in which … stands for anything, is one of the texts, begins one, or is one wrapped
// around another.
func isSaid(said []saying, message string) bool {
	if matches(said, message) {
		return true
	}
	for i := range message {
		inner, cut := strings.CutPrefix(message[i:], ": ")
		if cut && matches(said, message[:i]+": …") && isSaid(said, inner) {
			return true
		}
	}
	return false
}

func matches(said []saying, message string) bool {
	begins := pattern("^", message, "…", ".*", "")
	return slices.ContainsFunc(said, func(s saying) bool { return begins.MatchString(s.text) || s.pattern.MatchString(message) })
}

// saying is a text in the program: with wild for each verb, and as a pattern in which a verb stands for anything.
type saying struct {
	text    string
	pattern *regexp.Regexp
}

// pattern is a text as a regular expression, in which a part of it stands for something else.
func pattern(before, text, part, instead, behind string) *regexp.Regexp {
	pieces := strings.Split(text, part)
	for i := range pieces {
		pieces[i] = regexp.QuoteMeta(pieces[i])
	}
	return regexp.MustCompile("(?s)" + before + strings.Join(pieces, instead) + behind)
}

// sayings returns the texts in the program's source.
func sayings(t *testing.T) []saying {
	t.Helper()
	verb := regexp.MustCompile(`%[-+#\[\]0-9.*]*[a-z]`)
	var list []saying
	err := filepath.WalkDir(filepath.Join(root, "internal"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if expr, is := node.(ast.Expr); is {
				text := strings.ReplaceAll(verb.ReplaceAllString(literal(expr), wild), "\n", " ")
				if len(strings.ReplaceAll(text, wild, "")) >= leastText {
					list = append(list, saying{text, pattern("^", text, wild, ".+", "$")})
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// leastText is what a text must say by itself: a pattern such as "%s: %w" would be every message.
const leastText = 8

// wild stands for what is known only when the program runs.
const wild = "\x00"

// literal returns the text of an expression that is put together from texts; empty where there is none in it.
func literal(expr ast.Expr) string {
	switch e := expr.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); e.Kind == token.STRING && err == nil {
			return text
		}
	case *ast.BinaryExpr:
		if e.Op != token.ADD {
			return ""
		}
		left, right := literal(e.X), literal(e.Y)
		if left == "" && right == "" {
			return ""
		}
		if left == "" {
			left = wild
		}
		if right == "" {
			right = wild
		}
		return left + right
	}
	return ""
}
