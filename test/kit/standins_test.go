package kit_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fernet/fernet-go"
	"github.com/jackc/pgx/v5"

	"syncmaster-setup/test/kit"
	"syncmaster-setup/test/kit/facts"
)

const key = "UBgPTioFrtH2unlC4XFDiGf5sYfzbdSf_VgiUSaQc94="

// world is a database server and a broker that the stand-ins of one test share.
type world struct{ db, broker *box }

func newWorld(t *testing.T) world {
	w := world{
		db:     start(t, spec{image: "postgres:17", env: []string{"POSTGRES_USER=syncmaster", "POSTGRES_PASSWORD=changeme"}}),
		broker: start(t, spec{image: "rabbitmq:4", hostname: "rabbitmq"}),
	}
	until(t, 60*time.Second, func() error { return w.query(t, "syncmaster", "SELECT true", new(bool)) })
	until(t, 90*time.Second, func() error { return login("amqp://guest:guest@" + w.broker.ip + ":5672") })
	if code, logs := w.migrate(t, "0.3.2", "syncmaster"); code != 0 {
		t.Fatalf("migrating: %d %s", code, logs)
	}
	return w
}

// query runs statements in a database; the last one gives a single value.
func (w world) query(t *testing.T, database, sql string, into any) error {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), "postgres://syncmaster:changeme@"+w.db.ip+"/"+database)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if into == nil {
		_, err = conn.Exec(t.Context(), sql)
		return err
	}
	return conn.QueryRow(t.Context(), sql).Scan(into)
}

func (w world) database(t *testing.T, name string) {
	t.Helper()
	if err := w.query(t, "syncmaster", "CREATE DATABASE "+name, nil); err != nil {
		t.Fatal(err)
	}
}

// settings are a working environment of a release, changed by pairs NAME=value; NAME- removes a variable.
func (w world) settings(release, database string, changes ...string) []string {
	env := []string{
		"DATABASE__URL=postgresql+asyncpg://syncmaster:changeme@" + w.db.ip + ":5432/" + database,
		"BROKER__URL=amqp://guest:guest@" + w.broker.ip + ":5672", "ENCRYPTION__SECRET_KEY=" + key,
		"AUTH__ACCESS_TOKEN__SECRET_KEY=token", "SERVER__CORS__ALLOW_ORIGINS=[\"http://ui\"]",
	}
	if r, _ := facts.Find(release); r.Old() {
		env = append(env, "SERVER__SESSION__SECRET_KEY=session", "ENTRYPOINT__SUPERUSERS=admin,second")
	} else {
		env = append(env, `SUPERUSERS=["admin","second"]`, "WORKER={}")
	}
	for _, change := range changes {
		name, _, sets := strings.Cut(change, "=")
		name = strings.TrimSuffix(name, "-")
		env = slices.DeleteFunc(env, func(pair string) bool { return strings.HasPrefix(pair, name+"=") })
		if sets {
			env = append(env, change)
		}
	}
	for i := range env {
		env[i] = "SYNCMASTER__" + env[i]
	}
	return env
}

var migrateHead = []string{"python", "-m", "syncmaster.db.migrations", "upgrade", "head"}

func (w world) migrate(t *testing.T, release, database string, command ...string) (int, string) {
	t.Helper()
	if len(command) == 0 {
		command = migrateHead
	}
	return start(t, spec{image: "mtsrus/syncmaster-server:" + release, entrypoint: command, env: w.settings(release, database)}).exit(t)
}

// TestStandins runs everything that needs a database or a broker against one of each.
func TestStandins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, release := range []string{"0.2.0", "0.2.5", "0.3.2", "develop"} {
		t.Run("works/"+release, func(t *testing.T) { w.works(t, release) })
	}
	t.Run("refuses", w.refuses)
	t.Run("migrations", w.migrations)
}

