package envfile

import (
	"fmt"
	"maps"
	"slices"
)

// Rename gives every assignment of a key another name; value, comments and place stay. It reports whether there was one.
func (f *File) Rename(key, to string) (bool, error) {
	if !nameForm.MatchString(to) {
		return false, fmt.Errorf("%q cannot be the name of a variable", to)
	}
	found := false
	for at := f.last(key); at >= 0 && key != to; at = f.last(key) {
		s := f.statements[at]
		if err := f.become(f.text[:s.keyStart] + to + f.text[s.keyEnd:]); err != nil {
			return found, err
		}
		found = true
	}
	return found, nil
}

// Rewrite makes the file hold exactly these values: keys are renamed where they stand (old name to new name), others
// removed, changed in place, or appended.
func (f *File) Rewrite(values, renamed map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(renamed)) {
		if _, err := f.Rename(key, renamed[key]); err != nil {
			return fmt.Errorf("renaming %s: %w", key, err)
		}
	}
	for _, key := range f.Keys() {
		if _, wanted := values[key]; !wanted {
			if _, err := f.Unset(key); err != nil {
				return fmt.Errorf("removing %s: %w", key, err)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if current, has := f.Get(key); has && current == values[key] {
			continue
		}
		if err := f.Set(key, values[key]); err != nil {
			return err
		}
	}
	return nil
}
