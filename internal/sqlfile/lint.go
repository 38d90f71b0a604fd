package sqlfile

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// notTransactional are the first words of statements that control a transaction or cannot run inside one.
var notTransactional = []string{
	"ABORT", "BEGIN", "CALL", "CHECKPOINT", "CLUSTER", "COMMIT", "COPY", "DO", "END", "EXECUTE", "PREPARE", "RELEASE",
	"ROLLBACK", "SAVEPOINT", "START", "VACUUM",
}

// Lint refuses SQL that would leave the transaction it runs in: transaction control, statements that PostgreSQL
// refuses inside a transaction, and DO and CALL, whose bodies could commit. Strings with backslash escapes are refused,
// too: where they end is easy to get wrong.
func Lint(name, sql string) error {
	list, err := split(sql)
	if err != nil {
		return fmt.Errorf("checking %s: %w", name, err)
	}
	for _, s := range list {
		if len(s.words) > 0 && slices.Contains(notTransactional, s.words[0]) {
			return fmt.Errorf("checking %s: %s cannot be part of a migration's transaction", name, s.words[0])
		}
		if slices.Contains(s.words, "CONCURRENTLY") {
			return fmt.Errorf("checking %s: CONCURRENTLY cannot be part of a migration's transaction", name)
		}
	}
	return nil
}

// Statements cuts SQL at the semicolons outside of strings, quoted names and comments, and drops the comments. It serves
// checks only: what runs is always the whole file.
func Statements(sql string) ([]string, error) {
	list, err := split(sql)
	var texts []string
	for _, s := range list {
		texts = append(texts, s.text)
	}
	return texts, err
}

// statement is one statement and its words, in capitals, without what is quoted.
type statement struct {
	text  string
	words []string
}

func split(sql string) ([]statement, error) {
	var list []statement
	var text strings.Builder
	var words []string
	end := func() {
		if s := strings.TrimSpace(text.String()); s != "" {
			list = append(list, statement{s, words})
		}
		text.Reset()
		words = nil
	}
	for i := 0; i < len(sql); {
		kind, length, err := token(sql[i:])
		if err != nil {
			return nil, fmt.Errorf("%w, from byte %d on", err, i)
		}
		switch part := sql[i : i+length]; kind {
		case comment:
			text.WriteByte(' ')
		case separator:
			end()
		case word:
			words = append(words, strings.ToUpper(part))
			text.WriteString(part)
		default:
			text.WriteString(part)
		}
		i += length
	}
	end()
	return list, nil
}

// kind is what a token is, as far as it matters here.
type kind int

const (
	other kind = iota
	comment
	separator
	word
)

var (
	// an unquoted name may hold dollar signs, which then quote nothing (PostgreSQL manual, 4.1.1)
	wordPattern   = regexp.MustCompile(`^[A-Za-z_\x80-\x{10FFFF}][A-Za-z0-9_$\x80-\x{10FFFF}]*`)
	dollarPattern = regexp.MustCompile(`^\$([A-Za-z_\x80-\x{10FFFF}][A-Za-z0-9_\x80-\x{10FFFF}]*)?\$`)

	errOpen   = errors.New("a quote or a comment is not closed")
	errEscape = errors.New("a string with backslash escapes is not accepted")
)

// token returns the kind and the length of what the text begins with.
func token(text string) (kind, int, error) {
	if name := wordPattern.FindString(text); name != "" {
		if strings.EqualFold(name, "E") && strings.HasPrefix(text[1:], "'") {
			return other, 0, errEscape
		}
		return word, len(name), nil
	}
	if mark := dollarPattern.FindString(text); mark != "" {
		return closed(text, len(mark), mark)
	}
	switch {
	case text[0] == ';':
		return separator, 1, nil
	case strings.HasPrefix(text, "--"):
		if end := strings.IndexAny(text, "\r\n"); end >= 0 {
			return comment, end, nil
		}
		return comment, len(text), nil
	case strings.HasPrefix(text, "/*"):
		return blockComment(text)
	case text[0] == '\'' || text[0] == '"':
		return closed(text, 1, text[:1])
	}
	return other, 1, nil
}

// closed ends with the closing mark, which is looked for from byte start on.
func closed(text string, start int, mark string) (kind, int, error) {
	end := strings.Index(text[start:], mark)
	if end < 0 {
		return other, 0, errOpen
	}
	return other, start + end + len(mark), nil
}

// blockComment ends where as many comments are closed as were opened: PostgreSQL nests them.
func blockComment(text string) (kind, int, error) {
	depth := 0
	for i := 0; i+1 < len(text); i++ {
		switch text[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			depth--
			i++
		}
		if depth == 0 {
			return comment, i + 1, nil
		}
	}
	return comment, 0, errOpen
}
