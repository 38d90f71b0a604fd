// Package envfile reads and edits env files and keeps their comments, order and line ends. What a value means is
// decided by compose-go's own parser, so that Compose and this package always agree. It does no I/O.
package envfile

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"
)

const bom = "\ufeff"

var (
	nameForm  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)
	reference = regexp.MustCompile(`\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))`)
)

// File is an env file: its text, cut into statements, and the values that Compose sees. Make it with [Parse].
type File struct {
	text       string
	statements []statement
	values     map[string]string
}

// Parse reads a text as Compose reads it. References to variables that the file itself does not set are empty, as the
// environment is not looked at. Errors name the line, and no value.
func Parse(text string) (*File, error) {
	statements, err := scan(text)
	if err != nil {
		return nil, err
	}
	f := &File{text: text, statements: statements, values: map[string]string{}}
	for _, s := range statements {
		if !s.assigned {
			continue
		}
		value, err := f.evaluate(s)
		if err != nil {
			return nil, err
		}
		f.values[f.key(s)] = value
	}
	return f, nil
}

// String returns the text, unchanged where nothing was edited.
func (f *File) String() string { return f.text }

// Get returns a value as Compose sees it; false where the file does not set the key.
func (f *File) Get(key string) (string, bool) {
	value, ok := f.values[key]
	return value, ok
}

// Keys returns the keys that have a value, in the order of their first appearance.
func (f *File) Keys() []string {
	var keys []string
	for _, s := range f.statements {
		if key := f.key(s); s.assigned && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// Map returns a copy of all keys and values.
func (f *File) Map() map[string]string {
	values := make(map[string]string, len(f.values))
	for k, v := range f.values {
		values[k] = v
	}
	return values
}

// Set gives a key a value where the key stands, comments kept; a new key is appended. Nothing is written where the
// value is already that one. Other keys keep their values, unless they refer to this key.
func (f *File) Set(key, value string) error { return f.SetAfter(key, value, "") }

// SetAfter is Set, but a new key is inserted on the line after another key, where the file has that one.
func (f *File) SetAfter(key, value, after string) error {
	if !nameForm.MatchString(key) {
		return fmt.Errorf("%q cannot be the name of a variable", key)
	}
	if old, ok := f.values[key]; ok && old == value {
		return nil
	}
	if at := f.last(key); at >= 0 {
		return f.replace(f.statements[at], value)
	}
	quoted, err := Quote(value)
	if err != nil {
		return fmt.Errorf("setting %s: %w", key, err)
	}
	return f.insert(key+"="+quoted, f.insertionPoint(after))
}

// Unset removes every assignment of a key, with the comment on its line. It reports whether there was one.
func (f *File) Unset(key string) (bool, error) {
	return f.remove(key, func(string) string { return "" })
}

// Comment turns every assignment of a key into comment lines. It reports whether there was one.
func (f *File) Comment(key string) (bool, error) {
	return f.remove(key, func(lines string) string {
		var out strings.Builder
		for line := range strings.Lines(lines) {
			out.WriteString("# " + line)
		}
		return out.String()
	})
}

// evaluate lets compose-go's parser read one statement. Variables that are set nowhere are given as empty, which is
// what they become, because the parser would otherwise log them.
func (f *File) evaluate(s statement) (string, error) {
	raw := f.text[s.keyStart:s.valueEnd]
	unset := map[string]bool{}
	for _, m := range reference.FindAllStringSubmatch(raw, -1) {
		unset[m[1]+m[2]] = true
	}
	out, err := dotenv.UnmarshalWithLookup(raw, func(name string) (string, bool) {
		value, ok := f.values[name]
		return value, ok || unset[name]
	})
	if err != nil { // the parser's error shows the value
		return "", fmt.Errorf("line %d: the value of %s refers to a variable in a way that Compose refuses; write $$ for a dollar sign", lineOf(f.text, s.start), f.key(s))
	}
	return out[f.key(s)], nil
}

func (f *File) key(s statement) string { return f.text[s.keyStart:s.keyEnd] }

// last returns the index of the statement that decides a key, or -1.
func (f *File) last(key string) int {
	for i, s := range slices.Backward(f.statements) {
		if f.key(s) == key {
			return i
		}
	}
	return -1
}
