package setup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"syncmaster-setup/internal/backup"
	"syncmaster-setup/internal/config"
	"syncmaster-setup/internal/envfile"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/render"
	"syncmaster-setup/internal/secret"
	"syncmaster-setup/internal/workdir"
)

// RollbackOptions are the options of one rollback.
type RollbackOptions struct {
	MoveOptions
	LoseNewer bool // rows written since the upgrade may be lost, where the way back needs the backup
}

// Rollback returns to the generation before the last upgrade: its release, its files and its revision.
func (s *Setup) Rollback(ctx context.Context, o RollbackOptions) (result MoveResult, err error) {
	began := s.Now()
	unlock, err := s.Lock(opRollback, began)
	if err != nil {
		return MoveResult{}, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	w, err := s.look(config.Options{})
	if err != nil {
		return MoveResult{}, err
	}
	if err := w.checkMovable(opRollback); err != nil {
		return MoveResult{}, err
	}
	to, files, err := s.previous(w)
	if err != nil {
		return MoveResult{}, err
	}
	engine, err := s.Connect(ctx)
	if err != nil {
		return MoveResult{}, err
	}
	u, err := s.observeReturn(ctx, engine, w, to, files, 0)
	if err != nil {
		return MoveResult{}, err
	}
	t := u.returning(opRollback, to, o.MoveOptions)
	p := u.describe(t)
	if err := u.decideReturn(ctx, s, o, &t, &p); err != nil {
		return MoveResult{}, err
	}
	return s.begin(ctx, began, engine, o.MoveOptions, t, p, files)
}

// previous returns the stand before the last upgrade, and its files.
func (s *Setup) previous(w world) (stand, render.Files, error) {
	var to stand
	text, exists, err := s.Dir.Note(w.state.Previous, standNote)
	if err != nil {
		return to, render.Files{}, err
	}
	if w.state.Previous == 0 || !exists {
		return to, render.Files{}, fault.New(fault.Refused, fmt.Errorf("there is nothing to roll back to: no upgrade is in place in %s", w.dir),
			"return to a backup with: syncmaster-setup backup list --dir "+w.dir)
	}
	if err := json.Unmarshal([]byte(text), &to); err != nil {
		return to, render.Files{}, fmt.Errorf("reading what was installed before: %w", err)
	}
	texts, err := s.Dir.Generation(w.state.Previous)
	if err != nil {
		return to, render.Files{}, err
	}
	for _, name := range []string{workdir.EnvFile, workdir.AppEnvFile, workdir.ComposeFile} {
		if texts[name] == "" {
			return to, render.Files{}, fmt.Errorf("reading generation %d: its %s is gone", w.state.Previous, name)
		}
	}
	return to, filesOf(texts), nil
}

// observeReturn looks at everything that a way back depends on. files are those that will be in place, and dump is the
// size of the dump that is loaded, 0 where that is not known to be one.
func (s *Setup) observeReturn(ctx context.Context, engine Engine, w world, to stand, files render.Files, dump int64) (*upgrade, error) {
	u := &upgrade{world: w, merge: merged{files: files}}
	var err error
	if u.target, err = release.Lookup(to.State.Version); err != nil {
		return nil, fmt.Errorf("reading what was installed before: %w", err)
	}
	problems := &fault.Problems{Code: fault.Refused}
	if err := s.observeStack(ctx, engine, u); err != nil {
		return nil, err
	}
	problems.Merge(s.observeData(ctx, engine, u))
	if err := engine.Check(ctx, w.dir, files.Compose, files.Env); err != nil {
		problems.Add("loading the Compose project as it will be: "+err.Error(), "check docker-compose.override.yml in "+w.dir)
	}
	u.checkBeyondUs(problems)
	u.checkTargetImages(problems)
	u.checkDisk(false, u.besides(dump), problems)
	return u, problems.Err()
}

// besides is about the size of the database that a dump is loaded into, beside the one in use; no dump has none.
func (u *upgrade) besides(dump int64) int64 {
	if dump == 0 {
		return 0
	}
	return max(dump, u.size) // a dump is compressed
}

// returning is the ticket of a way back to a stand.
func (u *upgrade) returning(operation string, to stand, o MoveOptions) ticket {
	t := ticket{
		Operation: operation, Present: u.present, Running: u.running, Pull: u.missing(), NoBackup: o.NoBackup,
		Drain: o.Drain, DrainOrAbort: o.DrainOrAbort, Limit: o.Limit,
		From: stand{Generation: u.state.Generation + 1, Revision: u.facts.Revision, State: u.state},
		To:   stand{Generation: u.state.Generation + 2, Revision: to.Revision, State: to.State},
	}
	t.From.ImageMigrates = u.release.Unknown || u.release.Floating
	t.From.State.Database = u.facts.SystemIdentifier
	t.To.State.Generation, t.To.State.Database = t.To.Generation, u.facts.SystemIdentifier
	return t
}

// decideReturn chooses how the database goes back, and refuses to lose rows unasked.
func (u *upgrade) decideReturn(ctx context.Context, s *Setup, o RollbackOptions, t *ticket, p *MovePlan) error {
	if u.facts.Revision == t.To.Revision {
		p.Database = "stays as it is, with everything that was written since"
		return errors.Join(u.checkOlderKey(), u.warnUnknown(ctx, s, p))
	}
	t.Pending = true
	if u.facts.Revision > t.To.Revision && !t.From.ImageMigrates && u.forecastBack(ctx, s, t.To.Revision) == nil {
		t.Rewritten = u.forecast.tables()
		p.Database = fmt.Sprintf("goes back from revision %s to %s, with everything that was written since", u.facts.Revision, t.To.Revision)
		return errors.Join(u.checkOlderKey(), u.warnUnknown(ctx, s, p))
	}
	made, err := u.backupOf(s, *t)
	if err != nil {
		return err
	}
	t.Restore, t.Offline = made.Name, true
	problems := &fault.Problems{Code: fault.Refused}
	if u.checkDisk(false, u.besides(made.Files[backup.Dump].Bytes), problems); len(problems.List) > 0 {
		return problems.Err()
	}
	if t.NoBackup {
		return fault.New(fault.Refused, errors.New("the way back replaces the database, which needs a backup of what is there now"), "leave out --no-backup")
	}
	p.Database = "is replaced by the backup " + made.Name
	newer := u.newer(ctx, s, made.Created)
	s.warn(p, fmt.Sprintf("what was written since %s is lost: %s", made.Created.Format(time.RFC3339), newer))
	if !o.LoseNewer {
		return fault.New(fault.Refused, fmt.Errorf("release %s cannot use the database as it is now, and the backup %s knows nothing of what was written since: %s", u.target, made.Name, newer),
			"if that may be lost, add --lose-newer-data")
	}
	return nil
}

// checkOlderKey refuses files of before the upgrade whose key does not open what is stored, where the database stays.
func (u *upgrade) checkOlderKey() error {
	app, err := envfile.Parse(u.merge.files.AppEnv)
	if err != nil {
		return fmt.Errorf("reading %s of before the upgrade: %w", workdir.AppEnvFile, err)
	}
	if key, _ := app.Get(fernetSetting); opensAll(secret.NewText(key), u.tokens) {
		return nil
	}
	return fault.New(fault.Refused, errors.New("the encryption key was changed since the upgrade: the one of before does not open the credentials that are stored in the database"),
		fmt.Sprintf("put the present %s into %s/%s/generations/%04d/%s, then type the same again", fernetSetting,
			u.dir, workdir.StateDir, u.state.Previous, workdir.AppEnvFile))
}

// forecastBack reports why the revisions cannot be taken back without loss.
func (u *upgrade) forecastBack(ctx context.Context, s *Setup, revision string) error {
	return s.onDatabase(ctx, u, func(db Database) error {
		f, err := db.Forecast(ctx, revision)
		if err == nil && !f.Reversible {
			err = errors.New("rows would be lost")
		}
		u.forecast = f
		return err
	})
}

// warnUnknown names what the newer release has written and the older one cannot read.
func (u *upgrade) warnUnknown(ctx context.Context, s *Setup, p *MovePlan) error {
	p.predict(u.forecast, ticket{Running: u.running})
	return s.onDatabase(ctx, u, func(db Database) error {
		for _, rule := range u.target.UnknownOf(u.release) {
			rows, err := db.Rows(ctx, rule.SQL)
			if err != nil {
				return err
			}
			if len(rows) > 0 {
				text := fmt.Sprintf("release %s cannot read %s: %s; %s", u.target, rule.What, nameRows(rows), rule.Hint)
				s.warn(p, text)
			}
		}
		return nil
	})
}

// onDatabase opens the database of the install as it is, for one question.
func (s *Setup) onDatabase(ctx context.Context, u *upgrade, use func(Database) error) error {
	engine, err := s.Connect(ctx)
	if err != nil {
		return err
	}
	r := &run{Setup: s, world: u.world, engine: engine, limit: databaseLimit}
	r.settings = u.settingsInPlace()
	if err := r.load(ctx); err != nil {
		return err
	}
	return errors.Join(r.withDatabase(ctx, use), r.closeDatabase(ctx))
}

// backupOf finds the newest backup of the stand to return to.
func (u *upgrade) backupOf(s *Setup, t ticket) (backup.Manifest, error) {
	l, err := s.Backups()
	if err != nil {
		return backup.Manifest{}, err
	}
	at := slices.IndexFunc(l.Backups, func(m backup.Manifest) bool {
		return m.Version == t.To.State.Version && m.Revision == t.To.Revision && m.Database == u.facts.SystemIdentifier
	})
	if at < 0 {
		return backup.Manifest{}, fault.New(fault.Refused, fmt.Errorf("the revisions cannot be taken back without losing rows, and there is no backup of release %s", t.To.State.Version),
			"see what there is with: syncmaster-setup backup list --dir "+u.dir)
	}
	return backup.In(s.Dir.File(backups)).Verify(l.Backups[at].Name)
}

// newer counts the rows that were written since a moment.
func (u *upgrade) newer(ctx context.Context, s *Setup, since time.Time) string {
	text := ""
	err := s.onDatabase(ctx, u, func(db Database) error {
		for _, table := range []string{"run", "transfer", "connection", "queue", "group", "user"} {
			rows, err := db.Rows(ctx, fmt.Sprintf("SELECT count(*), '%s' FROM public.%s WHERE updated_at > %s", table, quoted(table), literal(since.Format(time.RFC3339))))
			if err != nil {
				return err
			}
			for _, r := range rows {
				if r.ID > 0 {
					text = joinList(text, count(int(r.ID), r.Name))
				}
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return "it could not be counted"
	case text == "":
		return "nothing that is known of"
	}
	return text
}

func joinList(list, item string) string {
	if list == "" {
		return item
	}
	return list + ", " + item
}
