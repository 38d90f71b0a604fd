package cli

import (
	"context"
	"errors"

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
	return openDatabase{db}, nil
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

// openDatabase is one database as the use cases want it.
type openDatabase struct{ *database.DB }

func (d openDatabase) Observe(ctx context.Context) (setup.DatabaseFacts, error) {
	facts, err := d.DB.Observe(ctx)
	if err != nil {
		return setup.DatabaseFacts{}, err
	}
	if len(facts.Revisions) > 1 {
		return setup.DatabaseFacts{}, fault.New(fault.Refused, errors.New("alembic_version holds more than one revision"),
			"look into the database: SyncMaster has one line of revisions")
	}
	found := setup.DatabaseFacts{SystemIdentifier: facts.SystemIdentifier}
	if len(facts.Revisions) == 1 {
		found.Revision = facts.Revisions[0]
	}
	return found, nil
}

func (d openDatabase) Migrate(ctx context.Context, revision string, progress func(string)) ([]string, error) {
	p, err := d.Plan(ctx, revision)
	if err != nil || len(p.Steps) == 0 { // at the goal: what an operator has added to the schema is not init's business
		return nil, err
	}
	result, err := d.DB.Migrate(ctx, p, func(at database.Progress) { progress("revision " + at.Revision) })
	var applied []string
	for _, step := range result.Applied {
		applied = append(applied, step.Revision())
	}
	return applied, err
}

func (d openDatabase) Tokens(ctx context.Context, n int) ([]string, error) {
	return d.SampleAuthData(ctx, n)
}
