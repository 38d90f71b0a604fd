package envfile

import (
	"fmt"
	"strings"
)

// replace writes a value in place of that of a statement.
func (f *File) replace(s statement, value string) error {
	quoted, err := Quote(value)
	if err == nil && (quoted == "" && strings.TrimSpace(f.text[s.valueEnd:f.lineEnd(s.valueEnd)]) != "" || !f.plainMayEnd(s.valueEnd)) {
		quoted, err = forceQuotes(value) // or what follows would become part of the value
	}
	if err != nil {
		return fmt.Errorf("setting %s: %w", f.key(s), err)
	}
	if !s.assigned {
		quoted = "=" + quoted
	}
	return f.become(f.text[:s.valueStart] + quoted + f.text[s.valueEnd:])
}

// plainMayEnd reports whether a plain value may end at an offset: nothing but blanks or a comment follows on the line.
func (f *File) plainMayEnd(pos int) bool {
	rest := f.text[pos:f.lineEnd(pos)]
	return strings.TrimSpace(rest) == "" || rest[0] == ' ' && strings.HasPrefix(strings.TrimLeft(rest, " "), "#")
}

// insert puts a line at an offset that is a beginning of a line or the end of the text.
func (f *File) insert(line string, at int) error {
	end := "\n"
	if strings.Contains(f.text, "\r\n") {
		end = "\r\n"
	}
	before := f.text[:at]
	if strings.TrimPrefix(before, bom) != "" && !strings.HasSuffix(before, "\n") {
		before += end
	}
	return f.become(before + line + end + f.text[at:])
}

// insertionPoint returns the beginning of the line after a key, or the end of the text.
func (f *File) insertionPoint(after string) int {
	at := f.last(after)
	if after == "" || at < 0 {
		return len(f.text)
	}
	// another statement may begin on the same line and end on a later one
	end := f.statements[at].valueEnd
	for _, s := range f.statements[at:] {
		if s.start <= f.lineEnd(end) {
			end = max(end, s.valueEnd)
		}
	}
	return min(f.lineEnd(end)+1, len(f.text))
}

// remove takes every statement of a key out of the text and puts in what instead makes of its lines.
func (f *File) remove(key string, instead func(lines string) string) (bool, error) {
	found := false
	for at := f.last(key); at >= 0 && key != ""; at = f.last(key) {
		found = true
		if err := f.become(f.without(at, instead)); err != nil {
			return found, err
		}
	}
	return found, nil
}

// without returns the text without a statement: its whole lines where it has them for itself, else its own bytes, and
// then what replaces it goes before the line.
func (f *File) without(at int, instead func(lines string) string) string {
	s := f.statements[at]
	start, end := f.lineStart(s.start), min(f.lineEnd(s.valueEnd)+1, len(f.text))
	if f.alone(at, start, end) {
		return f.text[:start] + instead(f.text[start:end]) + f.text[end:]
	}
	replacement := instead(f.text[s.start:s.valueEnd])
	if replacement != "" {
		replacement += "\n"
	}
	for i := at - 1; i >= 0 && f.statements[i].valueEnd > start; i-- { // begun before this line, or on it
		start = f.lineStart(f.statements[i].start)
	}
	return f.text[:start] + replacement + f.text[start:s.start] + f.text[s.valueEnd:]
}

// alone reports whether no other statement has a part in start..end.
func (f *File) alone(at, start, end int) bool {
	before := at == 0 || f.statements[at-1].valueEnd <= start
	after := at == len(f.statements)-1 || f.statements[at+1].start >= end
	return before && after
}

// become takes a new text, or leaves the file as it is where that text cannot be read.
func (f *File) become(text string) error {
	changed, err := Parse(text)
	if err != nil {
		return fmt.Errorf("reading the file after the change: %w", err)
	}
	*f = *changed
	return nil
}

// lineStart returns where the line of an offset begins, after a byte order mark.
func (f *File) lineStart(pos int) int {
	start := strings.LastIndexByte(f.text[:pos], '\n') + 1
	if start == 0 && strings.HasPrefix(f.text, bom) {
		return len(bom)
	}
	return start
}

// lineEnd returns the offset of the line end at or after an offset, or the length of the text.
func (f *File) lineEnd(pos int) int {
	if at := strings.IndexByte(f.text[pos:], '\n'); at >= 0 {
		return pos + at
	}
	return len(f.text)
}
