package workdir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Holder is the run that holds the folder's lock, by its own note.
type Holder struct {
	Operation string // empty while the note is being written
	Process   int
	Since     time.Time
}

// Holder returns who holds the folder's lock, nil for nobody. It only looks: no run is refused for it.
func (d Dir) Holder() (*Holder, error) {
	path := d.File(filepath.Join(StateDir, lockFile))
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking at the lock: %w", err)
	}
	err = lookAtLock(file)
	held := errors.Is(err, errHeld)
	if held {
		err = nil
	}
	if err = errors.Join(err, file.Close()); err != nil || !held {
		return nil, err
	}
	h := readHolder(path)
	return &h, nil
}

// Words says who is at work, for people: the day is told where it is not today.
func (h Holder) Words(now time.Time) string {
	if h.Operation == "" {
		return "another run is at work"
	}
	since, form := h.Since.In(now.Location()), time.TimeOnly
	if since.Format(time.DateOnly) != now.Format(time.DateOnly) {
		form = time.DateTime
	}
	return fmt.Sprintf("%s is at work since %s (process %d)", h.Operation, since.Format(form), h.Process)
}

// note is the line that a run leaves in the lock file for others.
func (h Holder) note() string {
	return fmt.Sprintf("%s, process %d, since %s\n", h.Operation, h.Process, h.Since.UTC().Format(time.RFC3339))
}

// readHolder reads the note of the run that holds the lock.
func readHolder(path string) Holder {
	data, err := os.ReadFile(path)
	words := strings.Split(strings.TrimSpace(string(data)), ", ")
	if err != nil || len(words) != 3 {
		return Holder{}
	}
	process, processErr := strconv.Atoi(strings.TrimPrefix(words[1], "process "))
	since, sinceErr := time.Parse(time.RFC3339, strings.TrimPrefix(words[2], "since "))
	if processErr != nil || sinceErr != nil {
		return Holder{}
	}
	return Holder{Operation: words[0], Process: process, Since: since}
}

// writeNote puts the note into the lock file in one write, so that nobody reads a part of it.
func writeNote(file *os.File, note string) error {
	if _, err := file.WriteAt([]byte(note), 0); err != nil {
		return err
	}
	return file.Truncate(int64(len(note)))
}
