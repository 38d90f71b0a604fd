package setup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"syncmaster-setup/internal/backup"
	"syncmaster-setup/internal/config"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/plan"
	"syncmaster-setup/internal/report"
	"syncmaster-setup/internal/workdir"
)

// BackupResult is a backup that was made.
type BackupResult struct {
	backup.Manifest
	Dir     string   `json:"dir"`
	Removed []string `json:"removed,omitempty"` // older ones
	Seconds float64  `json:"seconds"`
}

// Backup makes a backup of the install as it is, while it runs.
func (s *Setup) Backup(ctx context.Context, keep backup.Keep) (result BackupResult, err error) {
	began := s.Now()
	unlock, err := s.Lock("backup", began)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if result, err = s.takeBackup(ctx, "backup"); err != nil {
		return result, err
	}
	if result.Removed, err = s.prune(keep); err != nil {
		return result, err
	}
	result.Seconds = s.Now().Sub(began).Round(time.Millisecond).Seconds()
	return result, nil
}

// prune removes older backups, and tells of those that it could not judge.
func (s *Setup) prune(keep backup.Keep) ([]string, error) {
	store := backup.In(s.Dir.File(backups))
	if l, err := store.List(); err == nil && keep != (backup.Keep{}) { // a folder that cannot be listed is Prune's error
		for _, u := range l.Unreadable {
			s.Report.Report(report.Event{Kind: report.Warning,
				Text: fmt.Sprintf("the backup %s cannot be read, and stays until you remove %s: %s", u.Name, store.Path(u.Name), u.Reason)})
		}
	}
	return store.Prune(keep, s.Now())
}

// BackUpBefore makes a backup for an operation that holds the folder's lock and is about to lose data.
func (s *Setup) BackUpBefore(ctx context.Context, operation string) (BackupResult, error) {
	return s.takeBackup(ctx, operation)
}

// takeBackup makes a backup under the lock that the caller holds.
func (s *Setup) takeBackup(ctx context.Context, reason string) (result BackupResult, err error) {
	began := s.Now()
	u, engine, err := s.observeBackup(ctx)
	if err != nil {
		return result, err
	}
	if !opensAll(u.recorded(fernetSetting), u.tokens) {
		s.Report.Report(report.Event{Kind: report.Warning, Text: "the key in " + workdir.AppEnvFile + " does not open the credentials that are stored in the database, " +
			"and will not where this backup is restored; syncmaster-setup doctor looks for the right one"})
	}
	r := &run{Setup: s, world: u.world, engine: engine, limit: databaseLimit}
	r.settings = u.settingsInPlace()
	if err := r.load(ctx); err != nil {
		return result, err
	}
	p := plan.Plan{Operation: "backup", Steps: []plan.Step{{Name: "back up", Why: "database and files", Do: func(ctx context.Context) error {
		u.state.Database = u.facts.SystemIdentifier
		result.Manifest, err = r.backUp(ctx, reason, stand{State: u.state}, u.texts)
		return err
	}}}}
	logged, end := s.record("backup", "", u.state.Version, r.redactor())
	if err := plan.Run(ctx, p, unrecorded{}, logged); err != nil {
		return result, end(errors.Join(err, r.closeDatabase(ctx)))
	}
	result.Dir = backup.In(s.Dir.File(backups)).Path(result.Name)
	result.Seconds = s.Now().Sub(began).Round(time.Millisecond).Seconds()
	return result, end(r.closeDatabase(ctx))
}

// unrecorded is the journal of what a crash leaves nothing of.
type unrecorded struct{}

func (unrecorded) Begin(string) error { return nil }
func (unrecorded) Done(string) error  { return nil }

// observeBackup looks at what a backup depends on.
func (s *Setup) observeBackup(ctx context.Context) (*upgrade, Engine, error) {
	w, err := s.look(config.Options{})
	if err != nil {
		return nil, nil, err
	}
	if err := w.checkMovable("backup"); err != nil {
		return nil, nil, err
	}
	if w.options.ExternalDatabase {
		return nil, nil, fault.New(fault.Refused, errors.New("the database is not a container of this install, so no backup can be taken of it here"),
			"back it up with pg_dump where it runs, and keep a copy of .env and .env.docker")
	}
	engine, err := s.Connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	u := &upgrade{world: w, target: w.release}
	if err := s.observeStack(ctx, engine, u); err != nil {
		return nil, nil, err
	}
	problems := &fault.Problems{Code: fault.Refused}
	problems.Merge(s.observeData(ctx, engine, u))
	u.checkDisk(false, 0, problems)
	return u, engine, problems.Err()
}

// Backups lists the backups in the folder.
func (s *Setup) Backups() (backup.Listing, error) {
	return backup.In(s.Dir.File(backups)).List()
}

// NewestBackup returns the name of the newest backup.
func (s *Setup) NewestBackup() (string, error) {
	l, err := s.Backups()
	if err != nil {
		return "", err
	}
	name, inTheWay := l.Newest()
	switch {
	case inTheWay != nil:
		return "", s.unreadable(fmt.Errorf("the newest backup, %s, cannot be read: %s", inTheWay.Name, inTheWay.Reason))
	case name == "":
		return "", fault.New(fault.BadInput, fmt.Errorf("there is no backup in %s", s.Dir.File(backups)), "make one with: syncmaster-setup backup create")
	}
	return name, nil
}

// unreadable adds to the error of a backup whose manifest cannot be read what can be done.
func (s *Setup) unreadable(err error) error {
	return fault.New(fault.Failed, err, "bring its manifest.json from another copy of it, or name another backup: syncmaster-setup backup list --dir "+s.Dir.Path())
}

// VerifyBackup reads a whole backup and compares it with its checksums.
func (s *Setup) VerifyBackup(name string) (backup.Manifest, error) {
	if _, err := s.manifest(name); err != nil {
		return backup.Manifest{}, err
	}
	return backup.In(s.Dir.File(backups)).Verify(name)
}
