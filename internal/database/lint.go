package database

import (
	"fmt"
	"slices"
	"strings"
)

// notTransactional are the first words of statements that control a transaction or cannot run inside one.
var notTransactional = []string{
	"ABORT", "BEGIN", "CALL", "CHECKPOINT", "CLUSTER", "COMMIT", "COPY", "DO", "END", "EXECUTE", "PREPARE", "RELEASE",
	"ROLLBACK", "SAVEPOINT", "START", "VACUUM",
}

// lint refuses SQL that would leave the transaction it runs in: transaction control, statements that PostgreSQL
// refuses inside a transaction, and DO and CALL, whose bodies could commit.
func lint(name, sql string) error {
	statements, err := splitStatements(sql)
	if err != nil {
		return fmt.Errorf("checking %s: %w", name, err)
	}
	for _, s := range statements {
		words := strings.Fields(strings.ToUpper(s))
		if slices.Contains(notTransactional, strings.Trim(words[0], "();")) || slices.Contains(words, "CONCURRENTLY") {
			return fmt.Errorf("checking %s: %s cannot be part of a migration's transaction", name, words[0])
		}
	}
	return nil
}

// splitStatements cuts SQL at the semicolons outside of strings, quoted names and comments, and drops the comments. It
// serves checks only: what runs is always the whole file.
func splitStatements(sql string) ([]string, error) {
	var statements []string
	var current strings.Builder
	for i := 0; i < len(sql); {
		rest := sql[i:]
		length, comment := tokenLength(rest)
		if length < 0 {
			return nil, fmt.Errorf("the text from byte %d on is not closed", i)
		}
		switch {
		case comment:
			current.WriteByte(' ')
		case rest[0] == ';':
			statements = appendStatement(statements, &current)
		default:
			current.WriteString(rest[:length])
		}
		i += length
	}
	return appendStatement(statements, &current), nil
}

func appendStatement(statements []string, current *strings.Builder) []string {
	text := strings.TrimSpace(current.String())
	current.Reset()
	if text == "" {
		return statements
	}
	return append(statements, text)
}

// tokenLength returns how many bytes the token at the start of the text has, and whether it is a comment; -1 where a
// quote or comment is never closed.
func tokenLength(text string) (length int, comment bool) {
	switch {
	case strings.HasPrefix(text, "--"):
		if end := strings.IndexByte(text, '\n'); end >= 0 {
			return end, true
		}
		return len(text), true
	case strings.HasPrefix(text, "/*"):
		return closed(text, 2, "*/"), true
	case text[0] == '\'' || text[0] == '"':
		return closed(text, 1, text[:1]), false
	case text[0] == '$':
		if end := strings.IndexByte(text[1:], '$'); end >= 0 && !strings.ContainsAny(text[1:end+1], " \n;(),'") {
			return closed(text, end+2, text[:end+2]), false
		}
	}
	return 1, false
}

// closed returns the length up to and including the closing mark, which is looked for from byte start on.
func closed(text string, start int, mark string) int {
	end := strings.Index(text[start:], mark)
	if end < 0 {
		return -1
	}
	return start + end + len(mark)
}
