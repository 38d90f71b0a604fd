package setup

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"syncmaster-setup/internal/backup"
	"syncmaster-setup/internal/config"
	"syncmaster-setup/internal/envfile"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/probe"
	"syncmaster-setup/internal/secret"
	"syncmaster-setup/internal/stack"
	"syncmaster-setup/internal/workdir"
)

const (
	// statusLogLines of a service that is not well are shown, of as many as are searched for words that tell its illness.
	statusLogLines, searchedLines = 8, 50
	// runsShown is how many runs at work are listed.
	runsShown = 100
)

// sight is everything that status and doctor tell from, seen at one moment. What could not be seen has its error.
type sight struct {
	world
	setup     *Setup
	at        time.Time
	settings  map[string]string // of .env.docker, as Compose reads it
	redaction *secret.Redactor
	older     []map[string]string // files of earlier generations, whose secrets a bundle must not tell

	engine     Engine
	engineErr  error // there is no engine, or it does not tell
	project    *types.Project
	projectErr error // Compose would refuse the folder
	hashes     map[string]string
	answers    map[string]error // of services that were asked in their own protocol
	services   []serviceSight
	volumes    map[string]int64
	database   databaseSight
	broker     brokerSight
	backups    backup.Listing

	thorough // for doctor alone
}

// serviceSight is one container of a service, or a service without one.
type serviceSight struct {
	name      string
	container *stack.Container
	verdict   stack.Verdict
	logs      string // last lines, where it is not well
	diskFull  bool   // it says so there: PostgreSQL and RabbitMQ have no other way to tell
}

// databaseSight is what the database has told.
type databaseSight struct {
	err    error
	facts  DatabaseFacts
	size   int64
	queues []Queue
	runs   []Run
	served bool // the scheduler holds a session: it has got through
	tokens []string

	differences []string // the rest for doctor alone
	driftErr    error
}

// brokerSight is what the broker has told.
type brokerSight struct {
	err  error
	seen probe.Broker
}

// see looks at the install once. It changes nothing and takes no lock. An error means that there is nothing to look at.
func (s *Setup) see(ctx context.Context, thoroughly bool) (*sight, error) {
	w, err := s.observeAtWork()
	if err != nil {
		return nil, err
	}
	if err := w.checkMigratable(false); err != nil {
		return nil, w.notYet(fault.New(fault.BadInput, err, "name the folder of the install with --dir, or make one: syncmaster-setup init"))
	}
	if err := w.recall(config.Options{}); err != nil {
		return nil, err
	}
	v := &sight{world: w, setup: s, at: s.Now(), answers: map[string]error{}}
	if parsed, err := envfile.Parse(w.texts[workdir.AppEnvFile]); err == nil {
		v.settings = parsed.Map()
	}
	if kept, err := s.Backups(); err == nil { // a folder that cannot be listed holds none for this user
		v.backups = kept
	}
	v.observeProject(ctx)
	v.redaction = v.redactor()
	v.askServices(ctx, thoroughly)
	v.findKey()
	if thoroughly {
		v.lookThoroughly(ctx)
	}
	v.judge()
	v.readLogs(ctx)
	if v.work == nil { // it may have begun since
		if err := s.noteWork(&v.world); err != nil {
			return nil, err
		}
	}
	return v, ctx.Err()
}

// observeProject loads the project, which needs no engine, and asks the engine what it holds of it; nothing here talks to
// SyncMaster.
func (v *sight) observeProject(ctx context.Context) {
	w := v.world
	var asking sync.WaitGroup
	asking.Go(func() {
		v.project, v.projectErr = ask(ctx, func(ctx context.Context) (*types.Project, error) {
			r := &run{Setup: v.setup, world: w}
			err := r.load(ctx)
			return r.project, err
		})
	})
	v.observeEngine(ctx, w)
	asking.Wait()
	if v.project != nil && v.engine != nil {
		v.hashes, v.projectErr = v.engine.Hashes(v.project)
	}
}

// observeEngine asks the engine for what it holds of an install.
func (v *sight) observeEngine(ctx context.Context, w world) {
	engine, err := ask(ctx, v.setup.Connect)
	if err != nil {
		v.engineErr = err
		return
	}
	var asking sync.WaitGroup
	var hostErr, observeErr error
	asking.Go(func() { v.host, hostErr = ask(ctx, engine.Host) })
	asking.Go(func() {
		v.observed, observeErr = ask(ctx, func(ctx context.Context) (stack.Observed, error) {
			return engine.Observe(ctx, w.options.Project, w.images())
		})
	})
	asking.Wait()
	if v.engineErr = errors.Join(hostErr, observeErr); v.engineErr == nil {
		v.engine = engine
	}
}

// judge gives each service its verdict. Without an engine nothing is known of them.
func (v *sight) judge() {
	now := v.at
	if skew := v.skew(); skew != 0 {
		now = now.Add(skew)
	}
	for _, name := range v.serviceNames() {
		found := false
		for _, c := range v.observed.Containers {
			if c.Service == name {
				found = true
				v.services = append(v.services, v.judgeOne(name, &c, now))
			}
		}
		if !found {
			v.services = append(v.services, v.judgeOne(name, nil, now))
		}
	}
}

func (v *sight) judgeOne(name string, c *stack.Container, now time.Time) serviceSight {
	if v.engine == nil {
		return serviceSight{name: name, verdict: stack.Verdict{State: stack.Unknown}}
	}
	seen := stack.Seen{Service: name, Container: c, OneOff: name == migrations, Now: now}
	if slices.Contains(v.world.services(), name) {
		_, present := v.observed.Images[v.image(name)]
		seen.ImageMissing = !present
	}
	seen.Answer, seen.Asked = v.answers[name]
	verdict := stack.Judge(seen)
	verdict.Reason = v.clean(verdict.Reason)
	return serviceSight{name: name, container: c, verdict: verdict}
}

// serviceNames are those of the install, then those that the user has added.
func (v *sight) serviceNames() []string {
	names := slices.DeleteFunc(v.world.services(), func(s string) bool { return s == migrations })
	for _, c := range v.observed.Containers {
		if !slices.Contains(names, c.Service) {
			names = append(names, c.Service)
		}
	}
	return names
}

// skew is how far the engine's clock is ahead of ours; 0 where they agree as far as can be told.
func (v *sight) skew() time.Duration {
	if v.host.Clock.IsZero() {
		return 0
	}
	skew := v.host.Clock.Sub(v.at)
	if skew.Abs() < askLimit { // the answer itself may have taken that long
		return 0
	}
	return skew
}

// readLogs gets the last lines of what is not well.
func (v *sight) readLogs(ctx context.Context) {
	var asking sync.WaitGroup
	for i := range v.services {
		one := &v.services[i]
		if one.verdict.Well() || one.container == nil || one.verdict.State == stack.Unknown {
			continue
		}
		id := one.container.ID
		asking.Go(func() {
			logs, err := ask(ctx, func(ctx context.Context) (string, error) { return v.engine.Logs(ctx, id, searchedLines) })
			if err == nil {
				one.diskFull = strings.Contains(logs, "No space left on device")
				one.logs = v.clean(lastLines(strings.TrimRight(logs, "\n"), statusLogLines))
			}
		})
	}
	asking.Wait()
}
