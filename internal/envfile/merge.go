package envfile

import (
	"fmt"
	"slices"
	"strings"
)

// Side is one of the two versions that a merge brings together.
type Side int

// The sides of a merge: the file with the user's edits, and the one that a release renders.
const (
	Ours Side = iota + 1
	Theirs
)

// Merged is the outcome of a merge.
type Merged struct {
	Text      string     // ours with the changes of theirs; of a conflict, the value of ours
	Conflicts []Conflict // in the order of the file
}

// Conflict is a key that both sides changed, each in another way. Its values may be secrets.
type Conflict struct {
	Key                string
	Base, Ours, Theirs string
	HasOurs, HasTheirs bool // false where that side dropped the key
}

// merge is the three versions of a file, and for each key the side whose value counts.
type merge struct {
	base, ours, theirs *File
	side               map[string]Side
}

// Merge brings the changes from base to theirs into ours: base is what was rendered last, ours the same file with the
// user's edits, theirs what is rendered now. Values are merged key by key, as Compose sees them; comments and order line
// by line, ours kept wherever the user changed them. Prefer decides the keys that would be conflicts.
func Merge(base, ours, theirs string, prefer map[string]Side) (Merged, error) {
	m, err := parseSides(base, ours, theirs)
	if err != nil {
		return Merged{}, err
	}
	conflicts := m.choose(prefer)
	switch base {
	case theirs:
		return Merged{ours, conflicts}, nil
	case ours:
		return Merged{theirs, conflicts}, nil
	}
	result, err := Parse(m.arrange())
	if err != nil {
		return Merged{}, fmt.Errorf("reading the merged file: %w", err)
	}
	if err := m.settle(result); err != nil {
		return Merged{}, err
	}
	return Merged{result.String(), conflicts}, nil
}

func parseSides(base, ours, theirs string) (*merge, error) {
	m := &merge{side: map[string]Side{}}
	for _, v := range []struct {
		file       **File
		text, what string
	}{{&m.base, base, "the file as it was last written"}, {&m.ours, ours, "the file with your changes"}, {&m.theirs, theirs, "the new file"}} {
		file, err := Parse(v.text)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", v.what, err)
		}
		*v.file = file
	}
	return m, nil
}

// choose decides for each key whose value counts, and returns the keys that it cannot decide; those stay as in ours.
func (m *merge) choose(prefer map[string]Side) []Conflict {
	var conflicts []Conflict
	for _, key := range m.keys() {
		was, had := m.base.Get(key)
		ours, hasOurs := m.ours.Get(key)
		theirs, hasTheirs := m.theirs.Get(key)
		sameOurs, sameTheirs := ours == was && hasOurs == had, theirs == was && hasTheirs == had
		m.side[key] = Ours
		switch {
		case sameOurs:
			m.side[key] = Theirs
		case sameTheirs || ours == theirs && hasOurs == hasTheirs:
		case prefer[key] != 0:
			m.side[key] = prefer[key]
		default:
			conflicts = append(conflicts, Conflict{key, was, ours, theirs, hasOurs, hasTheirs})
		}
	}
	return conflicts
}

// keys returns every key of ours in its order, then those of theirs and base.
func (m *merge) keys() []string {
	var keys []string
	for _, key := range slices.Concat(m.ours.Keys(), m.theirs.Keys(), m.base.Keys()) {
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// value returns what a key holds on the side that counts.
func (m *merge) value(key string) (string, bool) {
	if m.side[key] == Theirs {
		return m.theirs.Get(key)
	}
	return m.ours.Get(key)
}

// settle gives each key of the arranged file its value; the arrangement alone moves lines and knows no values. A value
// of the user that refers to another key is left to follow that key.
func (m *merge) settle(result *File) error {
	for _, key := range result.Keys() {
		if _, wanted := m.value(key); !wanted {
			if _, err := result.Unset(key); err != nil {
				return fmt.Errorf("removing %s: %w", key, err)
			}
		}
	}
	for _, key := range m.keys() {
		value, wanted := m.value(key)
		current, has := result.Get(key)
		if !wanted || has && (current == value || m.side[key] == Ours && m.ours.refers(key)) {
			continue
		}
		if err := result.SetAfter(key, value, m.before(key, result)); err != nil {
			return err
		}
	}
	return nil
}

// before returns the nearest key that stands before another one on the side that counts and is in the result, too.
func (m *merge) before(key string, result *File) string {
	keys := m.ours.Keys()
	if m.side[key] == Theirs {
		keys = m.theirs.Keys()
	}
	at := slices.Index(keys, key)
	for _, k := range slices.Backward(keys[:max(at, 0)]) {
		if _, has := result.Get(k); has {
			return k
		}
	}
	return ""
}

// refers reports whether the value of a key is made from that of another one.
func (f *File) refers(key string) bool {
	s := f.statements[f.last(key)]
	raw := f.text[s.valueStart:s.valueEnd]
	return !strings.HasPrefix(raw, "'") && reference.MatchString(raw)
}
