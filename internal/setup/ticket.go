package setup

import (
	"encoding/json"
	"fmt"
	"time"

	"syncmaster-setup/internal/journal"
	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/workdir"
)

// The operations that move an install from one stand to another.
const (
	opUpgrade  = "upgrade"
	opRollback = "rollback"
	opRestore  = "restore"
)

// moves are all of them.
var moves = []string{opUpgrade, opRollback, opRestore}

// stand is an install as it is, or as it will be: one generation.
type stand struct {
	Generation    int           `json:"generation"` // of its files, as they are in place
	Revision      string        `json:"revision"`   // of the database; empty where the release's own image decides
	ImageMigrates bool          `json:"image_migrates,omitempty"`
	State         workdir.State `json:"state"` // what is recorded of the install
}

// ticket is everything that a later run must know to go on with a move, or back. It is in the journal, so it holds no
// secret: the files are in the generations.
type ticket struct {
	Operation    string        `json:"operation"`
	From         stand         `json:"from"`
	To           stand         `json:"to"`
	Present      []string      `json:"present"` // application services that have a container
	Running      []string      `json:"running"` // those of them that ran: no others are started
	Pull         []string      `json:"pull,omitempty"`
	Pending      bool          `json:"pending"`             // the database changes
	Rewritten    []string      `json:"rewritten,omitempty"` // tables, by that change
	Offline      bool          `json:"offline,omitempty"`   // the backup is taken when nothing writes any more
	NoBackup     bool          `json:"no_backup,omitempty"`
	KeepCompose  bool          `json:"keep_compose,omitempty"`
	Restore      string        `json:"restore,omitempty"` // backup whose database takes the place of the one that is there
	Fresh        bool          `json:"fresh,omitempty"`   // the restore is into a folder without an install
	Drain        time.Duration `json:"drain"`
	DrainOrAbort bool          `json:"drain_or_abort,omitempty"`
	Limit        time.Duration `json:"limit"`

	Backup   string     `json:"backup,omitempty"` // that was made
	Intact   bool       `json:"intact,omitempty"` // an offline backup was made, and the database was not touched since
	Halted   []string   `json:"halted,omitempty"` // services that were told to stop
	Shaken   bool       `json:"shaken,omitempty"` // the engine was restarted before the first of them
	Cut      []Transfer `json:"cut,omitempty"`
	Stranded []Transfer `json:"stranded,omitempty"`
}

// reopen reads the ticket of an interrupted move.
func reopen(record journal.Record) (ticket, error) {
	var t ticket
	if err := json.Unmarshal(record.Ticket, &t); err != nil || t.From.State.Version == "" || t.To.State.Version == "" {
		return t, fmt.Errorf("reading the journal of an interrupted %s: it is incomplete", record.Operation)
	}
	for _, s := range []stand{t.From, t.To} {
		if _, err := s.release(); err != nil {
			return t, err
		}
	}
	return t, nil
}

// releaseOf returns the release of a stand; its version was looked up before the ticket was written.
func (s stand) release() (release.Release, error) {
	r, err := release.Lookup(s.State.Version)
	if err != nil {
		return r, fmt.Errorf("reading the journal: %w", err)
	}
	return r, nil
}

// name says which release a stand is of.
func (s stand) name() string { return "release " + s.State.Version }

// target is the release or the backup that the operation leads to.
func (t ticket) target() string {
	if t.Operation == opRestore {
		return t.Restore
	}
	return t.To.State.Version
}

// describe names a run that carries the operation out.
func (t ticket) describe(run string) string {
	switch {
	case run != t.Operation: // resume and abort
		return run + " of " + t.moving()
	case t.Operation == opRestore:
		return run + " of " + t.Restore
	}
	return run + " to " + t.To.State.Version
}

// moving names what the operation does, for messages.
func (t ticket) moving() string {
	switch t.Operation {
	case opRollback:
		return "the rollback to release " + t.To.State.Version
	case opRestore:
		return "the restore of " + t.Restore
	}
	return "the upgrade to release " + t.To.State.Version
}
