package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"syncmaster-setup/internal/database"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/secret"
	"syncmaster-setup/internal/setup"
)

// databases opens PostgreSQL as the use cases want it.
type databases struct{}

func (databases) Open(ctx context.Context, url secret.Text, address string) (setup.Database, error) {
	target, err := targetOf(url, address)
	if err != nil {
		return nil, err
	}
	db, err := database.Connect(ctx, target)
	if err != nil {
		return nil, err
	}
	return &openDatabase{DB: db}, nil
}

func (databases) Retryable(err error) bool { return database.Retryable(err) }

// targetOf reads SyncMaster's URL; address, host:port, replaces the one in it unless it is empty.
func targetOf(url secret.Text, address string) (database.Target, error) {
	target, err := database.ParseURL(url.Reveal())
	if err != nil || address == "" {
		return target, err
	}
	return target.WithAddress(address)
}

// longTransaction is from when on a transaction in which nothing happens is taken for a forgotten one.
const longTransaction = 30 * time.Second

// openDatabase is one database as the use cases want it.
type openDatabase struct {
	*database.DB
	prepared *database.Plan // of the next migration; nil for none
}

func (d *openDatabase) Observe(ctx context.Context) (setup.DatabaseFacts, error) {
	facts, err := d.DB.Observe(ctx)
	if err != nil {
		return setup.DatabaseFacts{}, err
	}
	if len(facts.Revisions) > 1 {
		return setup.DatabaseFacts{}, fault.New(fault.Refused, errors.New("alembic_version holds more than one revision"),
			"look into the database: SyncMaster has one line of revisions")
	}
	found := setup.DatabaseFacts{SystemIdentifier: facts.SystemIdentifier, ServerVersion: facts.ServerVersion}
	for _, s := range facts.Sessions {
		if strings.HasPrefix(s.State, "idle in transaction") && s.Age > longTransaction {
			found.Holding = append(found.Holding, s.String())
		}
	}
	if len(facts.Revisions) == 1 {
		found.Revision = facts.Revisions[0]
	}
	return found, nil
}

func (d *openDatabase) Migrate(ctx context.Context, revision string, progress func(string)) (done setup.Migrated, err error) {
	p, err := d.planTo(ctx, revision)
	if err != nil || len(p.Steps) == 0 { // at the goal: what an operator has added to the schema is not init's business
		return done, err
	}
	result, err := d.DB.Migrate(ctx, p, func(at database.Progress) { progress(progressText("", at)) })
	for _, step := range result.Applied {
		done.Revisions = append(done.Revisions, step.Revision())
	}
	done.Rewritten = tableNames(result.Rewritten)
	return done, err
}

func (d *openDatabase) Prepare(ctx context.Context, revision string) error {
	p, err := d.Plan(ctx, revision)
	if err == nil {
		d.prepared = &p
	}
	return err
}

// planTo returns the plan that was prepared, once; whether the database is still where it was is seen under the lock.
func (d *openDatabase) planTo(ctx context.Context, revision string) (database.Plan, error) {
	if p := d.prepared; p != nil && p.To == revision {
		d.prepared = nil
		return *p, nil
	}
	return d.Plan(ctx, revision)
}

func (d *openDatabase) Vacuum(ctx context.Context, tables []string) error {
	var list []database.TableFacts
	for _, name := range tables {
		list = append(list, database.TableFacts{Name: name})
	}
	return d.DB.Vacuum(ctx, list, nil)
}

func tableNames(tables []database.TableFacts) []string {
	var list []string
	for _, t := range tables {
		list = append(list, t.Name)
	}
	return list
}

func (d *openDatabase) Losses(ctx context.Context, revision string) ([]string, error) {
	p, err := d.Plan(ctx, revision)
	var lost []string
	for _, step := range p.Steps {
		lost = append(lost, tableNames(step.Drops)...)
	}
	return lost, err
}

func (d *openDatabase) Tokens(ctx context.Context, n int) ([]string, error) {
	return d.SampleAuthData(ctx, n)
}

func (d *openDatabase) Forecast(ctx context.Context, revision string) (setup.Forecast, error) {
	p, err := d.Plan(ctx, revision)
	if err != nil {
		return setup.Forecast{}, err
	}
	f := setup.Forecast{Bytes: p.Disk(), Reversible: database.Reversible(p.From, p.To), Known: p.Drift.Known()}
	for _, step := range p.Steps {
		r := setup.Revision{ID: step.Revision.ID, Rows: step.Rows(), Tables: tableNames(step.Rewrites)}
		for _, t := range step.Rewrites {
			r.Bytes += t.Bytes
		}
		f.Revisions = append(f.Revisions, r)
	}
	return f, nil
}

func (d *openDatabase) Back(ctx context.Context, revision string, progress func(string)) error {
	p, err := d.Plan(ctx, revision)
	if err != nil || len(p.Steps) == 0 {
		return err
	}
	if p.From < p.To || !p.Lossless() {
		return fault.New(fault.Refused, fmt.Errorf("going back from revision %s to %s would lose rows", p.From, p.To), "")
	}
	_, err = d.DB.Migrate(ctx, p, func(at database.Progress) { progress(progressText("back from ", at)) })
	return err
}

// progressText says where a migration is, or who is in its way.
func progressText(way string, at database.Progress) string {
	text := way + "revision " + at.Revision
	switch {
	case at.Phase != database.Waiting:
		return text
	case at.Revision == "":
		return waitingText(at)
	}
	return text + " is " + waitingText(at)
}

func (d *openDatabase) Rows(ctx context.Context, sql string) ([]setup.Row, error) {
	rows, err := d.DB.Rows(ctx, sql)
	var list []setup.Row
	for _, r := range rows {
		list = append(list, setup.Row(r))
	}
	return list, err
}
