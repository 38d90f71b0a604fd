package database

import (
	"fmt"

	"syncmaster-setup/internal/fault"
)

// RevisionError is a content of alembic_version that the embedded migrations cannot continue from.
type RevisionError struct {
	Kind  RevisionKind
	Found []string // what the table holds
}

// RevisionKind tells why a revision is not one to continue from.
type RevisionKind string

const (
	// Newer is a revision after the newest embedded one: a later SyncMaster release made it.
	Newer RevisionKind = "newer"
	// Foreign is an id that SyncMaster 0.2 and later never had: another application's, or SyncMaster 0.1.
	Foreign RevisionKind = "foreign"
	// Multiple is more than one row: Alembic branches, which SyncMaster does not have.
	Multiple RevisionKind = "multiple"
)

// Error says what was found.
func (e *RevisionError) Error() string {
	switch e.Kind {
	case Newer:
		return fmt.Sprintf("the database is at revision %s, the newest known here is %s", e.Found[0], Head())
	case Multiple:
		return fmt.Sprintf("alembic_version holds %d revisions: %q", len(e.Found), e.Found)
	}
	return fmt.Sprintf("alembic_version holds %q, which is no revision of SyncMaster 0.2 or later", e.Found[0])
}

// MovedError is an alembic_version that another program changed after it was read.
type MovedError struct{ Expected, Found string }

// Error says what was expected and found.
func (e *MovedError) Error() string {
	return fmt.Sprintf("another program moved the database from revision %s to %s meanwhile", display(e.Expected), display(e.Found))
}

// LossError is what nobody has agreed to lose, because it came after the rows were counted.
type LossError struct {
	Revision     string // whose undoing would delete it
	Table        string // with more rows than before; empty where the revision itself came after the plan
	Rows, Agreed int64
}

// Error says what would be lost.
func (e *LossError) Error() string {
	if e.Table == "" {
		return fmt.Sprintf("another program has brought the database to revision %s, whose undoing deletes tables that were not counted", e.Revision)
	}
	return fmt.Sprintf("undoing revision %s would delete %d rows of %s, and %d were there when they were counted before",
		e.Revision, e.Rows, e.Table, e.Agreed)
}

// LockedError is a lock that another session holds and did not give up within the limit.
type LockedError struct {
	What    string
	Holders []Session
	Err     error // of the server, nil where it was not asked to wait
}

// Error names the lock and who holds it.
func (e *LockedError) Error() string {
	text := e.What + " is locked"
	for _, h := range e.Holders {
		text += "; held by " + h.String()
	}
	return text
}

// Unwrap returns the server's error.
func (e *LockedError) Unwrap() error { return e.Err }

// InDoubtError is a connection that was lost during a COMMIT, and what the database said when it was asked again.
type InDoubtError struct {
	What           string // was committed
	From, Revision string // in alembic_version, before and after
	Asked          bool   // the database answered afterwards
	Found          string // then in alembic_version
	Committed      bool
	Err            error
}

// Error says what became of the commit.
func (e *InDoubtError) Error() string {
	outcome := "whether it was committed is not known: " + e.Err.Error()
	switch {
	case e.Asked && e.Committed:
		outcome = "asked again, the database has committed it"
	case e.Asked && e.Found == e.From:
		outcome = "asked again, the database has not committed it"
	case e.Asked:
		outcome = "another program has moved the database to revision " + display(e.Found) + " since"
	}
	return fmt.Sprintf("the connection was lost while %s was committed; %s", e.What, outcome)
}

// Unwrap returns the error of the lost connection.
func (e *InDoubtError) Unwrap() error { return e.Err }

// soleRevision returns the one revision of alembic_version's rows, empty for none, or a RevisionError.
func soleRevision(rows []string) (string, error) {
	if len(rows) == 0 {
		return "", nil
	}
	kind := Multiple
	switch id := rows[0]; {
	case len(rows) > 1:
	case known(id):
		return id, nil
	case idPattern.MatchString(id) && id > Head():
		kind = Newer
	default:
		kind = Foreign
	}
	err := &RevisionError{Kind: kind, Found: rows}
	return "", fault.New(fault.Refused, fmt.Errorf("reading alembic_version: %w", err), revisionHint(kind))
}

func revisionHint(kind RevisionKind) string {
	switch kind {
	case Newer:
		return "a newer SyncMaster made this schema (0012 came with 0.2.5, 0013 after 0.3.2): " +
			"use a newer syncmaster-setup, or that release's own migrations image to go back"
	case Multiple:
		return "one program after another must own the schema: delete the row that is wrong, after a backup"
	}
	return "check the database URL; a database of SyncMaster 0.1 cannot be continued, give 0.2 and later an empty one"
}
