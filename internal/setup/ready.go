package setup

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/probe"
	"syncmaster-setup/internal/report"
	"syncmaster-setup/internal/secret"
	"syncmaster-setup/internal/stack"
	"syncmaster-setup/internal/workdir"
)

const (
	// logLines of a container that failed are shown with the error.
	logLines = 15
	// keptLines of it are kept where the container goes away.
	keptLines = 1000
	// inspectEvery bounds how often a wait asks the engine whether the container still lives.
	inspectEvery = 500 * time.Millisecond
	// settled is how long a service without a protocol of its own must run before it counts as up.
	settled = 5 * time.Second
)

// whyMigrate says what the migration step will do.
func (r *run) whyMigrate() string {
	if r.imageMigrates() && r.options.Dev {
		return "to revision " + r.head() + ", with Alembic from the checkout's own image"
	}
	if r.imageMigrates() {
		return "with Alembic from the image of release " + r.release.Version
	}
	return "to revision " + r.head() + " of release " + r.release.Version
}

// migrate waits for the database and brings its schema to the release's head.
func (r *run) migrate(ctx context.Context) error {
	return r.withDatabase(ctx, func(db Database) error {
		facts, err := db.Observe(ctx)
		if err != nil {
			return err
		}
		if r.options.Dev {
			err = r.prepareDev(ctx, db, facts.Revision)
		} else {
			err = CheckIdentity(r.state.Database, facts.SystemIdentifier)
		}
		if err != nil {
			return err
		}
		r.state.Database = facts.SystemIdentifier
		if r.imageMigrates() && r.options.Dev {
			return r.migrateByCheckout(ctx, db, facts.Revision)
		}
		if r.imageMigrates() {
			return r.migrateByImage(ctx)
		}
		done, err := db.Migrate(ctx, r.head(), func(text string) {
			r.Report.Report(report.Event{Kind: report.Progress, Text: text})
		})
		r.result.Revision = r.head()
		r.result.Changed = r.result.Changed || len(done.Revisions) > 0
		if err != nil {
			return err
		}
		return db.Vacuum(ctx, done.Rewritten)
	})
}

// migrateByImage runs the release's own one-off container, for a schema that this program does not carry.
func (r *run) migrateByImage(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, r.limit, fmt.Errorf("the migrations of the image took longer than %s", r.limit))
	defer cancel()
	code, tail, err := r.engine.RunOneOff(ctx, r.project, migrations)
	if err != nil {
		return err
	}
	if code != 0 {
		return fmt.Errorf("the migrations of the image ended with exit code %d:\n%s", code, indent(r.redact(tail)))
	}
	r.result.Changed = r.result.Changed || r.state.Phase != workdir.Installed
	return nil
}

// withDatabase uses the run's session on the database, opening it, once the database answers, where there is none.
func (r *run) withDatabase(ctx context.Context, use func(Database) error) error {
	if r.db == nil {
		if err := r.openDatabase(ctx); err != nil {
			return err
		}
	}
	if err := use(r.db); err != nil { // a session that failed may be beyond use
		return errors.Join(err, r.closeDatabase(ctx))
	}
	return nil
}

func (r *run) openDatabase(ctx context.Context) error {
	if err := r.load(ctx); err != nil {
		return err
	}
	check := func(ctx context.Context) error {
		address, err := r.address(ctx, "db", 5432)
		if err != nil {
			return err
		}
		opened, err := r.Databases.Open(ctx, r.setting(databaseURL), address)
		if err != nil && !r.Databases.Retryable(err) {
			return probe.Fatal(err)
		}
		r.db = opened
		return err
	}
	return r.waitFor(ctx, "the database to answer", "db", r.options.ExternalDatabase, check)
}

// closeDatabase ends the session, if there is one.
func (r *run) closeDatabase(ctx context.Context) error {
	if r.db == nil {
		return nil
	}
	db := r.db
	r.db = nil
	return db.Close(context.WithoutCancel(ctx))
}

// waitBroker waits for a login at the broker.
func (r *run) waitBroker(ctx context.Context) error {
	if err := r.load(ctx); err != nil {
		return err
	}
	return r.waitFor(ctx, "the broker to accept its user", "rabbitmq", r.options.ExternalBroker, func(ctx context.Context) error {
		address, err := r.address(ctx, "rabbitmq", 5672)
		if err != nil {
			return err
		}
		return probe.AMQP(at(r.setting(brokerURL), address))(ctx)
	})
}

