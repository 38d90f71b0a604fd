// Package backup keeps backups of an install: one folder each, with a dump of the database, the files of the install
// and a manifest with the checksum of everything. A folder without a manifest is no backup. Folders are 0700 and files
// 0600, since they hold every secret of the install.
package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"
)

const (
	// Dump is the name of the database's dump, in pg_dump's custom format.
	Dump = "database.dump"
	// Roles is the name of the file of the server's roles, as pg_dumpall writes them.
	Roles        = "roles.sql"
	manifestFile = "manifest.json"
	partial      = ".partial-"        // beginning of the name of a backup that is being written
	timeForm     = "20060102T150405Z" // begins the name of a backup
	format       = 1
	fileMode     = 0o600
	folderMode   = 0o700
)

// ErrNone is in the error for a backup that does not exist.
var ErrNone = errors.New("no such backup")

var nameForm = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._-]*$`)

// Manifest says what a backup holds. It has no secrets.
type Manifest struct {
	Format   int               `json:"format"`
	Name     string            `json:"name"`
	Created  time.Time         `json:"created"`
	Reason   string            `json:"reason"` // the operation that asked for it: backup, upgrade, rollback, restore, downgrade
	Version  string            `json:"version"`
	Project  string            `json:"project"`
	Revision string            `json:"revision"`         // of the database
	Server   string            `json:"server"`           // PostgreSQL's major version
	Database string            `json:"database"`         // system identifier
	Images   map[string]string `json:"images,omitempty"` // IDs by service, for people
	Files    map[string]File   `json:"files"`
}

// File is one file of a backup.
type File struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Bytes returns the size of all files.
func (m Manifest) Bytes() int64 {
	var sum int64
	for _, f := range m.Files {
		sum += f.Bytes
	}
	return sum
}

// Store is the folder of the backups.
type Store struct{ root string }

// In returns the store at a folder, which is made with the first backup.
func In(root string) Store { return Store{root: root} }

// Path returns the folder of a backup.
func (s Store) Path(name string) string { return filepath.Join(s.root, name) }

// Verify reads every file of a backup and returns every one that is missing, short or changed.
func (s Store) Verify(name string) (Manifest, error) {
	m, err := s.Manifest(name)
	if err != nil {
		return m, err
	}
	var errs []error
	for _, file := range slices.Sorted(maps.Keys(m.Files)) {
		r, err := s.Open(m, file)
		if err == nil {
			_, err = io.Copy(io.Discard, r)
			err = errors.Join(err, r.Close())
		}
		errs = append(errs, err)
	}
	return m, errors.Join(errs...)
}

// Text returns a file of a backup as it was written, checked.
func (s Store) Text(m Manifest, file string) (string, error) {
	r, err := s.Open(m, file)
	if err != nil {
		return "", err
	}
	data, err := io.ReadAll(r)
	return string(data), errors.Join(err, r.Close())
}

// Open reads a file of a backup. The last read fails where the file is not what was written.
func (s Store) Open(m Manifest, file string) (io.ReadCloser, error) {
	want, has := m.Files[file]
	if !has {
		return nil, fmt.Errorf("reading the backup %s: it has no %s", m.Name, file)
	}
	f, err := os.Open(filepath.Join(s.Path(m.Name), file))
	if err != nil {
		return nil, fmt.Errorf("reading the backup %s: %w", m.Name, err)
	}
	return &checked{file: f, name: m.Name + "/" + file, want: want, sum: sha256.New()}, nil
}

// Remove deletes a backup. Its manifest goes first, so that a part of one is never taken for a whole.
func (s Store) Remove(name string) error {
	if !nameForm.MatchString(name) {
		return fmt.Errorf("removing the backup %q: %w", name, ErrNone)
	}
	if err := os.Remove(filepath.Join(s.Path(name), manifestFile)); err != nil {
		return fmt.Errorf("removing the backup %s: %w", name, err)
	}
	if err := os.RemoveAll(s.Path(name)); err != nil {
		return fmt.Errorf("removing the backup %s: %w", name, err)
	}
	return nil
}

// checked is a file whose bytes are compared with their checksum when its end is read.
type checked struct {
	file *os.File
	name string
	want File
	sum  hash.Hash
	n    int64
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.file.Read(p)
	c.n += int64(n)
	c.sum.Write(p[:n])
	if errors.Is(err, io.EOF) && (c.n != c.want.Bytes || hex.EncodeToString(c.sum.Sum(nil)) != c.want.SHA256) {
		return n, fmt.Errorf("reading the backup: %s is damaged: %d bytes with another checksum than the manifest's %d", c.name, c.n, c.want.Bytes)
	}
	return n, err
}

func (c *checked) Close() error { return c.file.Close() }
