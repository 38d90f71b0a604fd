package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"strings"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"

	"syncmaster-setup/migrations"
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

// schema is the SQL that brings an empty database to the head of the release: the files that init runs, and Alembic's
// version table.
func (b *bench) schema() (string, error) {
	names, err := fs.Glob(migrations.FS, "*.up.sql")
	if err != nil {
		return "", fmt.Errorf("listing the migrations: %w", err)
	}
	var script strings.Builder
	for _, name := range names {
		if name[:4] > b.release.Head {
			continue
		}
		text, err := migrations.FS.ReadFile(name)
		if err != nil {
			return "", fmt.Errorf("reading a migration: %w", err)
		}
		script.Write(append(text, '\n'))
	}
	script.WriteString("CREATE TABLE alembic_version (version_num varchar(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num));\n")
	fmt.Fprintf(&script, "INSERT INTO alembic_version VALUES ('%s');\n", b.release.Head)
	return script.String(), nil
}

// psql runs a script in one session and one transaction, in the database's container.
func (f *floor) psql(ctx context.Context, script string) error {
	f.mu.Lock()
	id := f.ids["db"]
	f.mu.Unlock()
	made, err := f.api.ExecCreate(ctx, id, client.ExecCreateOptions{
		Cmd: []string{"psql", "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-U", user, "-d", user, "-f", "-"}, Env: []string{"PGPASSWORD=" + password},
		AttachStdin: true, AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		return fmt.Errorf("preparing psql: %w", err)
	}
	session, err := f.api.ExecAttach(ctx, made.ID, client.ExecAttachOptions{})
	if err != nil {
		return fmt.Errorf("starting psql: %w", err)
	}
	defer session.Close()
	if _, err := session.Conn.Write([]byte(script)); err != nil {
		return fmt.Errorf("writing to psql: %w", err)
	}
	if err := session.CloseWrite(); err != nil {
		return fmt.Errorf("writing to psql: %w", err)
	}
	var out bytes.Buffer
	if _, err := stdcopy.StdCopy(&out, &out, session.Reader); err != nil {
		return fmt.Errorf("reading from psql: %w", err)
	}
	return until(ctx, "psql", func(ctx context.Context) error {
		seen, err := f.api.ExecInspect(ctx, made.ID, client.ExecInspectOptions{})
		switch {
		case err != nil || seen.Running:
			return fmt.Errorf("it has not ended: %w", err)
		case seen.ExitCode != 0:
			return fmt.Errorf("it ended with %d: %s", seen.ExitCode, out.String())
		}
		return nil
	})
}
