package main

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"golang.org/x/sync/errgroup"

	"syncmaster-setup/internal/probe"
	"syncmaster-setup/internal/secret"
)

// startFloor is method B, the floor: containers made by hand through the Engine API in the ideal order, everything that
// can happen at once at once, nothing checked before and nothing recorded.
func (b *bench) startFloor(ctx context.Context, s *site) (measured, error) {
	return b.raiseByHand(ctx, s, "db", "rabbitmq", "server", "scheduler", "worker", "frontend")
}

// raiseByHand starts services, database and broker among them, and waits until they work.
func (b *bench) raiseByHand(ctx context.Context, s *site, services ...string) (measured, error) {
	f := &floor{bench: b, site: s, started: map[string]gate{}, ids: map[string]string{}}
	pieces, err := b.pieces(s)
	if err != nil {
		return measured{}, err
	}
	pieces = slices.DeleteFunc(pieces, func(p piece) bool { return !slices.Contains(services, p.service) })
	script, err := b.schema()
	if err != nil {
		return measured{}, err
	}
	for _, p := range pieces {
		f.started[p.service] = make(gate)
	}
	f.schema, f.broker = make(gate), make(gate)
	s.began = time.Now()
	if err := f.network(ctx); err != nil {
		return measured{}, err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, p := range pieces {
		group.Go(func() error { return f.raise(ctx, p) })
	}
	group.Go(func() error { return f.load(ctx, script) })
	group.Go(func() error { return f.awaitBroker(ctx) })
	for service, check := range map[string]func(context.Context) error{
		"server":    probe.HTTP(fmt.Sprintf("http://127.0.0.1:%d/monitoring/ping", s.ports.server), nil),
		"frontend":  probe.HTTP(fmt.Sprintf("http://127.0.0.1:%d/", s.ports.ui), nil),
		"worker":    f.queueServed,
		"scheduler": f.schedulerConnected,
	} {
		if slices.Contains(services, service) {
			group.Go(func() error { return f.watch(ctx, service, check) })
		}
	}
	err = group.Wait()
	f.measured.took = time.Since(s.began)
	return f.measured, err
}

// gate is closed when what it stands for is there.
type gate chan struct{}

func (g gate) pass(ctx context.Context) error {
	select {
	case <-g:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// floor is one start by hand.
type floor struct {
	*bench
	*site
	started        map[string]gate // by service
	schema, broker gate

	mu       sync.Mutex
	ids      map[string]string // containers by service
	measured measured
}

func (f *floor) mark(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.measured.marks = append(f.measured.marks, mark{name, time.Since(f.began)})
}

func (f *floor) network(ctx context.Context) error {
	if _, err := f.api.NetworkCreate(context.WithoutCancel(ctx), f.project+"_default", client.NetworkCreateOptions{Driver: "bridge"}); err != nil {
		return fmt.Errorf("making the network: %w", err)
	}
	return nil
}

// raise makes a container and starts it when what it needs is there. Database and broker go first; the others are made
// while those start. An interruption lets each request end, so that what it makes is there to be removed.
func (f *floor) raise(ctx context.Context, p piece) error {
	needs := map[string][]gate{
		"server": {f.schema}, "scheduler": {f.schema}, "frontend": {f.schema}, "worker": {f.schema, f.broker},
	}[p.service]
	if len(needs) > 0 {
		for _, first := range []string{"db", "rabbitmq"} {
			if err := f.started[first].pass(ctx); err != nil {
				return err
			}
		}
	}
	made, err := f.api.ContainerCreate(context.WithoutCancel(ctx), f.definition(p))
	if err != nil {
		return fmt.Errorf("making %s: %w", p.service, err)
	}
	f.mu.Lock()
	f.ids[p.service] = made.ID
	f.mu.Unlock()
	for _, g := range needs {
		if err := g.pass(ctx); err != nil {
			return err
		}
	}
	if _, err := f.api.ContainerStart(context.WithoutCancel(ctx), made.ID, client.ContainerStartOptions{}); err != nil {
		return fmt.Errorf("starting %s: %w", p.service, err)
	}
	close(f.started[p.service])
	return nil
}

// definition is a container as the Compose files of init and of the sample define it.
func (f *floor) definition(p piece) client.ContainerCreateOptions {
	config := &container.Config{Image: p.image, Env: p.env, Cmd: p.command, Hostname: p.hostname}
	host := &container.HostConfig{
		Binds: p.volumes, Tmpfs: p.tmpfs, Init: &p.init,
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyUnlessStopped},
	}
	if p.port != 0 {
		port, _ := network.PortFrom(p.port, network.TCP) // it is a constant
		config.ExposedPorts = network.PortSet{port: {}}
		host.PortBindings = network.PortMap{port: {{HostIP: netip.AddrFrom4([4]byte{127, 0, 0, 1}), HostPort: fmt.Sprint(p.published)}}}
	}
	return client.ContainerCreateOptions{
		Name: f.project + "-" + p.service + "-1", Config: config, HostConfig: host,
		NetworkingConfig: &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{
			f.project + "_default": {Aliases: []string{p.service}},
		}},
	}
}

// load runs the schema's SQL with psql as soon as the database answers.
func (f *floor) load(ctx context.Context, script string) error {
	if err := f.started["db"].pass(ctx); err != nil {
		return err
	}
	err := until(ctx, "the database", func(ctx context.Context) error {
		conn, err := f.connect(ctx)
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	})
	if err != nil {
		return err
	}
	f.mark(markDatabase)
	if err := f.psql(ctx, script); err != nil {
		return err
	}
	f.mark(markSchema)
	close(f.schema)
	return nil
}

func (f *floor) awaitBroker(ctx context.Context) error {
	if err := f.started["rabbitmq"].pass(ctx); err != nil {
		return err
	}
	if err := until(ctx, "the broker", probe.AMQP(f.brokerURL())); err != nil {
		return err
	}
	f.mark(markBroker)
	close(f.broker)
	return nil
}

// watch waits until a service that was started works.
func (f *floor) watch(ctx context.Context, service string, check func(context.Context) error) error {
	if err := f.started[service].pass(ctx); err != nil {
		return err
	}
	if err := until(ctx, service, check); err != nil {
		return err
	}
	f.mark(service + " is healthy")
	return nil
}

func (f *floor) queueServed(ctx context.Context) error {
	consumers, err := probe.QueueConsumers(ctx, f.brokerURL(), queue)
	if err == nil && consumers == 0 {
		err = fmt.Errorf("nobody serves %s", queue)
	}
	return err
}

// schedulerConnected looks for the scheduler's sessions in the database, as init does: it has no port.
func (f *floor) schedulerConnected(ctx context.Context) error {
	f.mu.Lock()
	id := f.ids["scheduler"]
	f.mu.Unlock()
	seen, err := f.api.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil {
		return fmt.Errorf("inspecting the scheduler: %w", err)
	}
	conn, err := f.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }() // the answer counts
	rows, err := conn.Query(ctx, "SELECT host(client_addr) FROM pg_stat_activity WHERE client_addr IS NOT NULL")
	if err != nil {
		return fmt.Errorf("asking for sessions: %w", err)
	}
	clients, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("asking for sessions: %w", err)
	}
	for _, n := range seen.Container.NetworkSettings.Networks {
		if slices.Contains(clients, n.IPAddress.String()) {
			return nil
		}
	}
	return fmt.Errorf("the scheduler has no session in the database")
}

func (f *floor) connect(ctx context.Context) (*pgx.Conn, error) {
	at := url.URL{Scheme: "postgres", User: url.UserPassword(user, password), Path: "/" + user,
		Host: fmt.Sprintf("127.0.0.1:%d", f.ports.database), RawQuery: "sslmode=disable&connect_timeout=2"}
	return pgx.Connect(ctx, at.String())
}

func (f *floor) brokerURL() secret.Text {
	return secret.NewText(fmt.Sprintf("amqp://guest:guest@127.0.0.1:%d/", f.ports.broker))
}
