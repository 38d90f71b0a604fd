package main

import (
	"context"
	"fmt"
	"strings"

	"syncmaster-setup/test/kit"
)

// The login of the sample files.
const user, password = "syncmaster", "changeme"

// piece is one container of the floor.
type piece struct {
	service   string
	image     string
	env       []string
	command   []string
	port      uint16 // in the container, 0 for none
	published uint16 // on this host
	volumes   []string
	tmpfs     map[string]string
	hostname  string
	init      bool
}

// pieces are the containers that init runs, with the settings of the sample files.
func (b *bench) pieces(s *site) ([]piece, error) {
	settings, err := sampleSettings()
	if err != nil {
		return nil, err
	}
	image := func(role string) string { return kit.Prefix + "/mtsrus/syncmaster-" + role + ":" + version }
	return []piece{
		{service: "db", image: kit.Prefix + "/postgres:17", port: 5432, published: s.ports.database,
			env:     []string{"POSTGRES_DB=" + user, "POSTGRES_USER=" + user, "POSTGRES_PASSWORD=" + password},
			volumes: []string{s.project + "_postgres_data:/var/lib/postgresql/data"}},
		{service: "rabbitmq", image: kit.Prefix + "/rabbitmq:4.2", port: 5672, published: s.ports.broker, hostname: "rabbitmq",
			volumes: []string{s.project + "_rabbitmq_data:/var/lib/rabbitmq"}},
		{service: "server", image: image("server"), port: 8000, published: s.ports.server,
			env:   append(settings, "SYNCMASTER__ENTRYPOINT__SUPERUSERS=admin", "PROMETHEUS_MULTIPROC_DIR=/tmp/prometheus-metrics"),
			tmpfs: map[string]string{"/tmp/prometheus-metrics": "mode=1777"}},
		{service: "scheduler", image: image("scheduler"), env: settings, init: true},
		{service: "worker", image: image("worker"), env: settings, command: []string{"--loglevel=info", "-Q", queue}},
		{service: "frontend", image: image("ui"), port: 3000, published: s.ports.ui,
			env: []string{fmt.Sprintf("SYNCMASTER__UI__API_BROWSER_URL=http://localhost:%d", s.ports.server)}},
	}, nil
}

// psql runs a script in one session and one transaction, in the database's container.
func (f *floor) psql(ctx context.Context, script string) error {
	f.mu.Lock()
	id := f.ids["db"]
	f.mu.Unlock()
	return f.exec(ctx, id, append(psql(user), "-1", "-f", "-"), strings.NewReader(script), nil)
}
