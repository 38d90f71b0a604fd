package release_test

import (
	"slices"
	"strings"
	"testing"

	"syncmaster-setup/internal/release"
)

func TestTraps(t *testing.T) {
	const database = "postgresql+asyncpg://user:hidden-word@db:5432/syncmaster"
	tests := []struct {
		version, name, value string
		fatal                bool
		want                 string // empty: no trap
	}{
		{"0.3.2", "SYNCMASTER__SERVER__DEBUG", "true", false, ""},
		{"0.3.2", "TZ", "UTC", false, ""},
		{"0.3.2", "PGSSLMODE", "require", false, ""},
		{"0.3.2", "ENV", "LOCAL", false, "read by nothing"},
		{"0.3.2", "SYNCMASTER__LOGGING__PRESET", "json", false, "next to nothing"},
		{"0.3.2", "SYNCMASTER__ENTRYPOINT__SUPERUSERS", "admin", false, "SYNCMASTER__SUPERUSERS; it is ignored"},
		{"0.3.2", "SYNCMASTER__SUPERUSERS", "admin", true, "JSON list"},
		{"0.3.2", "SYNCMASTER__SERVER__CORS__ALLOW_ORIGINS", "*", true, "JSON list"},
		{"0.2.5", "syncmaster__server__cors__allow_origins", "http://a,http://b", true, "JSON list"},
		{"0.2.5", "SYNCMASTER__SERVER__CORS__ENABLED", "false", false, "no effect"},
		{"0.2.5", "SYNCMASTER__WORKER__SPARK", "x", true, "does not start"},
		{"0.3.2", "SYNCMASTER__WORKER__NONSENSE", "x", false, "ignored"},
		{"0.2.5", "LOG_URL_TEMPLATE", "x", false, "SYNCMASTER__WORKER__LOG_URL_TEMPLATE"},
		{"0.3.2", "LOG_URL_TEMPLATE", "x", false, ""},
		{"0.3.2", "SYNCMASTER__WORKER__LOG_URL_TEMPLATE", `https://l/\{\{ run.id \}\}`, true, "backslashes"},
		{"0.3.2", "SYNCMASTER__DATABASE__URL", database + "?ssl=require", false, "PGSSLMODE"},
		{"0.3.2", "SYNCMASTER__DATABASE__URL", database, false, ""},
		{"0.3.2", "SYNCMASTER__DATABASE__URL", "postgresql://user:hidden-word@db/x", true, "postgresql+asyncpg"},
		{"0.3.2", "SYNCMASTER__DATABASE__POOL_SIZE", "5", false, "by the server alone"},
		{"0.3.2", "SYNCMASTER__DATABASE__NONSENSE", "5", true, "the server does not start"},
		{"0.2.5", "SYNCMASTER__SERVER__CORS__ALOW_HEADERS", "[]", true, "SYNCMASTER__SERVER__CORS__ALLOW_HEADERS?; with it, the server does not start"},
		{"0.2.5", "SYNCMASTER__SERVER__CORS__MAX_AGE", "5", false, "Starlette"},
		{"0.2.5", "SYNCMASTER__SERVER__MONITORING__NONSENSE", "5", true, "the server does not start"},
		{"0.2.5", "SYNCMASTER__SERVER__SESSION__NONSENSE", "5", true, "the server does not start"},
		{"0.3.2", "SYNCMASTER__SERVER__SESSION__NONSENSE", "5", false, "ignored"},
		{"0.3.2", "SYNCMASTER__BROKER__HEARTBEAT", "5", false, "without effect"},
		{"0.3.2", "SYNCMASTER__BROKER__URL", "amqp://u:hidden-word@rabbitmq:5672?heartbeat=5", false, "dropped"},
		{"0.3.2", "SYNCMASTER__DATABASE__URL", database + "?channel_binding=require", false, "its option channel_binding"},
		{"0.3.2", "SYNCMASTER__DATABASE__URL", database + "?sslcrl=x", false, "its option sslcrl"},
		{"0.3.2", "SYNCMASTER__DATABASE__URL", database + "?target_session_attrs=primary", false, ""},
		{"0.3.2", "SYNCMASTER__DATABASE__URL", database + "?hidden-word=x", false, "no PostgreSQL driver knows"},
		{"0.3.2", "SYNCMASTER__AUTH__ACCESS_KEY__SECRET_KEY", "hidden-word", false, "did you mean SYNCMASTER__AUTH__ACCESS_TOKEN__SECRET_KEY?; it is ignored"},
		{"0.3.2", "SYNCMASTER__LOGGING__CUSTOM__CONFIG_PATH", "x", false, "next to nothing"},
		{"0.2.5", "SYNCMASTER__LOGGING__CUSTOM__CONFIG_PATH", "x", false, "SYNCMASTER__LOGGING__CUSTOM_CONFIG_PATH?; it is ignored"},
		{"0.3.2", "DATABASE_URL", database, false, "did you mean SYNCMASTER__DATABASE__URL?"},
		{"0.3.2", "SERVER__DEBUG", "true", false, "did you mean SYNCMASTER__SERVER__DEBUG?"},
		{"0.3.2", "MY__OWN", "true", false, ""},
		{"0.3.2", "SYNCMASTER_SERVER__DEBUG", "true", false, "did you mean SYNCMASTER__SERVER__DEBUG?; it is ignored"},
		{"0.2.5", "SYNCMASTER_CONFIG_FILE", "/app/config.yml", false, "from release 0.3.0 on"},
		{"0.3.2", "SYNCMASTER_CONFIG_FILE", "/app/config.yml", false, ""},
		{"0.2.5", "syncmaster__entrypoint__superusers", "admin", false, "capital letters"},
		{"0.3.2", "SYNCMASTER__UI__API_BROWSER_URL", "http://localhost:8000", false, "for the frontend"},
	}
	for _, tt := range tests {
		r, err := release.Lookup(tt.version)
		if err != nil {
			t.Fatal(err)
		}
		var traps []release.Trap
		for _, c := range []release.Component{release.Server, release.Scheduler, release.Worker} {
			for _, trap := range r.Traps(c, map[string]string{tt.name: tt.value}) {
				if !slices.Contains(traps, trap) {
					traps = append(traps, trap)
				}
			}
		}
		if tt.want == "" {
			if len(traps) > 0 {
				t.Errorf("%s %s: %+v", tt.version, tt.name, traps)
			}
			continue
		}
		if len(traps) != 1 || traps[0].Fatal != tt.fatal || !strings.Contains(traps[0].What, tt.want) || strings.Contains(traps[0].What, "hidden-word") {
			t.Errorf("%s %s: %+v, want %q", tt.version, tt.name, traps, tt.want)
		}
	}
}

