package backup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Listing is what the folder of the backups holds.
type Listing struct {
	Backups    []Manifest   // the newest first
	Unreadable []Unreadable // what looks like a backup and cannot be used as one, the newest name first
}

// Unreadable is a backup whose manifest cannot be read. Nobody but the user removes it.
type Unreadable struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// timed is how the names begin that this program gives.
var timed = regexp.MustCompile(`^\d{8}T\d{6}Z-`)

// List returns all backups. A folder that neither has a manifest nor looks like a backup is left out.
func (s Store) List() (Listing, error) {
	var l Listing
	entries, err := os.ReadDir(s.root)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return l, fmt.Errorf("listing the backups: %w", err)
	}
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), partial) {
			continue
		}
		m, err := s.read(e.Name())
		if !nameForm.MatchString(e.Name()) && exists(filepath.Join(s.Path(e.Name()), manifestFile)) {
			err = errors.New("its name may hold letters, digits, dots, dashes and underscores only: rename it")
		}
		switch {
		case err == nil:
			l.Backups = append(l.Backups, m)
		case !errors.Is(err, ErrNone):
			l.Unreadable = append(l.Unreadable, Unreadable{e.Name(), err.Error()})
		}
	}
	slices.SortFunc(l.Backups, func(a, b Manifest) int { return b.Created.Compare(a.Created) })
	slices.Reverse(l.Unreadable)
	return l, nil
}

// Newest returns the newest backup. What cannot be read and has the name of a newer one is in the way: taking an older
// one for the newest would lose data without a word.
func (l Listing) Newest() (name string, inTheWay *Unreadable) {
	for _, u := range l.Unreadable {
		if timed.MatchString(u.Name) && (len(l.Backups) == 0 || u.Name > l.Backups[0].Created.UTC().Format(timeForm)) {
			return "", &u
		}
	}
	if len(l.Backups) == 0 {
		return "", nil
	}
	return l.Backups[0].Name, nil
}

// Manifest reads what a backup holds.
func (s Store) Manifest(name string) (Manifest, error) {
	m, err := s.read(name)
	if errors.Is(err, ErrNone) {
		return m, fmt.Errorf("reading the backup %q: %w", name, err)
	}
	if err != nil {
		return m, fmt.Errorf("reading the manifest of the backup %q: %w", name, err)
	}
	return m, nil
}

// read returns a manifest, or why there is none.
func (s Store) read(name string) (Manifest, error) {
	if !nameForm.MatchString(name) {
		return Manifest{}, ErrNone
	}
	data, err := os.ReadFile(filepath.Join(s.Path(name), manifestFile))
	if errors.Is(err, fs.ErrNotExist) {
		if timed.MatchString(name) && exists(s.Path(name)) || exists(filepath.Join(s.Path(name), Dump)) {
			return Manifest{}, errors.New("it has no " + manifestFile + ", so it was copied or removed in part")
		}
		return Manifest{}, ErrNone
	}
	if err != nil {
		return Manifest{}, err
	}
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return Manifest{}, err
	}
	if m.Format < 1 || m.Format > format || m.Files == nil {
		return Manifest{}, fmt.Errorf("its format %d is not one that this program knows", m.Format)
	}
	for file := range m.Files {
		if file != filepath.Base(file) || !filepath.IsLocal(file) || file == "." {
			return Manifest{}, fmt.Errorf("it names the file %q, which is not in the backup", file)
		}
	}
	m.Name = name // a folder may be copied under another name
	return m, nil
}