// waitHealthy waits for all services at once and returns the failures of all.
func (r *run) waitHealthy(ctx context.Context, services []string) error {
	if err := r.load(ctx); err != nil {
		return err
	}
	var waiting sync.WaitGroup
	errs := make([]error, len(services))
	for i, service := range services {
		waiting.Go(func() {
			errs[i] = r.waitFor(ctx, service, service, false, r.healthCheck(service))
		})
	}
	waiting.Wait()
	return errors.Join(errs...)
}

// healthCheck returns the check that proves that a service works: server and UI answer, the worker consumes its
// queues, the scheduler holds its sessions in the database.
func (r *run) healthCheck(service string) func(context.Context) error {
	switch service {
	case "server":
		return func(ctx context.Context) error { return r.get(ctx, service, 8000, "/monitoring/ping") }
	case "frontend":
		return func(ctx context.Context) error { return r.get(ctx, service, 3000, "/") }
	case "worker":
		return r.checkWorker
	default:
		return r.checkScheduler
	}
}

func (r *run) get(ctx context.Context, service string, port uint16, path string) error {
	address, err := r.address(ctx, service, port)
	if err != nil {
		return err
	}
	return probe.HTTP("http://"+address+path, nil)(ctx)
}

func (r *run) checkWorker(ctx context.Context) error {
	address, err := r.address(ctx, "rabbitmq", 5672)
	if err != nil {
		return err
	}
	for _, queue := range r.options.Queues {
		consumers, err := probe.QueueConsumers(ctx, at(r.setting(brokerURL), address), queue)
		if err != nil {
			return err
		}
		if consumers == 0 {
			return fmt.Errorf("nobody serves the queue %s yet", queue)
		}
	}
	return nil
}

// checkScheduler looks for the scheduler's sessions in the database, since it has no port. Where they cannot be seen,
// for example behind address translation, a scheduler that keeps running for a while counts.
func (r *run) checkScheduler(ctx context.Context) error {
	c, err := r.engine.Inspect(ctx, r.options.Project, "scheduler")
	if err != nil {
		return err
	}
	if c.State == "running" && r.Now().Sub(c.StartedAt) > settled {
		return nil
	}
	if r.options.ExternalDatabase {
		return errors.New("it has not run long enough yet")
	}
	from, err := r.engine.ContainerAddress(ctx, r.options.Project, "scheduler")
	if err != nil {
		return err
	}
	return r.withDatabase(ctx, func(db Database) error {
		sessions, err := db.SessionsFrom(ctx, from)
		if err == nil && sessions == 0 {
			err = errors.New("it has no session in the database yet")
		}
		return err
	})
}

// waitFor repeats a check of a service within the limit and shows what is waited for. A container that is beyond help
// ends it at once; either way the error has the container's last lines.
func (r *run) waitFor(ctx context.Context, what, service string, external bool, check func(context.Context) error) error {
	r.Report.Report(report.Event{Kind: report.Progress, Text: "waiting for " + what})
	err := probe.Wait(ctx, probe.Options{What: what, Limit: r.limit, Interval: r.every}, r.watched(service, external, check))
	if external || !errors.Is(err, probe.ErrGaveUp) {
		return err
	}
	c, inspectErr := r.engine.Inspect(ctx, r.options.Project, service)
	if inspectErr != nil {
		return err // as in watched
	}
	return r.withLogs(ctx, c, err, stack.Verdict{Next: "docker compose logs --tail 50 " + service})
}

// watched ends a check as soon as its container is beyond help, with the container's last lines.
func (r *run) watched(service string, external bool, check func(context.Context) error) func(context.Context) error {
	if external {
		return check
	}
	before, _ := r.observed.Container(service)
	restarts, asked := before.Restarts, time.Time{}
	return func(ctx context.Context) error {
		err := check(ctx)
		if err == nil || r.Now().Sub(asked) < inspectEvery {
			return err
		}
		asked = r.Now()
		c, inspectErr := r.engine.Inspect(ctx, r.options.Project, service)
		if inspectErr != nil {
			return err // the engine's own trouble must not hide the check's
		}
		verdict := stack.Judge(stack.Seen{Service: service, Container: &c, Now: r.Now(), Watched: true, Restarts: restarts})
		if verdict.Hopeless() {
			return probe.Fatal(r.withLogs(ctx, c, errors.New(verdict.Reason), verdict))
		}
		return err
	}
}