// TestTrapsAreOfTheirComponent leaves alone what a component does not look at.
func TestTrapsAreOfTheirComponent(t *testing.T) {
	r, err := release.Lookup("0.2.5")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		of         release.Component
		name       string
		elsewhere  release.Component
		value      string
		wantFatal  bool
		wantNumber int
	}{
		{release.Worker, "SYNCMASTER__WORKER__SPARK", release.Server, "x", true, 1},
		{release.Server, "SYNCMASTER__SERVER__DEBUG", release.Worker, "maybe", true, 1},
		{release.Server, "SYNCMASTER__SERVER__CORS__NONSENSE", release.Scheduler, "x", true, 1},
		{release.Frontend, "SYNCMASTER__UI__AUTH_PROVIDER", release.Worker, "none", true, 1},
		{release.Server, "DATABASE_URL", release.Frontend, "x", false, 1},
	} {
		env := map[string]string{tt.name: tt.value}
		if traps := r.Traps(tt.of, env); len(traps) != tt.wantNumber || traps[0].Fatal != tt.wantFatal {
			t.Errorf("%s in %s: %+v", tt.name, tt.of, traps)
		}
		if traps := r.Traps(tt.elsewhere, env); len(traps) > 0 {
			t.Errorf("%s in %s: %+v", tt.name, tt.elsewhere, traps)
		}
	}
	twice := r.Traps(release.Server, map[string]string{"SYNCMASTER__SERVER__DEBUG": "true", "syncmaster__server__debug": "false"})
	if len(twice) != 1 || !strings.Contains(twice[0].What, "two spellings") {
		t.Errorf("%+v", twice)
	}
}

