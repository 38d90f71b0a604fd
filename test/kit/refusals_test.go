package kit_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"syncmaster-setup/test/kit"
)

// refuses starts components with settings that their release does not take; each must end with a word about why.
func (w world) refuses(t *testing.T) {
	t.Parallel()
	const keycloak = "AUTH__PROVIDER=syncmaster.server.providers.auth.keycloak_provider.KeycloakAuthProvider"
	for _, c := range []struct {
		image   string
		change  string
		says    string
		command string
	}{
		{"server:0.2.0", "DATABASE__URL-", "database.url", ""},
		{"server:0.2.5", "SERVER__SESSION__SECRET_KEY-", "server.session.secret_key", ""},
		{"server:0.2.5", "AUTH__ACCESS_TOKEN__SECRET_KEY-", "auth.access_token.secret_key", ""},
		{"server:0.2.5", "SERVER__CORS__ALLOW_ORIGINS=http://a,http://b", "error parsing value for field \"server\"", ""},
		{"server:0.2.5", "LOGGING__PRESET=colourful", "logging.preset", ""},
		{"server:0.2.5", keycloak, "auth.keycloak.redirect_uri", ""},
		{"server:0.2.5", "DATABASE__NO_SUCH_OPTION=1", "no_such_option", ""},
		{"server:0.3.2", "SUPERUSERS=admin,second", "superusers", ""},
		{"server:0.3.2", "SUPERUSERS=", "superusers", ""},
		{"server:0.3.2", "SERVER__DEBUG=maybe", "server.debug", ""},
		{"server:0.3.2", "AUTH__COOKIE__MAX_AGE=long", "auth.cookie.max_age", ""},
		{"server:develop", keycloak, "auth.keycloak.ui_callback_url", ""},
		{"server:develop", "DATABASE__URL=postgresql+asyncpg://syncmaster:bad@" + w.db.ip + "/syncmaster", "password authentication failed", ""},
		{"scheduler:0.2.0", "SCHEDULER__POLL=1", "Extra inputs are not permitted", ""},
		{"scheduler:0.3.2", "ENCRYPTION__SECRET_KEY-", "encryption.secret_key", ""},
		{"worker:0.2.5", "WORKER__SPARK_SESSION_DEFAULT_CONFIG={}", "Extra inputs are not permitted", ""},
		{"worker:0.3.2", "WORKER-", "worker\n  Field required", "worker --queues x"},
		{"worker:0.3.2", "BROKER__URL=amqp://guest:bad@" + w.broker.ip, "Unrecoverable error", "worker --queues x"},
		{"worker:develop", "HWM_STORE__ENABLED=true", "hwm_store.namespace", "worker --queues x"},
		{"worker:0.3.2", "AUTH__PROVIDER-", "exec --loglevel=info failed", "--loglevel=info -Q x"},
		{"worker:0.3.0", "AUTH__PROVIDER-", "Usage: tini", ""},
		{"worker:0.2.5", "AUTH__PROVIDER-", "unexpected extra argument (worker)", "worker --queues x"},
		{"server:0.2.5", "BROKER__URL-", "broker.url", "migrations"},
		{"server:0.2.5", "SERVER__SESSION__SECRET_KEY-", "server.session.secret_key", "migrations"},
		{"server:0.3.2", "DATABASE__URL=postgresql+asyncpg://syncmaster:a%40b@" + w.db.ip + "/syncmaster", "invalid interpolation syntax", "migrations"},
	} {
		t.Run(c.image+"/"+c.change, func(t *testing.T) {
			t.Parallel()
			_, release, _ := strings.Cut(c.image, ":")
			s := spec{image: "mtsrus/syncmaster-" + c.image, cmd: strings.Fields(c.command), env: w.settings(release, "syncmaster", c.change)}
			if c.command == "migrations" {
				s.cmd, s.entrypoint = nil, migrateHead
			}
			code, logs := start(t, s).exit(t)
			if code == 0 || !strings.Contains(logs, c.says) {
				t.Errorf("status %d, want a failure that says %q:\n%s", code, c.says, logs)
			}
		})
	}
	t.Run("migrations of 0.3.2 need the database only", func(t *testing.T) {
		w.database(t, "bare")
		s := spec{image: "mtsrus/syncmaster-server:0.3.2", entrypoint: migrateHead,
			env: w.settings("0.3.2", "bare", "BROKER__URL-", "ENCRYPTION__SECRET_KEY-", "SUPERUSERS-")}
		if code, logs := start(t, s).exit(t); code != 0 {
			t.Errorf("status %d: %s", code, logs)
		}
	})
	t.Run("old logging settings silence 0.3.2", func(t *testing.T) {
		s := spec{image: "mtsrus/syncmaster-server:0.3.2", env: w.settings("0.3.2", "bare", "LOGGING__PRESET=plain")}
		b := start(t, s)
		until(t, 15*time.Second, func() error { return ask(t, "GET", "http://"+b.ip+":8000/monitoring/ping", "", nil, nil) })
		if logs := b.logs(t); strings.Contains(logs, "startup complete") {
			t.Errorf("it logs: %s", logs)
		}
	})
	t.Run("a folder for metrics that is not writable", func(t *testing.T) {
		s := spec{image: "mtsrus/syncmaster-server:0.3.2", tmpfs: map[string]string{"/metrics": "mode=0755"},
			env: append(w.settings("0.3.2", "bare"), "PROMETHEUS_MULTIPROC_DIR=/metrics")}
		if code, logs := start(t, s).exit(t); code == 0 || !strings.Contains(logs, "PROMETHEUS_MULTIPROC_DIR") {
			t.Errorf("status %d: %s", code, logs)
		}
	})
}

