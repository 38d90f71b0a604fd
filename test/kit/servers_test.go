package kit_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"
)

func TestPostgresWithoutPasswordRefuses(t *testing.T) {
	t.Parallel()
	code, logs := start(t, spec{image: "postgres:17"}).exit(t)
	if code != 1 || !strings.Contains(logs, "superuser password is not specified") {
		t.Errorf("status %d, log %s", code, logs)
	}
}

func TestPostgresKeepsTheOfficialContract(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "password"), "it's a $ecret%")
	write(t, filepath.Join(dir, "init", "1.sql"), "CREATE TABLE from_sql (x int)")
	write(t, filepath.Join(dir, "init", "2.sh"), `psql -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c 'INSERT INTO from_sql VALUES (7)'`)
	b := start(t, spec{image: "postgres:17",
		env: []string{"POSTGRES_USER=syncmaster", "POSTGRES_DB=sync master", "POSTGRES_PASSWORD_FILE=/kit/password",
			"POSTGRES_INITDB_ARGS=--data-checksums --wal-segsize=1"},
		binds: []string{dir + ":/kit:ro", filepath.Join(dir, "init") + ":/docker-entrypoint-initdb.d:ro"},
	})
	connect := func(password string) (*pgx.Conn, error) {
		c, err := pgx.ParseConfig("")
		if err != nil {
			return nil, err
		}
		c.Host, c.Port, c.User, c.Database, c.Password, c.TLSConfig, c.Fallbacks = b.ip, 5432, "syncmaster", "sync master", password, nil, nil
		return pgx.ConnectConfig(t.Context(), c)
	}
	check := func(wanted string) {
		t.Helper()
		var conn *pgx.Conn
		// What answers over TCP first is the finished database.
		until(t, 30*time.Second, func() (err error) { conn, err = connect("it's a $ecret%"); return err })
		defer func() { _ = conn.Close(context.Background()) }()
		var got string
		const query = "SELECT concat_ws(' ', x, current_setting('data_checksums'), current_setting('wal_segment_size')) FROM from_sql"
		if err := conn.QueryRow(t.Context(), query).Scan(&got); err != nil || got != wanted {
			t.Errorf("got %q, %v, want %q", got, err, wanted)
		}
		if _, err := conn.Exec(t.Context(), "CREATE EXTENSION IF NOT EXISTS pg_trgm; UPDATE from_sql SET x = 8"); err != nil {
			t.Error(err)
		}
	}
	check("7 on 1MB")
	if _, err := connect("wrong"); err == nil {
		t.Error("a wrong password is accepted")
	}
	for _, command := range []string{"pg_isready", "pg_dump --version", "pg_restore --version", "psql --version", "test $(stat -c %u /proc/1) = 999"} {
		if code, out := b.exec(t, "sh", "-c", command); code != 0 {
			t.Errorf("%s: %d %s", command, code, out)
		}
	}
	if took, code := b.stop(t, 10); took > 4*time.Second || code != 0 {
		t.Errorf("stopped in %s with %d", took, code)
	}
	b.start(t)
	check("8 on 1MB")
}

func TestRabbitMQKeepsTheOfficialContract(t *testing.T) {
	t.Parallel()
	began := time.Now()
	b := start(t, spec{image: "rabbitmq:4.2", hostname: "broker",
		env: []string{"RABBITMQ_DEFAULT_USER=u", "RABBITMQ_DEFAULT_PASS=p", "RABBITMQ_DEFAULT_VHOST=v"}})
	url := func() string { return "amqp://u:p@" + b.ip + ":5672/v" }
	until(t, 90*time.Second, func() error { return login(url()) })
	t.Logf("first login after %s", time.Since(began))
	if login("amqp://guest:guest@"+b.ip+":5672/") == nil {
		t.Error("guest exists beside the chosen user")
	}
	for _, command := range []string{
		"rabbitmq-diagnostics -q ping", "rabbitmqctl list_users", "test -d /var/lib/rabbitmq/mnesia/rabbit@broker",
		"test $(stat -c %u /proc/1) = 999",
	} {
		if code, out := b.exec(t, "sh", "-c", command); code != 0 {
			t.Errorf("%s: %d %s", command, code, out)
		}
	}
	if !strings.Contains(b.logs(t), "Server startup complete") {
		t.Error("the log is not on stdout")
	}
	if took, code := b.stop(t, 20); took > 8*time.Second || code == 137 {
		t.Errorf("stopped in %s with %d", took, code)
	}
	b.start(t)
	until(t, 90*time.Second, func() error { return login(url()) })
}

func TestRabbitMQRefusesFileVariables(t *testing.T) {
	t.Parallel()
	code, logs := start(t, spec{image: "rabbitmq:4", env: []string{"RABBITMQ_DEFAULT_PASS_FILE=/x"}}).exit(t)
	if code != 1 || !strings.Contains(logs, "RABBITMQ_DEFAULT_PASS_FILE is set but deprecated") {
		t.Errorf("status %d, log %s", code, logs)
	}
}

func login(url string) error {
	conn, err := amqp.DialConfig(url, amqp.Config{Dial: amqp.DefaultDial(2 * time.Second)})
	if err != nil {
		return fmt.Errorf("logging in: %w", err)
	}
	return conn.Close()
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	for dir := filepath.Dir(path); strings.HasPrefix(dir, os.TempDir()+"/"); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil { // the container reads it as another user
			t.Fatal(err)
		}
	}
}