func TestHWMStore(t *testing.T) {
	r, err := release.Lookup("0.3.2")
	if err != nil {
		t.Fatal(err)
	}
	const section = "SYNCMASTER__HWM_STORE__"
	for url, want := range map[string]bool{"http://localhost:8000": true, "http://127.0.0.1": true, "http://[::1]:80": true, "http://horizon:8000": false, "": false} {
		for enabled, on := range map[string]bool{"true": true, "false": false} {
			env := map[string]string{section + "ENABLED": enabled, section + "URL": url}
			traps := slices.DeleteFunc(r.Traps(release.Worker, env), func(t release.Trap) bool { return !strings.Contains(t.What, "every run fails") })
			if found := len(traps) > 0; found != (want && on) {
				t.Errorf("%s, enabled %s: %+v", url, enabled, traps)
			}
		}
	}
}

func TestLacks(t *testing.T) {
	r, err := release.Lookup("0.3.2")
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{
		"SYNCMASTER__DATABASE__URL": "postgresql+asyncpg://u:p@db:5432/s", "syncmaster__broker__url": "amqp://u:p@rabbitmq",
		"SYNCMASTER__ENCRYPTION__SECRET_KEY": "k",
	}
	for c, want := range map[release.Component]string{release.Worker: "SYNCMASTER__WORKER", release.Server: "SYNCMASTER__AUTH__ACCESS_TOKEN__SECRET_KEY"} {
		if lacks := r.Lacks(c, env); len(lacks) != 1 || lacks[0].Name != want || !lacks[0].Fatal {
			t.Errorf("%s: %+v, want %s", c, lacks, want)
		}
	}
	env["SYNCMASTER__WORKER"] = "{}"
	if lacks := r.Lacks(release.Worker, env); len(lacks) > 0 {
		t.Errorf("%+v", lacks)
	}
}

func TestMisfits(t *testing.T) {
	const (
		api, provider, cors = "SYNCMASTER__UI__API_BROWSER_URL", "SYNCMASTER__UI__AUTH_PROVIDER", "SYNCMASTER__SERVER__CORS__"
		address, ui         = "http://localhost:8000", "http://localhost:3000"
	)
	for _, tt := range []struct {
		version, name, value string
		fatal                bool
		want, mended         string // empty: no misfit
	}{
		{"0.3.2", api, address, false, "", ""},
		{"0.3.2", api, address + "/v1", true, "needs \"http://localhost:8000\"", address},
		{"0.2.3", api, address, true, "needs \"http://localhost:8000/v1\"", address + "/v1"},
		{"0.3.2", api, "\"" + address + "\"", true, "quotes", address},
		{"0.3.2", api, "/api", false, "", ""},
		{"0.3.2", provider, "keycloakAuthProvider", true, "login form", "dummyAuthProvider"},
		{"0.2.4", provider, "keycloakAuthProvider", false, "", ""},
		{"0.3.2", cors + "ALLOW_ORIGINS", `["http://elsewhere"]`, false, ui, `["http://elsewhere","http://localhost:3000"]`},
		{"0.3.2", cors + "ALLOW_ORIGINS", `["*"]`, true, ui, `["http://localhost:3000"]`},
		{"0.2.4", cors + "ALLOW_ORIGINS", `["*"]`, false, "", ""},
		{"0.3.2", cors + "ALLOW_METHODS", `["GET"]`, true, "POST, PUT, DELETE", `["GET","POST","PUT","DELETE"]`},
		{"0.2.1", cors + "ALLOW_METHODS", `["GET","POST","PUT","DELETE"]`, true, "PATCH", `["GET","POST","PUT","DELETE","PATCH"]`},
		{"0.3.2", cors + "ALLOW_HEADERS", `["authorization"]`, false, "", ""},
		{"0.3.2", cors + "ALLOW_CREDENTIALS", "false", true, "credentials", "true"},
		{"0.2.4", cors + "ALLOW_CREDENTIALS", "false", false, "", ""},
	} {
		r, err := release.Lookup(tt.version)
		if err != nil {
			t.Fatal(err)
		}
		env := map[string]string{api: r.APIAddress(address)}
		values, err := r.CORS(ui)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			env[v.Name] = v.Value
		}
		env[tt.name] = tt.value
		got := r.Misfits(env, env, ui)
		if tt.want == "" {
			if len(got) > 0 {
				t.Errorf("%s %s=%s: %+v", tt.version, tt.name, tt.value, got)
			}
			continue
		}
		if len(got) != 1 || got[0].Name != tt.name || got[0].Fatal != tt.fatal || !strings.Contains(got[0].What, tt.want) || got[0].Value != tt.mended {
			t.Errorf("%s %s=%s: %+v, want %s, %q", tt.version, tt.name, tt.value, got, tt.mended, tt.want)
		}
	}
}

