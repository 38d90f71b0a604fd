package cli

import (
	"context"
	"fmt"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/report"
)

// backsUp reports whether the plan deletes rows of a database that a backup can be taken of, and one is wanted.
func (m *migrationRun) backsUp() bool {
	return m.backUp != nil && !m.noBackup && len(lostRows(m.plan)) > 0
}

// howToLose is what to type where rows would be lost and nobody can be asked.
func (m *migrationRun) howToLose() string {
	switch {
	case m.backsUp():
		return "add --yes; a backup is taken first"
	case m.backUp != nil:
		return "add --yes; with --no-backup no backup is taken"
	}
	return "make a dump first, then add --yes"
}

// keepRows takes a backup of what the run deletes, where that is possible, and otherwise says that there is none.
func (m *migrationRun) keepRows(ctx context.Context) error {
	if !m.backsUp() {
		if m.backUp == nil && !m.noBackup && len(lostRows(m.plan)) > 0 {
			m.report.Report(report.Event{Kind: report.Warning, Text: "no backup is taken: the database is not a container of an install"})
		}
		return nil
	}
	var err error
	if m.backup, err = m.backUp(ctx, m.name); err != nil {
		problems := &fault.Problems{Code: fault.CodeOf(err)}
		problems.Merge(err)
		problems.Add("the rows to be deleted could not be backed up, so none was deleted", "to delete them without a backup, add --no-backup")
		return problems
	}
	m.report.Report(report.Event{Kind: report.Note, Text: "backed up to " + m.backup.Dir})
	return nil
}

// whereKept says beside a failure where the rows are that the committed steps have deleted.
func (m *migrationRun) whereKept(err error) error {
	if m.backup.Name == "" || len(m.result.Applied) == 0 {
		return err
	}
	return fault.New(fault.CodeOf(err), fmt.Errorf("%w; what was there before is in the backup %s", err, m.backup.Dir), fault.HintOf(err))
}

// restoreHint is what to type to bring deleted rows back.
func (m *migrationRun) restoreHint() string {
	return fmt.Sprintf("syncmaster-setup backup restore --dir %s %s", m.dir, m.backup.Name)
}
