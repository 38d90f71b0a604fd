package workdir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"syncmaster-setup/internal/config"
	"syncmaster-setup/internal/fault"
)

// stateFormat is raised when an older program could misread the state.
const stateFormat = 1

// Phase tells how far an install is.
type Phase string

// An install is Installing from the first file written until every service was seen healthy.
const (
	Installing Phase = "installing"
	Installed  Phase = "installed"
)

// State is what the folder knows of its install. It holds no secrets.
type State struct {
	Format     int       `json:"format"`
	Phase      Phase     `json:"phase"`
	Version    string    `json:"version"`
	Project    string    `json:"project"`
	Generation int       `json:"generation"`
	Previous   int       `json:"previous,omitempty"` // generation that a rollback returns to, 0 for none
	Changed    time.Time `json:"changed"`
	// Options are those of the install, without the values that may be secret: they are in the env files.
	Options config.Options `json:"options"`
	// Database is PostgreSQL's system identifier: it tells this database from another one at the same address.
	Database string `json:"database,omitempty"`
}

// State returns the folder's state and whether there is one.
func (d Dir) State() (State, bool, error) {
	text, exists, err := d.Read(filepath.Join(StateDir, stateFile))
	if err != nil || !exists {
		return State{}, false, err
	}
	var s State
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return State{}, false, fault.New(fault.Refused, fmt.Errorf("reading %s: %w", d.File(StateDir+"/"+stateFile), err),
			"restore the file from a backup of the folder; nothing was changed")
	}
	if s.Format > stateFormat {
		return State{}, false, fault.New(fault.Refused,
			fmt.Errorf("%s was written by a newer syncmaster-setup (format %d, this one knows %d)", d.File(StateDir+"/"+stateFile), s.Format, stateFormat),
			"use the newer program")
	}
	if s.Format < 1 || s.Version == "" || s.Project == "" || (s.Phase != Installing && s.Phase != Installed) {
		return State{}, false, fault.New(fault.Refused, fmt.Errorf("%s is incomplete", d.File(StateDir+"/"+stateFile)),
			"restore the file from a backup of the folder; nothing was changed")
	}
	return s, true, nil
}

// SaveState writes the state.
func (d Dir) SaveState(s State) error {
	s.Format = stateFormat
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the state: %w", err)
	}
	return writeFile(d.File(filepath.Join(StateDir, stateFile)), append(data, '\n'), secretMode)
}

// SaveGeneration keeps a copy of what was rendered, before it is put into place. All files of a generation are
// readable by the owner only. A generation that was half written by a killed run is written again.
func (d Dir) SaveGeneration(number int, files map[string]string) error {
	folder := d.GenerationPath(number)
	for _, f := range []string{filepath.Dir(folder), folder} {
		if err := makeFolder(f); err != nil {
			return err
		}
	}
	for _, name := range []string{EnvFile, AppEnvFile, ComposeFile} {
		if err := writeFile(filepath.Join(folder, name), []byte(files[name]), secretMode); err != nil {
			return err
		}
	}
	return nil
}

// Generation returns the files of a generation; a file that was never written is missing in the map.
func (d Dir) Generation(number int) (map[string]string, error) {
	files := map[string]string{}
	for _, name := range []string{EnvFile, AppEnvFile, ComposeFile} {
		text, exists, err := d.Read(filepath.Join(StateDir, generations, fmt.Sprintf("%04d", number), name))
		if err != nil {
			return nil, err
		}
		if exists {
			files[name] = text
		}
	}
	return files, nil
}

// LastGeneration returns the highest number in use, 0 for none.
func (d Dir) LastGeneration() (int, error) {
	entries, err := os.ReadDir(d.File(filepath.Join(StateDir, generations)))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("listing the generations: %w", err)
	}
	last := 0
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			last = max(last, n)
		}
	}
	return last, nil
}

// Journal returns the bytes of the journal that a run left, and whether there is one.
func (d Dir) Journal() (string, bool, error) {
	return d.Read(filepath.Join(StateDir, journalFile))
}

// JournalStore keeps a journal in the folder.
type JournalStore struct{ dir Dir }

// JournalStore returns the place of the folder's journal.
func (d Dir) JournalStore() JournalStore { return JournalStore{dir: d} }

// Write replaces the journal.
func (s JournalStore) Write(data []byte) error {
	return writeFile(s.dir.File(filepath.Join(StateDir, journalFile)), data, secretMode)
}

// Remove deletes the journal; none is no error.
func (s JournalStore) Remove() error {
	err := ignoreMissing(os.Remove(s.dir.File(filepath.Join(StateDir, journalFile))))
	if err == nil {
		err = ignoreMissing(syncFolder(s.dir.File(StateDir))) // after a loss of power, it would be open again
	}
	if err != nil {
		return fmt.Errorf("removing the journal: %w", err)
	}
	return nil
}

// DropGenerations removes the generations after a number: they were laid aside and never came into place.
func (d Dir) DropGenerations(after int) error {
	last, err := d.LastGeneration()
	for n := after + 1; n <= last && err == nil; n++ {
		err = os.RemoveAll(d.GenerationPath(n))
	}
	if err != nil {
		return fmt.Errorf("removing what was laid aside: %w", err)
	}
	return nil
}

// ClearGenerations removes all generations, of an install that has not begun.
func (d Dir) ClearGenerations() error {
	if err := os.RemoveAll(d.File(filepath.Join(StateDir, generations))); err != nil {
		return fmt.Errorf("removing what was laid aside: %w", err)
	}
	return nil
}

// SaveNote keeps a text beside the files of a generation.
func (d Dir) SaveNote(number int, name, text string) error {
	return writeFile(filepath.Join(d.GenerationPath(number), name), []byte(text), secretMode)
}

// Note returns a text that was kept beside the files of a generation, and whether there is one.
func (d Dir) Note(number int, name string) (string, bool, error) {
	return d.Read(filepath.Join(StateDir, generations, fmt.Sprintf("%04d", number), name))
}

// GenerationPath returns the folder in which the files of a generation are kept, under the names that they have in place.
func (d Dir) GenerationPath(number int) string {
	return d.File(filepath.Join(StateDir, generations, fmt.Sprintf("%04d", number)))
}