func TestFile(t *testing.T) {
	r, err := release.Lookup("0.3.2")
	if err != nil {
		t.Fatal(err)
	}
	tree := map[string]any{
		"scheduler": map[string]any{"transfer_fetching_timeout_seconds": 200, "MISFIRE_GRACE_TIME_SECONDS": 200},
		"worker":    nil,
		"server": map[string]any{
			"debug": true, "allow_origins": []any{"http://a"},
			"cors": map[string]any{"allow_methods": []any{"GET", "PUT"}, "nonsense": 1},
		},
		"auth":     map[string]any{"keycloak": map[string]any{"ui_auth_callback_url": "x"}},
		"database": map[string]any{"url": "postgresql+asyncpg://u:p@db/s", "pool_size": 5},
		"LOGGING":  map[string]any{"version": 1},
	}
	settings, traps := map[string]string{}, []release.Trap(nil)
	for _, c := range []release.Component{release.Server, release.Worker, release.Scheduler} {
		given, found := r.File(c, tree, nil)
		settings = given
		for _, trap := range found {
			if !slices.Contains(traps, trap) {
				traps = append(traps, trap)
			}
		}
	}
	slices.SortFunc(traps, func(a, b release.Trap) int { return strings.Compare(a.What, b.What) })
	for name, want := range map[string]string{
		"SYNCMASTER__SCHEDULER__MISFIRE_GRACE_TIME_SECONDS": "200", "SYNCMASTER__SERVER__DEBUG": "true", "SYNCMASTER__DATABASE__POOL_SIZE": "5",
		"SYNCMASTER__SERVER__CORS__ALLOW_METHODS": `["GET","PUT"]`, "SYNCMASTER__DATABASE__URL": "postgresql+asyncpg://u:p@db/s",
	} {
		if settings[name] != want {
			t.Errorf("%s: %q", name, settings[name])
		}
	}
	if len(settings) != 5 {
		t.Errorf("%v", settings)
	}
	want := []string{
		"LOGGING is ignored: it is read as logging",
		"auth.keycloak.ui_auth_callback_url is ignored: did you mean auth.keycloak.ui_callback_url?",
		"scheduler.transfer_fetching_timeout_seconds is ignored: it is read as scheduler.TRANSFER_FETCHING_TIMEOUT_SECONDS",
		"server.allow_origins is ignored: did you mean server.cors.allow_origins?",
		"server.cors.nonsense: it is handed to Starlette's CORSMiddleware, which does not know it; with it, the server does not start",
		"worker is empty: the worker does not start without {} there",
	}
	for i, trap := range traps {
		if i >= len(want) || trap.What != want[i] || trap.Fatal != (i >= 4) {
			t.Errorf("%+v", trap)
		}
	}
	if len(traps) != len(want) {
		t.Errorf("%d traps, want %d", len(traps), len(want))
	}
	if _, traps := r.File(release.Worker, map[string]any{"worker": nil}, map[string]string{"SYNCMASTER__WORKER": "{}"}); len(traps) > 0 {
		t.Errorf("the environment gives the section: %+v", traps)
	}
	if settings, traps := r.File(release.Worker, map[string]any{"worker": map[string]any{}}, nil); settings["SYNCMASTER__WORKER"] != "{}" || len(traps) > 0 {
		t.Errorf("%v, %+v", settings, traps)
	}
}
