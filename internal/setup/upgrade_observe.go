package setup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"syncmaster-setup/internal/config"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/probe"
	"syncmaster-setup/internal/release"
)

// aim reads the folder and finds the release to upgrade to; empty means the newest known.
func (s *Setup) aim(to string) (*upgrade, error) {
	w, err := s.look(config.Options{})
	if err != nil {
		return nil, err
	}
	if err := w.checkMovable(opUpgrade); err != nil {
		return nil, err
	}
	if to == "" {
		to = release.Newest().Version
	}
	u := &upgrade{world: w}
	if u.target, err = release.Lookup(to); err != nil {
		return nil, fault.New(fault.BadInput, fmt.Errorf("--to: %w", err), "")
	}
	if u.target.Before(w.release) {
		return nil, fault.New(fault.BadInput, fmt.Errorf("release %s is older than %s, which is installed", u.target, w.release),
			"go back to what was installed before with: syncmaster-setup rollback; or to a backup with: syncmaster-setup backup restore")
	}
	return u, nil
}

// observeUpgrade looks at everything once, and returns every reason why the upgrade cannot be.
func (s *Setup) observeUpgrade(ctx context.Context, engine Engine, u *upgrade, o UpgradeOptions) (err error) {
	problems := &fault.Problems{Code: fault.Refused}
	if err := s.observeStack(ctx, engine, u); err != nil {
		return err
	}
	u.forecasts = true
	problems.Merge(s.observeData(ctx, engine, u))
	if u.target.Version == u.release.Version {
		return problems.Err()
	}
	if u.merge, err = u.mergeFiles(s.Random, o); err != nil {
		problems.Merge(err)
	} else if err := engine.Check(ctx, u.dir, u.composeThen(), u.merge.files.Env); err != nil {
		problems.Add("loading the Compose project as it will be: "+err.Error(), "check docker-compose.override.yml and .env in "+u.dir)
	}
	u.check(o, problems)
	if err := problems.Err(); err != nil {
		return err
	}
	s.tellUpgrade(u)
	return nil
}

// checkMovable refuses a folder without a whole install, or with an operation under way.
func (w world) checkMovable(operation string) error {
	switch {
	case !w.installed:
		return fault.New(fault.BadInput, fmt.Errorf("%s holds no install of syncmaster-setup", w.dir), "name its folder with --dir")
	case w.open != nil:
		return w.checkJournal(operation + " that is not begun")
	case w.state.Phase != "installed":
		return fault.New(fault.Refused, fmt.Errorf("the install in %s is not complete", w.dir), "complete it: syncmaster-setup init --dir "+w.dir)
	}
	return nil
}

// observeStack asks the engine for containers, images, disk and the registry, for the target's images.
func (s *Setup) observeStack(ctx context.Context, engine Engine, u *upgrade) error {
	then := u.then()
	if err := s.observeHost(ctx, &then, engine); err != nil {
		return err
	}
	u.host, u.observed, u.disk = then.host, then.observed, then.disk
	u.unpullable, u.offered, u.download = then.unpullable, then.offered, then.download
	u.writable, u.shadowed = then.writable, then.shadowed
	for _, service := range applicationOrder {
		c, exists := u.observed.Container(service)
		if !exists {
			continue
		}
		u.present = append(u.present, service)
		if c.Alive() {
			u.running = append(u.running, service)
		}
	}
	return nil
}

// observeData asks the database once for everything that a decision depends on.
func (s *Setup) observeData(ctx context.Context, engine Engine, u *upgrade) error {
	if c, exists := u.observed.Container("db"); !u.options.ExternalDatabase && (!exists || c.State != "running") {
		hint := "start it: cd " + u.dir + " && docker compose start db"
		if !exists {
			hint = "make it: cd " + u.dir + " && docker compose up -d db; where its volume is lost, too: " + u.bringBack()
		}
		return fault.New(fault.Refused, fmt.Errorf("the database of the install in %s does not run", u.dir), hint)
	}
	r := &run{Setup: s, world: u.world, engine: engine, limit: databaseLimit}
	r.settings = u.settingsInPlace()
	if err := r.load(ctx); err != nil {
		return err
	}
	if u.host.Local {
		u.dataDisks = s.dataDisks(r.project, u.observed, "db")
	}
	if u.dbImage = r.project.Services["db"].Image; u.forecasts {
		u.broker = r.brokerVersion(ctx)
	}
	err := r.withDatabase(ctx, func(db Database) error { return u.observeDatabase(ctx, db) })
	return errors.Join(err, r.closeDatabase(ctx))
}

// brokerVersion asks the broker for its version; empty where it does not tell, which the wait for the worker tells of.
func (r *run) brokerVersion(ctx context.Context) string {
	seen, _ := ask(ctx, func(ctx context.Context) (probe.Broker, error) {
		address, err := r.address(ctx, "rabbitmq", 5672)
		if err != nil {
			return probe.Broker{}, err
		}
		return probe.Look(ctx, at(r.setting(brokerURL), address), nil)
	})
	return seen.Version
}

// databaseLimit is how long a running database may take to answer before it is told as a problem.
const databaseLimit = 10 * time.Second

func (u *upgrade) observeDatabase(ctx context.Context, db Database) error {
	var err, drift error
	if u.facts, err = db.Observe(ctx); err != nil {
		return err
	}
	if err := CheckIdentity(u.state.Database, u.facts.SystemIdentifier); err != nil {
		return err
	}
	if u.size, err = db.Size(ctx); err != nil {
		return err
	}
	if u.tokens, err = db.Tokens(ctx, tokenSample); err != nil {
		return err
	}
	if u.inProgress, err = transfersIn(ctx, db); err != nil {
		return err
	}
	if head := u.target.Head; u.forecasts && head != "" && !u.byImage() {
		if u.forecast, err = db.Forecast(ctx, max(head, u.facts.Revision)); err != nil {
			drift = err // told beside what else there is
		}
	}
	for _, rule := range u.target.Unreadable(u.release) {
		rows, err := db.Rows(ctx, rule.SQL)
		if err != nil {
			return cmp.Or(drift, err)
		}
		if len(rows) > 0 {
			u.unreadable = append(u.unreadable, fault.Problem{
				What: fmt.Sprintf("release %s cannot read %s: %s", u.target, rule.What, nameRows(rows)), Hint: rule.Hint,
			})
		}
	}
	return drift
}

// byImage reports whether the target's own image migrates the database.
func (u *upgrade) byImage() bool { return u.target.Unknown || u.target.Floating }

// rowsNamed bounds a list in a message.
const rowsNamed = 20

func nameRows(rows []Row) string {
	var names []string
	for _, r := range rows[:min(len(rows), rowsNamed)] {
		names = append(names, fmt.Sprintf("%d (%s)", r.ID, r.Name))
	}
	if more := len(rows) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}