// withLogs adds a container's last lines to why the wait for it ended, and the verdict's next step. One that is going to be
// replaced cannot be asked then: its words are kept.
func (r *run) withLogs(ctx context.Context, c stack.Container, cause error, verdict stack.Verdict) error {
	hint := r.next(verdict)
	switch {
	case r.vanishing:
		hint = verdict.Mend()
	case verdict.Mend() == "":
		hint += "    (when the cause is mended: " + r.inFolder("syncmaster-setup init") + ")"
	}
	logs, err := r.engine.Logs(ctx, c.ID, keptLines)
	if err != nil || strings.TrimSpace(logs) == "" {
		return fault.New(fault.Failed, cause, hint)
	}
	logs = strings.TrimSpace(r.redact(logs))
	if r.vanishing {
		hint = strings.Join(slices.DeleteFunc([]string{hint, r.keepOutput(c.Service, logs)}, func(s string) bool { return s == "" }), "; ")
	}
	return fault.New(fault.Failed, fmt.Errorf("%w%s\n%s", cause, lastLinesMark, indent(lastLines(logs, logLines))), hint)
}

// lastLinesMark stands before the last lines of a container.
const lastLinesMark = "; its last lines:"

// keepOutput keeps what a container has said that will not be there any more when its user looks for it.
func (r *run) keepOutput(service, text string) (hint string) {
	path, err := r.Dir.KeepOutput(r.Now(), service, text+"\n")
	if err != nil {
		return "" // the last lines are told all the same
	}
	return "what it said before is in " + path
}

func lastLines(text string, n int) string {
	lines := strings.Split(text, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// address returns where a service is reached from here: its published port, otherwise its container. External services
// have no address of ours.
func (r *run) address(ctx context.Context, service string, port uint16) (string, error) {
	if service == "db" && r.options.ExternalDatabase || service == "rabbitmq" && r.options.ExternalBroker {
		return "", nil
	}
	definition, err := r.project.GetService(service)
	if err != nil {
		return "", fmt.Errorf("looking for the service %s: %w", service, err)
	}
	for _, p := range definition.Ports {
		if p.Target == uint32(port) && p.Published != "" {
			return net.JoinHostPort(reachable(p.HostIP), p.Published), nil
		}
	}
	address, err := r.engine.ContainerAddress(ctx, r.options.Project, service)
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(address.String(), strconv.Itoa(int(port))), nil
}

// at returns a URL with another host and port, or as it is without an address.
func at(raw secret.Text, address string) secret.Text {
	u, err := url.Parse(raw.Reveal())
	if err != nil || address == "" {
		return raw
	}
	u.Host = address
	return secret.NewText(u.String())
}

// passwordOf returns the password in a URL.
func passwordOf(raw secret.Text) secret.Text {
	u, err := url.Parse(raw.Reveal())
	if err != nil || u.User == nil {
		return secret.Text{}
	}
	password, _ := u.User.Password()
	return secret.NewText(password)
}

// reachable returns the address to dial for one that is published on.
func reachable(published string) string {
	if slices.Contains([]string{"", "0.0.0.0", "::"}, published) {
		return loopback
	}
	return published
}

// redact removes this install's secrets from text that a container has written: those generated, and every setting of
// .env.docker that is one, whenever it was set.
func (r *run) redact(text string) string { return r.redactor().String(text) }

// redactor knows the secrets of the install as it is and as it will be.
func (r *run) redactor() *secret.Redactor {
	s := r.input.Secrets
	known := []secret.Text{s.FernetKey, s.DatabasePassword, s.BrokerPassword, s.CookieKey, s.TokenKey,
		passwordOf(r.setting(databaseURL)), passwordOf(r.setting(brokerURL))}
	for name, value := range r.settings {
		if definition, has := r.release.Setting(name); has && definition.Secret {
			known = append(known, secret.NewText(value))
		}
	}
	return secret.NewRedactor(append(known, r.hidden(r.project)...)...)
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    ")
}
