package release

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func get(t *testing.T, version string) Release {
	t.Helper()
	r, err := Lookup(version)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestLookup(t *testing.T) {
	for _, r := range Known() {
		if got := get(t, r.Version); !reflect.DeepEqual(got, r) || got.Unknown {
			t.Errorf("Lookup(%s) = %+v", r, got)
		}
	}
	for _, version := range []string{"0.3.3", "0.3.7", "0.4.0", "1.0.0", "0.10.0"} {
		r := get(t, version)
		if !r.Unknown || r.Head != "" || r.Image(Server).Tag != version || len(r.Settings()) != len(Newest().Settings()) {
			t.Errorf("Lookup(%s) = %+v", version, r)
		}
	}
	wrong := map[string]string{"0.2.6": "0.2.5", "0.1.5": "0.2.0", "v0.3.1": "0.3.1", "latest": "0.3.2", "": "0.3.2", "0.3": "0.3.2",
		"0.3.1-rc1": "0.3.1", "0.03.1": "0.3.2", "develp": "develop", "0.3.1\n": "0.3.1", "0.-3.1": "0.3.2", "99999999999999999999.0.0": "0.3.2"}
	for version, suggestion := range wrong {
		_, err := Lookup(version)
		if err == nil || !strings.Contains(err.Error(), "0.2.0, 0.2.1") || !strings.Contains(err.Error(), "did you mean ") {
			t.Errorf("Lookup(%q): %v", version, err)
		} else if !strings.Contains(err.Error(), "mean "+suggestion+"?") {
			t.Errorf("Lookup(%q) does not suggest %s: %v", version, suggestion, err)
		}
	}
}

func TestOrder(t *testing.T) {
	order := append(Known(), get(t, "0.3.3"), get(t, "0.3.10"), get(t, "1.0.0"))
	for i, a := range order {
		for j, b := range order {
			if got := a.Before(b); got != (i < j) {
				t.Errorf("%s before %s: %v", a, b, got)
			}
		}
	}
	if Newest().Version != "0.3.2" {
		t.Errorf("newest is %s", Newest())
	}
}

func TestImages(t *testing.T) {
	both := []string{"linux/amd64", "linux/arm64"}
	if p := get(t, "0.2.5").Image(Worker).Platforms; !slices.Equal(p, both) {
		t.Errorf("0.2.5: %v", p)
	}
	develop := get(t, "develop")
	if p := develop.Image(Server).Platforms; !slices.Equal(p, both[:1]) {
		t.Errorf("develop server: %v", p)
	}
	if p := develop.Image(Frontend).Platforms; !slices.Equal(p, both) {
		t.Errorf("develop frontend: %v", p)
	}
	if s := get(t, "0.3.9").Image(Frontend).String(); s != "mtsrus/syncmaster-ui:0.3.9" {
		t.Error(s)
	}
	if s := develop.Image(Broker).String() + " " + develop.Image(Database).String(); s != "rabbitmq:4.2 postgres:17" {
		t.Error(s)
	}
	if i := develop.Image("nothing"); !reflect.DeepEqual(i, Image{}) {
		t.Errorf("%+v", i)
	}
}

func TestCommands(t *testing.T) {
	old, recent := get(t, "0.2.5"), get(t, "0.3.0")
	for _, c := range []struct{ got, want []string }{
		{old.WorkerCommand("a", "b"), []string{"--loglevel=info", "-Q", "a,b"}},
		{recent.WorkerCommand("a", "b"), []string{"worker", "--loglevel=info", "--queues", "a,b"}},
		{recent.WorkerCommand(), []string{"worker", "--loglevel=info"}},
		{old.MigrationsEntrypoint(), []string{"python", "-m", "syncmaster.db.migrations", "upgrade", "head"}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
	if got := old.MigrationsDatabaseURL("postgresql+asyncpg://u:p%40@h/d"); got != "postgresql+asyncpg://u:p%%40@h/d" {
		t.Error(got)
	}
	if get(t, "0.2.0").MetricsTmpfs() != PrometheusDir || get(t, "0.2.1").MetricsTmpfs() != PrometheusDir+":mode=1777" {
		t.Error("metrics tmpfs")
	}
	if !old.DrainBeforeStop() || recent.DrainBeforeStop() || old.NeedsWorkerSection() || !recent.NeedsWorkerSection() {
		t.Error("rules that change with 0.3.0")
	}
}

func TestAPIAddress(t *testing.T) {
	for _, in := range []string{"https://h", "https://h/", "https://h/v1", "https://h/v1/"} {
		if got := get(t, "0.2.3").APIAddress(in); got != "https://h/v1" {
			t.Errorf("0.2.3 %s: %s", in, got)
		}
		if got := get(t, "0.2.4").APIAddress(in); got != "https://h" {
			t.Errorf("0.2.4 %s: %s", in, got)
		}
	}
}

func TestSuperusers(t *testing.T) {
	old, recent := get(t, "0.2.5"), get(t, "0.3.0")
	for _, c := range []struct {
		r           Release
		names       []string
		name, value string
	}{
		{old, []string{"a", "b.c@d"}, "SYNCMASTER__ENTRYPOINT__SUPERUSERS", "a,b.c@d"},
		{old, nil, "SYNCMASTER__ENTRYPOINT__SUPERUSERS", ""},
		{recent, []string{"a", `b"<c`}, "SYNCMASTER__SUPERUSERS", `["a","b\"<c"]`},
		{recent, nil, "SYNCMASTER__SUPERUSERS", "[]"},
	} {
		name, value, err := c.r.Superusers(c.names)
		if err != nil || name != c.name || value != c.value {
			t.Errorf("%s %q: %s=%s %v", c.r, c.names, name, value, err)
		} else if err := c.r.CheckSetting(name, value); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", " a", "a b", "a,b", "*", "$(id)"} {
		if _, _, err := old.Superusers([]string{name}); err == nil {
			t.Errorf("0.2.5 takes the name %q", name)
		}
	}
}

func TestCORSIsAccepted(t *testing.T) {
	for _, r := range Known() {
		values, err := r.CORS("https://ui.example.com/")
		if err != nil {
			t.Fatal(err)
		}
		if values[0].Value != `["https://ui.example.com"]` {
			t.Errorf("origin %s", values[0].Value)
		}
		for _, v := range values {
			if err := r.CheckSetting(v.Name, v.Value); err != nil {
				t.Error(err)
			}
		}
		if credentials := values[len(values)-1].Value == "true"; credentials == r.Before(get(t, "0.2.5")) {
			t.Errorf("%s: credentials %v", r, credentials)
		}
		if patch := strings.Contains(values[1].Value, "PATCH"); patch != r.Before(get(t, "0.2.2")) {
			t.Errorf("%s: PATCH %v", r, patch)
		}
	}
}

func TestProviders(t *testing.T) {
	kc := func(names ...string) []string {
		for i, n := range names {
			names[i] = "SYNCMASTER__AUTH__KEYCLOAK__" + n
		}
		return names
	}
	session, cookie := "SYNCMASTER__SERVER__SESSION__SECRET_KEY", "SYNCMASTER__AUTH__COOKIE__SECRET_KEY"
	token := "SYNCMASTER__AUTH__ACCESS_TOKEN__SECRET_KEY"
	for _, c := range []struct {
		version, name string
		want          []string
	}{
		{"0.2.5", "dummy", []string{session, token}},
		{"0.2.5", "Keycloak", append([]string{session}, kc("SERVER_URL", "REALM_NAME", "CLIENT_ID", "CLIENT_SECRET", "REDIRECT_URI")...)},
		{"0.3.2", "dummy", []string{token}},
		{"0.3.2", "keycloak", append([]string{cookie}, kc("API_URL", "REALM_NAME", "CLIENT_ID", "CLIENT_SECRET", "UI_CALLBACK_URL")...)},
		{"0.3.2", "oauth2-gateway", kc("API_URL", "REALM_NAME", "CLIENT_ID", "CLIENT_SECRET")},
	} {
		p, err := get(t, c.version).AuthProvider(c.name)
		if err != nil || !slices.Equal(p.Required, c.want) {
			t.Errorf("%s %s: %v %q", c.version, c.name, err, p.Required)
		}
	}
	if _, err := get(t, "0.2.5").AuthProvider("oauth2-gateway"); err == nil || !strings.Contains(err.Error(), "dummy, keycloak") {
		t.Error(err)
	}
	if p, _ := get(t, "0.2.4").AuthProvider("keycloak"); p.UIValue != "" {
		t.Errorf("0.2.4 has the frontend value %s", p.UIValue)
	}
	if p, ok := Newest().Provider(map[string]string{}); !ok || p.Name != "dummy" {
		t.Errorf("default provider %+v", p)
	}
	if p, ok := Newest().Provider(map[string]string{"SYNCMASTER__AUTH__PROVIDER": "my.own.Provider"}); ok {
		t.Errorf("own provider is %+v", p)
	}
}

func TestMissing(t *testing.T) {
	names := func(list []Setting) string {
		var n []string
		for _, s := range list {
			n = append(n, strings.TrimPrefix(s.Name, "SYNCMASTER__"))
		}
		return strings.Join(n, " ")
	}
	base := "DATABASE__URL BROKER__URL ENCRYPTION__SECRET_KEY"
	full := map[string]string{"SYNCMASTER__DATABASE__URL": "x", "SYNCMASTER__BROKER__URL": "x", "SYNCMASTER__ENCRYPTION__SECRET_KEY": "x"}
	for _, c := range []struct {
		version string
		c       Component
		env     map[string]string
		want    string
	}{
		{"0.2.5", Server, nil, base + " SERVER__SESSION__SECRET_KEY AUTH__ACCESS_TOKEN__SECRET_KEY"},
		{"0.2.5", Migrations, nil, base + " SERVER__SESSION__SECRET_KEY"},
		{"0.3.0", Migrations, nil, "DATABASE__URL"},
		{"0.2.5", Worker, full, ""},
		{"0.3.0", Worker, full, "WORKER"},
		{"0.3.0", Worker, with(full, "SYNCMASTER__WORKER", "{}"), ""},
		{"0.3.0", Worker, with(full, "SYNCMASTER__WORKER__LOG_URL_TEMPLATE", ""), ""},
		{"0.2.5", Worker, with(full, "SYNCMASTER__HWM_STORE__ENABLED", "True"), "HWM_STORE__TYPE HWM_STORE__URL HWM_STORE__USER HWM_STORE__PASSWORD HWM_STORE__NAMESPACE"},
		{"0.2.4", Frontend, nil, "UI__API_BROWSER_URL"},
		{"0.2.5", Frontend, nil, ""},
		{"0.3.0", Server, with(full, "SYNCMASTER__AUTH__PROVIDER", "my.Own"), ""},
	} {
		if got := names(get(t, c.version).Missing(c.c, c.env)); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.version, c.c, got, c.want)
		}
	}
}

func with(env map[string]string, name, value string) map[string]string {
	copied := map[string]string{name: value}
	for k, v := range env {
		copied[k] = v
	}
	return copied
}

func TestDefects(t *testing.T) {
	count := map[string]int{}
	for _, d := range Defects() {
		if d.ID == "" || d.What == "" || d.Closed == "" {
			t.Errorf("incomplete: %+v", d)
		}
		for _, r := range Known() {
			if d.In(r) {
				count[r.Version]++
			}
		}
		if d.In(get(t, "0.3.7")) {
			t.Errorf("%s is claimed of a release nobody has seen", d.ID)
		}
	}
	want := map[string]int{"0.2.0": 11, "0.2.4": 9, "0.2.5": 8, "0.3.1": 11, "0.3.2": 8, "develop": 7}
	for version, n := range want {
		if count[version] != n {
			t.Errorf("%s has %d defects, want %d", version, count[version], n)
		}
	}
}
