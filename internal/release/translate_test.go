package release

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// settingsOf returns settings as users of a release have them: those of the newest file that is not newer.
func settingsOf(t *testing.T, r Release) map[string]string {
	t.Helper()
	version := "0.2.0"
	for _, v := range []string{"0.2.5", "0.3.0"} {
		if r.from(v) {
			version = v
		}
	}
	text, err := os.ReadFile("testdata/upgrade/" + version + ".env")
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		settings[name] = value
	}
	return settings
}

// checkAccepted checks settings as the release does, all containers together.
func checkAccepted(t *testing.T, r Release, settings map[string]string) {
	t.Helper()
	env := map[string]string{}
	for name, value := range settings {
		env[strings.ToUpper(name)] = value
		_, bare := bareNames[name]
		if name == "ENV" || name == "MY_OWN" || bare && !r.from("0.3.0") {
			continue
		}
		if err := r.CheckSetting(name, value); err != nil {
			t.Errorf("%s: %v", r, err)
		}
	}
	for _, c := range []Component{Server, Scheduler, Worker, Migrations, Frontend} {
		for _, s := range r.Missing(c, env) {
			t.Errorf("%s: the %s lacks %s", r, c, s.Name)
		}
	}
}

// TestTranslateEveryPair translates the settings of each release to each later one.
func TestTranslateEveryPair(t *testing.T) {
	var golden strings.Builder
	for _, from := range Known() {
		settings := settingsOf(t, from)
		for _, to := range Known() {
			if !from.Before(to) {
				continue
			}
			got, changes := Translate(from, to, settings)
			checkAccepted(t, to, got)
			fmt.Fprintf(&golden, "# %s to %s\n", from, to)
			for _, c := range changes {
				fmt.Fprintf(&golden, "%s %s %s > %s [%s] %s\n", c.Release, c.Kind, c.From, c.To, c.Value, c.Why)
			}
			if again, more := Translate(to, to, got); len(more) > 0 || !maps.Equal(again, got) {
				t.Errorf("%s to itself: %v", to, more)
			}
		}
		if !maps.Equal(settings, settingsOf(t, from)) {
			t.Errorf("%s: the given settings were changed", from)
		}
	}
	const name = "testdata/upgrade/changes.golden"
	if *update {
		if err := os.WriteFile(name, []byte(golden.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil || string(want) != golden.String() {
		t.Errorf("%v; changes differ from %s, write it with -update:\n%s", err, name, golden.String())
	}
	if strings.Contains(golden.String(), "pLaNtEd") {
		t.Error("a change shows a secret")
	}
}

// TestTranslateInSteps proves that a stop on the way makes no difference.
func TestTranslateInSteps(t *testing.T) {
	for _, from := range Known() {
		for _, stop := range Known() {
			at, first := Translate(from, stop, settingsOf(t, from))
			for _, to := range append(Known(), get(t, "0.4.0")) {
				if stop.Floating || !from.Before(stop) || !stop.Before(to) {
					continue
				}
				want, changes := Translate(from, to, settingsOf(t, from))
				got, second := Translate(stop, to, at)
				if !maps.Equal(got, want) || len(first)+len(second) != len(changes) {
					t.Errorf("%s, %s, %s: %v", from, stop, to, second)
				}
			}
		}
	}
}

func TestTranslateRules(t *testing.T) {
	const cors, kc = "SYNCMASTER__SERVER__CORS__", "SYNCMASTER__AUTH__KEYCLOAK__"
	keycloak := map[string]string{"SYNCMASTER__AUTH__PROVIDER": providerPackage + "keycloak_provider.KeycloakAuthProvider"}
	callback := with(keycloak, kc+"REDIRECT_URI", "https://h/api/v1/auth/callback")
	for _, c := range []struct {
		name, from, to string
		in, want       map[string]string
	}{
		{"nothing of the worker's for the frontend", "0.2.3", "0.3.0", map[string]string{"SYNCMASTER__UI__API_BROWSER_URL": "https://h/v1/"}, map[string]string{"SYNCMASTER__UI__API_BROWSER_URL": "https://h"}},
		{"path of the API", "0.2.3", "0.2.4", map[string]string{"syncmaster__ui__api_browser_url": "/api/v1"}, map[string]string{"syncmaster__ui__api_browser_url": "/api"}},
		{"both names", "0.2.5", "0.3.0", map[string]string{kc + "SERVER_URL": "https://old", "syncmaster__auth__keycloak__api_url": "https://new"}, map[string]string{"syncmaster__auth__keycloak__api_url": "https://new"}},
		{"bare name and full name", "0.2.5", "0.3.0", map[string]string{"MISFIRE_GRACE_TIME_SECONDS": "1", "SYNCMASTER__SCHEDULER__MISFIRE_GRACE_TIME_SECONDS": "2"}, map[string]string{"SYNCMASTER__SCHEDULER__MISFIRE_GRACE_TIME_SECONDS": "2"}},
		{"set too early", "0.2.5", "0.3.0", map[string]string{"SYNCMASTER__SUPERUSERS": "a, b"}, map[string]string{"SYNCMASTER__SUPERUSERS": `["a","b"]`}},
		{"a list that is broken", "0.2.5", "0.3.0", map[string]string{cors + "ALLOW_ORIGINS": `["x"`}, map[string]string{cors + "ALLOW_ORIGINS": `["x"`}},
		{"any origin", "0.2.4", "0.2.5", map[string]string{cors + "ALLOW_ORIGINS": "*"}, map[string]string{cors + "ALLOW_ORIGINS": `["*"]`}},
		{"no credentials wanted", "0.2.4", "0.2.5", map[string]string{cors + "ALLOW_ORIGINS": `["https://h"]`, cors + "ALLOW_CREDENTIALS": "false"}, map[string]string{cors + "ALLOW_ORIGINS": `["https://h"]`, cors + "ALLOW_CREDENTIALS": "false"}},
		{"methods with PUT", "0.2.1", "0.2.2", map[string]string{cors + "ALLOW_METHODS": `["PUT","PATCH"]`}, map[string]string{cors + "ALLOW_METHODS": `["PUT","PATCH"]`}},
		{"callback where nothing tells the UI", "0.2.4", "0.2.5", callback, callback},
		{"callback on the same origin", "0.2.4", "0.2.5", with(callback, "SYNCMASTER__UI__API_BROWSER_URL", "/api"),
			with(with(with(keycloak, "SYNCMASTER__UI__API_BROWSER_URL", "/api"), kc+"REDIRECT_URI", "https://h/auth/callback"), "SYNCMASTER__UI__AUTH_PROVIDER", "keycloakAuthProvider")},
		{"worker that has a variable", "0.2.5", "0.3.0", map[string]string{"SYNCMASTER__DATABASE__URL": "x", "SYNCMASTER__BROKER__URL": "x", "SYNCMASTER__ENCRYPTION__SECRET_KEY": "x", "LOG_URL_TEMPLATE": ""},
			map[string]string{"SYNCMASTER__DATABASE__URL": "x", "SYNCMASTER__BROKER__URL": "x", "SYNCMASTER__ENCRYPTION__SECRET_KEY": "x", "SYNCMASTER__WORKER__LOG_URL_TEMPLATE": ""}},
		{"value that has no other form", "0.2.5", "0.3.0", map[string]string{"SYNCMASTER__SERVER__SESSION__SAME_SITE": "odd"}, map[string]string{"SYNCMASTER__AUTH__COOKIE__SAME_SITE": "odd"}},
		{"a release nobody has seen", "0.2.5", "0.9.0", map[string]string{"SYNCMASTER__ENTRYPOINT__SUPERUSERS": "a"}, map[string]string{"SYNCMASTER__SUPERUSERS": `["a"]`}},
		{"nothing", "0.2.0", "develop", nil, map[string]string{}},
	} {
		if got, _ := Translate(get(t, c.from), get(t, c.to), c.in); !maps.Equal(got, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

func TestChange(t *testing.T) {
	_, changes := Translate(get(t, "0.2.4"), get(t, "0.3.1"), map[string]string{"syncmaster__entrypoint__superusers": "a"})
	want := []Change{{Renamed, "0.3.0", "syncmaster__entrypoint__superusers", "SYNCMASTER__SUPERUSERS", `["a"]`,
		"its name from release 0.3.0 on; a list is read as JSON only"}}
	if !reflect.DeepEqual(changes, want) {
		t.Errorf("%+v", changes)
	}
}

func TestRoute(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"0.2.3", "0.3.0", "0.2.4 0.2.5 0.3.0"},
		{"0.3.1", "develop", "0.3.2 develop"},
		{"0.3.1", "0.4.0", "0.3.2 0.4.0"},
		{"0.3.3", "0.4.0", "0.4.0"},
		{"develop", "0.4.0", "0.4.0"},
		{"0.3.2", "0.3.2", ""},
		{"develop", "0.3.2", "error: release 0.3.2 is older than develop, which is installed"},
		{"0.2.5", "0.2.4", "error: release 0.2.4 is older than 0.2.5, which is installed"},
		{"1", "0.2.4", "error: \"1\" is not a version"},
		{"0.2.4", "1", "error: \"1\" is not a version"},
	} {
		list, err := Route(c.from, c.to)
		got := strings.Trim(fmt.Sprint(list), "[]")
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != c.want && (err == nil || !strings.HasPrefix(got, c.want)) {
			t.Errorf("%s to %s: %s", c.from, c.to, got)
		}
	}
}

func TestIsSampleSecret(t *testing.T) {
	r := get(t, "0.2.5")
	for _, c := range []struct {
		name, value string
		want        bool
	}{
		{"SYNCMASTER__DATABASE__URL", "postgresql+asyncpg://syncmaster:changeme@db:5432/syncmaster", true},
		{"SYNCMASTER__DATABASE__URL", "postgresql+asyncpg://changeme:x@db:5432/syncmaster", false},
		{"syncmaster__broker__url", "amqp://guest:guest@rabbitmq:5672", true},
		{"SYNCMASTER__SERVER__SESSION__SECRET_KEY", " generate_some_random_string", true},
		{"SYNCMASTER__AUTH__ACCESS_TOKEN__SECRET_KEY", "generate_another_random_string", true},
		{"SYNCMASTER__AUTH__KEYCLOAK__CLIENT_SECRET", "generated_by_keycloak", true},
		{"SYNCMASTER__HWM_STORE__PASSWORD", "123UsedForTestOnly@!", true},
		{"SYNCMASTER__ENCRYPTION__SECRET_KEY", "UBgPTioFrtH2unlC4XFDiGf5sYfzbdSf_VgiUSaQc94=", true},
		{"SYNCMASTER__ENCRYPTION__SECRET_KEY", "UBgPTioFrtH2unlC4XFDiGf5sYfzbdSf/VgiUSaQc94=", true},
		{"SYNCMASTER__ENCRYPTION__SECRET_KEY", "VBgPTioFrtH2unlC4XFDiGf5sYfzbdSf_VgiUSaQc94=", false},
		{"POSTGRES_PASSWORD", "changeme", true},
		{"TZ", "changeme", false},
		{"UNKNOWN", "changeme", false},
		{"SYNCMASTER__DATABASE__URL", "", false},
	} {
		if got := r.IsSampleSecret(c.name, c.value); got != c.want {
			t.Errorf("%s=%s: %v", c.name, c.value, got)
		}
	}
}