// works is the life of a whole stack of one release.
func (w world) works(t *testing.T, release string) {
	t.Parallel()
	r, _ := facts.Find(release)
	db := "works_" + strings.NewReplacer(".", "_").Replace(release)
	w.database(t, db)
	server := spec{image: "mtsrus/syncmaster-server:" + release, env: w.settings(release, db)}
	if code, logs := start(t, server).exit(t); code == 0 || !strings.Contains(logs, "user") {
		t.Errorf("the server of an unmigrated database ended with %d: %s", code, logs)
	}
	if code, logs := start(t, spec{image: "mtsrus/syncmaster-scheduler:" + release, env: server.env}).exit(t); code == 0 {
		t.Errorf("the scheduler of an unmigrated database: %s", logs)
	}
	if code, logs := w.migrate(t, release, db); code != 0 {
		t.Fatalf("migrations: %d %s", code, logs)
	}
	var revision string
	if err := w.query(t, db, "SELECT version_num FROM alembic_version", &revision); err != nil || revision != r.Head {
		t.Errorf("revision %q, %v, want %s", revision, err, r.Head)
	}
	token, err := fernet.EncryptAndSign([]byte(`{"password": "x", "type": "basic", "user": "y"}`), fernet.MustDecodeKeys(key)[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := w.query(t, db, seed(release, string(token)), nil); err != nil {
		t.Fatal(err)
	}
	w.serves(t, r, server, db)
	w.schedules(t, release, server.env)
}

// seed is a transfer with its group, queue, connection and credentials.
func seed(release, token string) string {
	return `INSERT INTO "user" (username, is_superuser, is_active) VALUES ('owner', false, true);
		INSERT INTO "group" (name, description, owner_id) VALUES ('g', '', 1);
		INSERT INTO queue (name, slug, group_id, description) VALUES ('q', '1-` + release + `', 1, '');
		INSERT INTO connection (group_id, type, name, description, data) VALUES (1, 'hdfs', 'c', '', '{}');
		INSERT INTO auth_data (connection_id, value) VALUES (1, '` + token + `');
		INSERT INTO transfer (group_id, name, description, source_connection_id, target_connection_id, strategy_params,
			source_params, target_params, transformations, resources, is_scheduled, schedule, queue_id)
		VALUES (1, 't', '', 1, 1, '{}', '{}', '{}', '[]', '{}', false, '', 1)`
}

// serves asks the server, starts a run and follows it through the worker.
func (w world) serves(t *testing.T, r facts.Release, server spec, db string) {
	t.Helper()
	b := start(t, server)
	base := "http://" + b.ip + ":8000"
	until(t, 15*time.Second, func() error { return ask(t, "GET", base+"/monitoring/ping", "", nil, nil) })
	var api struct{ Info struct{ Version string } }
	if err := ask(t, "GET", base+"/openapi.json", "", nil, &api); err != nil || api.Info.Version != r.API {
		t.Errorf("openapi version %q, %v, want %s", api.Info.Version, err, r.API)
	}
	var supers string
	const list = `SELECT string_agg(username, ',' ORDER BY username) FROM "user" WHERE is_superuser`
	if err := w.query(t, db, list, &supers); err != nil || supers != "admin,second" {
		t.Errorf("superusers %q, %v", supers, err)
	}
	token := signIn(t, base)
	if err := ask(t, "GET", base+"/v1/connections", token, nil, nil); err != nil {
		t.Error(err)
	}
	if code, out := b.exec(t, "sh", "-c", "curl -f http://localhost:8000/monitoring/ping || exit 1"); code != 0 {
		t.Errorf("health check: %d %s", code, out)
	}
	wrong := server
	wrong.env = append(slices.Clone(server.env), "SYNCMASTER__ENCRYPTION__SECRET_KEY="+strings.Repeat("A", 43)+"=")
	other := start(t, wrong)
	until(t, 15*time.Second, func() error { return ask(t, "GET", "http://"+other.ip+":8000/monitoring/ping", "", nil, nil) })
	if err := ask(t, "GET", "http://"+other.ip+":8000/v1/connections", token, nil, nil); err == nil || !strings.Contains(err.Error(), "500") {
		t.Errorf("a wrong key gives %v, want 500", err)
	}
	w.executes(t, r, server.env, base, token)
	if took, code := b.stop(t, 10); took > 5*time.Second || code != 0 {
		t.Errorf("the server stopped in %s with %d", took, code)
	}
}

// executes sends one run, sees it in progress, and stops the worker while it lasts.
func (w world) executes(t *testing.T, r facts.Release, env []string, base, token string) {
	t.Helper()
	command := []string{"worker", "--loglevel=info", "--queues", "1-" + r.Tag, "-n", "kit-" + r.Tag + "@%h"}
	if r.Old() {
		command = []string{"--loglevel=info", "-Q", "1-" + r.Tag, "-n", "kit-" + r.Tag + "@%h"}
	}
	worker := start(t, spec{image: "mtsrus/syncmaster-worker:" + r.Tag, cmd: command, init: !r.Old(),
		env: append(slices.Clone(env), "SYNCMASTER_KIT_RUN_DURATION=6s")})
	worker.says(t, "ready")
	var run struct{ ID int }
	if err := ask(t, "POST", base+"/v1/runs", token, strings.NewReader(`{"transfer_id": 1}`), &run); err != nil {
		t.Fatal(err)
	}
	status := func(want string) func() error {
		return func() error {
			var got struct{ Status string }
			if err := ask(t, "GET", fmt.Sprintf("%s/v1/runs/%d", base, run.ID), token, nil, &got); err != nil || got.Status != want {
				return fmt.Errorf("status %q, %w, want %s", got.Status, err, want)
			}
			return nil
		}
	}
	until(t, 10*time.Second, status("STARTED"))
	code, out := worker.exec(t, "python", "-m", "celery", "-A", "syncmaster.worker.celery", "inspect", "active", "-t", "2",
		"-d", "kit-"+r.Tag+"@"+worker.id[:12])
	if code != 0 || !strings.Contains(out, "run_transfer_task") || !strings.Contains(out, "1 node online") {
		t.Errorf("inspect active: %d %s", code, out)
	}
	if took, code := worker.stop(t, 60); code != 0 {
		t.Errorf("the worker stopped in %s with %d", took, code)
	}
	if err := status("FINISHED")(); err != nil {
		t.Errorf("a warm shutdown left the run unfinished: %v", err)
	}
}

// schedules sees the scheduler's sessions, that SIGTERM does nothing, and that it does behind an init process.
func (w world) schedules(t *testing.T, release string, env []string) {
	t.Helper()
	image := "mtsrus/syncmaster-scheduler:" + release
	b := start(t, spec{image: image, env: env})
	b.says(t, "Looking at")
	var sessions int
	if err := w.query(t, "syncmaster", "SELECT count(*) FROM pg_stat_activity WHERE client_addr = '"+b.ip+"'", &sessions); err != nil || sessions != 2 {
		t.Errorf("%d sessions, %v, want 2", sessions, err)
	}
	if took, code := b.stop(t, 2); took < 2*time.Second || code != 137 {
		t.Errorf("SIGTERM stopped it in %s with %d", took, code)
	}
	b = start(t, spec{image: image, env: env, init: true})
	b.says(t, "Looking at")
	if _, code := b.stop(t, 5); code != 143 {
		t.Errorf("behind an init process it stopped with %d, want 143", code)
	}
}

func (w world) migrations(t *testing.T) {
	w.database(t, "steps")
	for _, step := range []struct {
		release string
		command string
		code    int
		says    string
		after   string
	}{
		{"0.2.0", "upgrade head", 0, "Running upgrade 0010 -> 0011", "0011"},
		{"0.3.2", "upgrade head", 0, "Running upgrade 0011 -> 0012", "0012"},
		{"0.2.0", "upgrade head", 1, "Can't locate revision identified by '0012'", "0012"},
		{"0.3.1", "downgrade 0011", 1, "syntax error", "0012"},
		{"0.3.0", "downgrade -1", 0, "Running downgrade 0012 -> 0011", "0011"},
		{"0.4.0", "upgrade head", 0, "Running upgrade 0012 -> 0013", "0013"},
		{"develop", "current", 0, "0013 (head)", "0013"},
		{"develop", "upgrade 0012", 0, "", "0013"},
		{"develop", "upgrade 9999", 1, "Can't locate revision identified by '9999'", "0013"},
	} {
		command := append([]string{"python", "-m", "syncmaster.db.migrations"}, strings.Fields(step.command)...)
		code, logs := w.migrate(t, step.release, "steps", command...)
		var revision string
		if err := w.query(t, "steps", "SELECT version_num FROM alembic_version", &revision); err != nil {
			t.Fatal(err)
		}
		if code != step.code || !strings.Contains(logs, step.says) || revision != step.after {
			t.Errorf("%s %s: status %d, revision %s, log %s", step.release, step.command, code, revision, logs)
		}
	}
	var length int
	const old = "SELECT character_maximum_length FROM information_schema.columns WHERE table_name = 'connection' AND column_name = 'type'"
	if err := w.query(t, "steps", old, &length); err != nil || length != 23 {
		t.Errorf("connection.type of a database born on 0.2.0 has %d characters, %v, want 23", length, err)
	}
}

func signIn(t *testing.T, base string) string {
	t.Helper()
	var token struct {
		Access string `json:"access_token"`
	}
	form := url.Values{"username": {"owner"}, "password": {"any"}}.Encode()
	if err := ask(t, "POST", base+"/v1/auth/token", "", strings.NewReader(form), &token); err != nil {
		t.Fatal(err)
	}
	return token.Access
}

// ask sends a request; a status other than 200 is an error.
func ask(t *testing.T, method, address, token string, body io.Reader, into any) error {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, body)
	if err != nil {
		return err
	}
	if token == "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	} else {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := (&http.Client{Timeout: 5 * time.Second}).Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s %s", method, address, res.Status, text)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(bytes.NewReader(text)).Decode(into)
}

func TestImagesDeclareWhatTheirReleaseDeclares(t *testing.T) {
	t.Parallel()
	for _, r := range facts.Releases {
		for _, role := range []string{facts.Server, facts.Scheduler, facts.Worker, facts.UI} {
			tag := kit.Prefix + "/mtsrus/syncmaster-" + role + ":" + r.Tag
			seen, err := engine.ImageInspect(t.Context(), tag)
			if err != nil {
				t.Fatal(err)
			}
			checked := r.Tag != "0.2.0" && (role == facts.Server || role == facts.UI)
			if h := seen.Config.Healthcheck; (h != nil) != checked || h != nil && (h.Interval != 30*time.Second || h.Retries != 3) {
				t.Errorf("%s: health check %+v", tag, h)
			}
			user := ""
			if r.Tag != "0.2.0" && role != facts.UI {
				user = "syncmaster"
			}
			if seen.Config.User != user || seen.Config.Labels[kit.Label] == "" || len(seen.Config.Volumes) > 0 {
				t.Errorf("%s: user %q, labels %v, volumes %v", tag, seen.Config.User, seen.Config.Labels, seen.Config.Volumes)
			}
		}
	}
}
