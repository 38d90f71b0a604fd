package envfile

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// statement is one assignment in the text, as Compose's parser cuts it. Offsets are bytes of the text.
type statement struct {
	start      int // of the statement, also of a leading "export"
	keyStart   int
	keyEnd     int
	valueStart int
	valueEnd   int // after the closing quote, or before the blanks and the comment after a plain value
	next       int // where the parser goes on
	assigned   bool
}

var exportWord = regexp.MustCompile(`^export[\t\n\f\r ]+`)

// scan cuts a text into statements. Its rules are those of compose-go's dotenv parser, which tells values but not
// where they stand; quoted values end at their quote, so that several statements may share a line. Errors name the line
// and never show its content.
func scan(text string) ([]statement, error) {
	var list []statement
	pos := len(text) - len(strings.TrimPrefix(text, bom))
	for {
		start := skipToStatement(text, pos)
		if start == len(text) {
			return list, nil
		}
		s, err := scanStatement(text, start)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
		pos = s.next
	}
}

// skipToStatement returns where the next statement starts after blanks and comments, or the length of the text.
func skipToStatement(text string, pos int) int {
	for {
		at := strings.IndexFunc(text[pos:], func(r rune) bool { return !unicode.IsSpace(r) })
		if at < 0 {
			return len(text)
		}
		pos += at
		if text[pos] != '#' {
			return pos
		}
		at = strings.IndexByte(text[pos:], '\n')
		if at < 0 {
			return len(text)
		}
		pos += at
	}
}

func scanStatement(text string, start int) (statement, error) {
	s := statement{start: start, keyStart: start}
	if exportWord.MatchString(text[start:]) {
		s.keyStart = skipBlanks(text, start+len("export"))
	}
	end, err := scanKey(text, s.keyStart)
	if err != nil {
		return s, err
	}
	s.keyEnd = s.keyStart + len(strings.TrimRightFunc(text[s.keyStart:end], unicode.IsSpace))
	if strings.Contains(text[s.keyStart:s.keyEnd], " ") {
		return s, fmt.Errorf("line %d: the name of a variable contains a blank", lineOf(text, start))
	}
	if end == len(text) || text[end] == '\n' { // a name without a value is taken from the environment
		s.valueStart, s.valueEnd, s.next = s.keyEnd, s.keyEnd, min(end+1, len(text))
		return s, nil
	}
	s.assigned = true
	s.valueStart = skipBlanks(text, end+1)
	return scanValue(text, s)
}

// scanKey returns the offset of what ends a name: an equals sign, a colon, a line end, or the end of the text.
func scanKey(text string, start int) (int, error) {
	for i, r := range text[start:] {
		switch {
		case r == '=' || r == ':' || r == '\n':
			return start + i, nil
		case isBlank(r), strings.ContainsRune("_.-[]", r), unicode.IsLetter(r), unicode.IsNumber(r):
		default:
			return 0, fmt.Errorf("line %d: the name of a variable contains %q", lineOf(text, start), r)
		}
	}
	return len(text), nil
}

func scanValue(text string, s statement) (statement, error) {
	rest := text[s.valueStart:]
	if rest == "" || rest[0] != '"' && rest[0] != '\'' {
		line, _, found := strings.Cut(rest, "\n")
		s.next = s.valueStart + len(line)
		if found {
			s.next++
		}
		line, _, _ = strings.Cut(line, " #")
		s.valueEnd = s.valueStart + len(strings.TrimRightFunc(line, unicode.IsSpace))
		return s, nil
	}
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++ // whatever follows is not the closing quote
		case rest[0]:
			s.valueEnd = s.valueStart + i + 1
			s.next = s.valueEnd
			return s, nil
		}
	}
	return s, fmt.Errorf("line %d: the value of %s has no closing quote", lineOf(text, s.start), text[s.keyStart:s.keyEnd])
}

func skipBlanks(text string, pos int) int {
	return len(text) - len(strings.TrimLeftFunc(text[pos:], isBlank))
}

// isBlank is the parser's notion of white space inside a line.
func isBlank(r rune) bool { return r != '\n' && r <= unicode.MaxLatin1 && unicode.IsSpace(r) }

func lineOf(text string, pos int) int { return strings.Count(text[:pos], "\n") + 1 }