func TestUIServesItsSettings(t *testing.T) {
	t.Parallel()
	for release, want := range map[string]string{"0.2.0": "http://api/v1", "0.2.5": "keycloakAuthProvider", "0.3.2": "keycloakAuthProvider"} {
		b := start(t, spec{image: "mtsrus/syncmaster-ui:" + release,
			env: []string{"SYNCMASTER__UI__API_BROWSER_URL=http://api/v1", "SYNCMASTER__UI__AUTH_PROVIDER=keycloakAuthProvider"}})
		base := "http://" + b.ip + ":3000"
		until(t, 15*time.Second, func() error { return ask(t, "GET", base+"/some/page", "", nil, nil) })
		code, out := b.exec(t, "curl", "-f", "http://localhost:3000/env-config.js")
		if code != 0 || !strings.Contains(out, want) || release == "0.2.0" && strings.Contains(out, "keycloak") {
			t.Errorf("%s: %d %s", release, code, out)
		}
		if took, code := b.stop(t, 10); took > 5*time.Second || code != 0 {
			t.Errorf("%s stopped in %s with %d", release, took, code)
		}
	}
}

func TestRegistryHoldsWhatWasPushed(t *testing.T) {
	t.Parallel()
	addr, stop, err := kit.Registry(t.Context(), "mtsrus/syncmaster-ui:0.3.2", "mtsrus/syncmaster-ui:0.2.0")
	if err != nil {
		t.Fatal(err)
	}
	var tags struct{ Tags []string }
	if err := ask(t, "GET", "http://"+addr+"/v2/mtsrus/syncmaster-ui/tags/list", "", nil, &tags); err != nil || len(tags.Tags) != 2 {
		t.Errorf("tags %v, %v", tags.Tags, err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if err := ask(t, "GET", "http://"+addr+"/v2/", "", nil, nil); err == nil {
		t.Error("the registry still answers")
	}
}

func TestSecondBuildChangesNothing(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	if err := kit.Build(t.Context(), &log, "postgres", "rabbitmq", "registry", "syncmaster"); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), "made") {
		t.Errorf("it built again: %s", log.String())
	}
	if err := kit.Build(t.Context(), os.Stderr, "mysql"); err == nil {
		t.Error("an unknown group is accepted")
	}
}
