package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"syncmaster-setup/internal/database"
	"syncmaster-setup/internal/envfile"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/report"
	"syncmaster-setup/internal/secret"
	"syncmaster-setup/internal/setup"
)

// urlVariable is SyncMaster's own setting.
const urlVariable = "SYNCMASTER__DATABASE__URL"

// shownSessions is how many sessions in the way are named.
const shownSessions = 5

// schema is the database that a command works on.
type schema struct {
	db      *database.DB
	at      database.Target
	facts   database.Facts
	install *setup.Schema // nil for a database that was named by its URL
	dir     string
	report  report.Reporter
	// backUp makes a backup for an operation under the lock of the folder; nil where the database is not the install's own.
	backUp func(ctx context.Context, operation string) (setup.BackupResult, error)
}

// head returns the revision that "head" means.
func (s *schema) head() string {
	if s.install != nil && s.install.Head != "" {
		return s.install.Head
	}
	return database.Head()
}

// free returns the bytes that are free under the data of an install's database, 0 where that is not known.
func (s *schema) free() int64 {
	if s.install == nil {
		return 0
	}
	return int64(min(s.install.Free, math.MaxInt64)) //nolint:gosec // bounded
}

// headNote says what the head of an install belongs to.
func (s *schema) headNote() string {
	if s.install != nil && s.install.Head != "" {
		return "head of SyncMaster " + s.install.Version
	}
	return "head"
}

// onSchema opens the database, calls use and closes it. Where use changes the schema of an install, the folder is
// locked.
func (p *program) onSchema(c *cli.Context, o setup.SchemaOptions, use func(*schema) error) (err error) {
	s, done, err := p.setup(c.String("dir"))
	if err != nil {
		return err
	}
	defer done()
	url, err := namedURL(c)
	if err != nil {
		return err
	}
	sch := &schema{dir: s.Dir.Path(), report: s.Report}
	address := ""
	if url.Empty() {
		var unlock func() error
		if sch.install, unlock, err = findInstall(c, s, o); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, unlock()) }()
		url, address = sch.install.URL, sch.install.Address
		if sch.install.Own() {
			sch.backUp = s.BackUpBefore
		}
	}
	return sch.open(c, url, address, use)
}

func (s *schema) open(c *cli.Context, url secret.Text, address string, use func(*schema) error) (err error) {
	if s.at, err = targetOf(url, address); err != nil {
		return err
	}
	if s.db, err = database.Connect(c.Context, s.at); err != nil {
		return s.connectError(err)
	}
	defer func() { err = errors.Join(err, s.db.Close(c.Context)) }()
	if s.facts, err = s.db.Observe(c.Context); err != nil {
		return err
	}
	if s.install != nil {
		if err := setup.CheckIdentity(s.install.Database, s.facts.SystemIdentifier); err != nil {
			return err
		}
	}
	return use(s)
}

// connectError explains a host that only the containers of an install know.
func (s *schema) connectError(err error) error {
	if s.install == nil && strings.Contains(s.at.String(), "@db:") {
		return fault.New(fault.CodeOf(err), err, "the host db is known to the containers of an install only: use --dir with its folder, or an address that is reached from here")
	}
	return err
}

// namedURL returns the database that is named by its URL, empty where an install is meant.
func namedURL(c *cli.Context) (secret.Text, error) {
	direct, file := c.String("database-url"), c.String("env-file")
	switch {
	case direct != "" && file != "":
		return secret.Text{}, fault.New(fault.BadInput, errors.New("--database-url and --env-file both name a database"), "give one of them")
	case direct != "":
		return secret.NewText(direct), nil
	case file != "":
		return urlFromFile(file)
	case c.IsSet("dir"):
		return secret.Text{}, nil
	}
	return secret.NewText(os.Getenv(urlVariable)), nil
}

func urlFromFile(path string) (secret.Text, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return secret.Text{}, fault.New(fault.BadInput, fmt.Errorf("reading --env-file: %w", err), "")
	}
	parsed, err := envfile.Parse(string(text))
	if err != nil {
		return secret.Text{}, fault.New(fault.BadInput, fmt.Errorf("reading --env-file %s: %w", path, err), "")
	}
	value, has := parsed.Get(urlVariable)
	if !has || value == "" {
		return secret.Text{}, fault.New(fault.BadInput, fmt.Errorf("%s sets no %s", path, urlVariable), "")
	}
	return secret.NewText(value), nil
}

// findInstall looks at the install in the folder, under its lock where the schema is going to change.
func findInstall(c *cli.Context, s *setup.Setup, o setup.SchemaOptions) (_ *setup.Schema, unlock func() error, err error) {
	unlock = func() error { return nil }
	_, exists, err := s.Dir.State()
	if err != nil {
		return nil, nil, err
	}
	if exists && o.Change {
		if unlock, err = s.Lock("migrate "+c.Command.Name, s.Now()); err != nil {
			return nil, nil, err
		}
	}
	found, err := s.Schema(c.Context, o)
	if err != nil {
		return nil, nil, errors.Join(err, unlock())
	}
	return &found, unlock, nil
}

// inTheWay names what must not be connected while the schema changes (contract.md, section 3): the services of the
// install, and every session of another program.
func (s *schema) inTheWay() []fault.Problem {
	var found []fault.Problem
	if s.install != nil && len(s.install.Running) > 0 {
		names := strings.Join(s.install.Running, " ")
		found = append(found, fault.Problem{
			What: "running in " + s.dir + ": " + strings.Join(s.install.Running, ", "),
			Hint: fmt.Sprintf("stop them: cd %s && docker compose stop %s", s.dir, names),
		})
	}
	others := 0
	for _, session := range s.facts.Sessions {
		if session.Application == "syncmaster-setup" {
			continue // the migration lock lets one after the other work
		}
		if others++; others <= shownSessions {
			found = append(found, fault.Problem{What: "connected to the database: " + session.String()})
		}
	}
	if others > shownSessions {
		found = append(found, fault.Problem{What: fmt.Sprintf("connected to the database: %d more sessions", others-shownSessions)})
	}
	if last := len(found) - 1; others > 0 {
		found[last].Hint = "end these programs first, or go on beside them with --running: each table is locked while it changes"
	}
	return found
}
