package database

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"sync"

	"syncmaster-setup/internal/sqlfile"
	"syncmaster-setup/migrations"
)

// Base is Alembic's name for the state before the first revision.
const Base = "base"

// Revision is one Alembic revision of SyncMaster's schema.
type Revision struct {
	ID    string // four digits, as alembic_version holds it
	Name  string // from the file name
	Since string // first SyncMaster release whose head has it, or what is known of it (contract.md, section 3)
}

// Revisions lists the embedded revisions, oldest first.
func Revisions() []Revision { return slices.Clone(embedded().revisions) }

// Head returns the newest embedded revision's id.
func Head() string {
	all := embedded().revisions
	return all[len(all)-1].ID
}

// Verify compares every embedded file with the embedded list of checksums and refuses files with transaction control.
// It is done once; the result is the same each time.
func Verify() error { return embedded().err }

var (
	filePattern = regexp.MustCompile(`^([0-9]{4})_([a-z_]+)\.(up|down)\.sql$`)
	idPattern   = regexp.MustCompile(`^[0-9]{4}$`)
)

// rewrites lists the tables whose heap and indexes are written anew by a revision, up or down: adding a stored
// generated column rewrites its table.
var rewrites = map[string][]string{"0012": {"connection", "group", "queue", "transfer"}}

// drops lists what a revision's down step deletes with its rows.
var drops = map[string][]string{
	"0001": {"user"}, "0002": {"group"}, "0003": {"queue"}, "0004": {"connection"}, "0005": {"user_group"},
	"0006": {"auth_data"}, "0007": {"transfer"}, "0008": {"run"}, "0009": {"celery_taskmeta", "celery_tasksetmeta"},
	"0011": {"apscheduler_jobs"},
}

// since returns the release that a revision came with (contract.md, section 3). The described releases begin with
// 0.2.0, and 0013 is on the development branch after 0.3.2.
func since(id string) string {
	switch {
	case id <= "0011":
		return "0.2.0 or older"
	case id == "0012":
		return "0.2.5"
	}
	return "after 0.3.2"
}

// script is one SQL file.
type script struct {
	name string
	body string
	sum  [sha256.Size]byte
}

type embeddedFiles struct {
	revisions []Revision
	up, down  map[string]script // by revision id
	err       error
}

// embedded reads the embedded files. Where that fails, the revisions are still listed and err tells why nothing may run.
var embedded = sync.OnceValue(func() embeddedFiles { return readFiles(migrations.FS) })

func readFiles(files fs.FS) embeddedFiles {
	e := embeddedFiles{up: map[string]script{}, down: map[string]script{}}
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		e.err = fmt.Errorf("listing the embedded migrations: %w", err)
		return e
	}
	for _, name := range names {
		e.err = errors.Join(e.err, e.add(files, name))
	}
	for _, r := range e.revisions {
		if _, ok := e.down[r.ID]; !ok {
			e.err = errors.Join(e.err, fmt.Errorf("reading the embedded migrations: %s has no down file", r.ID))
		}
	}
	if len(e.down) != len(e.revisions) {
		e.err = errors.Join(e.err, errors.New("reading the embedded migrations: up and down files do not pair"))
	}
	e.err = errors.Join(e.err, sqlfile.Check(files))
	return e
}

func (e *embeddedFiles) add(files fs.FS, name string) error {
	parts := filePattern.FindStringSubmatch(name)
	if parts == nil {
		return fmt.Errorf("reading the embedded migrations: %s is not named NNNN_name.up.sql or .down.sql", name)
	}
	body, err := fs.ReadFile(files, name)
	if err != nil {
		return fmt.Errorf("reading the embedded migrations: %w", err)
	}
	s := script{name: name, body: string(body), sum: sha256.Sum256(body)}
	if parts[3] == "up" {
		e.up[parts[1]] = s
		e.revisions = append(e.revisions, Revision{ID: parts[1], Name: parts[2], Since: since(parts[1])})
	} else {
		e.down[parts[1]] = s
	}
	return nil
}

// number returns the version number that golang-migrate knows a revision by: 12 for "0012", -1 for none.
func number(id string) int {
	n, err := strconv.Atoi(id)
	if err != nil {
		return -1
	}
	return n
}

// revisionID is the reverse of number.
func revisionID(number int) string {
	if number < 0 {
		return ""
	}
	return fmt.Sprintf("%04d", number)
}

func known(id string) bool {
	return slices.ContainsFunc(embedded().revisions, func(r Revision) bool { return r.ID == id })
}

// display returns what users read: the id, or base for none.
func display(id string) string {
	if id == "" {
		return Base
	}
	return id
}
