package render_test

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"

	"syncmaster-setup/internal/config"
	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/render"
	"syncmaster-setup/internal/secret"
)

var update = flag.Bool("update", false, "write the golden files anew")

var secrets = render.Secrets{
	FernetKey:        secret.NewText("UBgPTioFrtH2unlC4XFDiGf5sYfzbdSf_VgiUSaQc94="),
	DatabasePassword: secret.NewText("database-password"),
	BrokerPassword:   secret.NewText("broker-password"),
	CookieKey:        secret.NewText("cookie-key"),
	TokenKey:         secret.NewText("token-key"),
}

func input(t *testing.T, version string, asked config.Options) render.Input {
	t.Helper()
	r, err := release.Lookup(version)
	if err != nil {
		t.Fatal(err)
	}
	o := asked.Defaults(version)
	if err := o.Validate(r, nil); err != nil {
		t.Fatal(err)
	}
	return render.Input{Release: r, Options: o, Ports: config.DefaultPorts, Secrets: secrets}
}

func must(t *testing.T, in render.Input) render.Files {
	t.Helper()
	files, err := render.Render(in)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// presets are the golden variants of each release.
func presets() map[string]config.Options {
	return map[string]config.Options{
		"local":      {Profiles: []string{"all"}},
		"production": {Preset: config.Production, Auth: "dummy", PublicURL: "https://api.example.com", UIURL: "https://sync.example.com", Profiles: []string{"all"}, Queues: []string{"1-etl", "2-ml"}},
		"server":     {Profiles: []string{"server"}, Bind: "::1"},
		"scheduler":  {Profiles: []string{"scheduler"}},
		"worker":     {Profiles: []string{"worker"}, Queues: []string{"1-etl"}},
		"frontend":   {Profiles: []string{"frontend"}},
		"external":   {DatabaseURL: secret.NewText("postgresql+asyncpg://u:p@pg.example.com:5432/sync"), BrokerURL: secret.NewText("amqp://u:p@mq.example.com:5672")},
	}
}

func TestGoldenFiles(t *testing.T) {
	for _, r := range release.Known() {
		for name, options := range presets() {
			t.Run(r.Version+"/"+name, func(t *testing.T) {
				files := must(t, input(t, r.Version, options))
				folder := filepath.Join("testdata", r.Version, name)
				compare(t, filepath.Join(folder, "docker-compose.yml"), files.Compose)
				compare(t, filepath.Join(folder, "env"), files.Env)
				compare(t, filepath.Join(folder, "env.docker"), files.AppEnv)
				load(t, files)
			})
		}
	}
}

func TestComposeFileIsSafe(t *testing.T) {
	for _, r := range release.Known() {
		project := load(t, must(t, input(t, r.Version, config.Options{Profiles: []string{"all"}, Queues: []string{"1-etl"}})))
		for _, service := range []string{"db", "rabbitmq"} {
			for _, p := range project.Services[service].Ports {
				if p.HostIP != "127.0.0.1" {
					t.Errorf("%s publishes %s on %q", r, service, p.HostIP)
				}
			}
		}
		if got := project.Services["rabbitmq"]; got.Hostname != "rabbitmq" || !strings.HasSuffix(got.Image, "rabbitmq:4.2") {
			t.Errorf("%s: broker %s as host %q", r, got.Image, got.Hostname)
		}
		if init := project.Services["scheduler"].Init; init == nil || !*init {
			t.Errorf("%s: the scheduler has no init", r)
		}
		if grace := project.Services["worker"].StopGracePeriod; grace == nil || grace.String() != "1h0m0s" {
			t.Errorf("%s: the worker stops after %v", r, grace)
		}
		for name := range project.Services["frontend"].Environment {
			if !strings.HasPrefix(name, "SYNCMASTER__UI__") {
				t.Errorf("%s: the frontend gets %s", r, name)
			}
		}
		if len(project.Services["frontend"].EnvFiles) != 0 {
			t.Errorf("%s: the frontend reads an env file", r)
		}
		if dependency := project.Services["server"].DependsOn["db-migrations"]; dependency.Required {
			t.Errorf("%s: a plain up runs the migrations", r)
		}
	}
}

// Every setting that .env.docker has must be one that the release reads, with a value of its type.
func TestSettingsAreThoseOfTheRelease(t *testing.T) {
	for _, r := range release.Known() {
		for name, options := range presets() {
			values, err := dotenv.UnmarshalWithLookup(must(t, input(t, r.Version, options)).AppEnv, nil)
			if err != nil {
				t.Fatal(err)
			}
			for key, value := range values {
				if err := r.CheckSetting(key, value); err != nil {
					t.Errorf("%s/%s: %v", r, name, err)
				}
			}
			for _, component := range []release.Component{release.Server, release.Scheduler, release.Worker, release.Migrations} {
				if missing := r.Missing(component, values); len(missing) > 0 {
					t.Errorf("%s/%s: %s lacks %v", r, name, component, missing)
				}
			}
		}
	}
}

func TestValuesRoundTrip(t *testing.T) {
	nasty := `a $HOME ${VERSION:-x} 50% 'q' "d" #no \n {"a": ["b"]}` + "\nsecond line"
	in := input(t, "0.3.2", config.Options{Set: []config.Setting{
		{Name: "SYNCMASTER__WORKER__LOG_URL_TEMPLATE", Value: secret.NewText(nasty)},
	}})
	values, err := dotenv.UnmarshalWithLookup(must(t, in).AppEnv, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := values["SYNCMASTER__WORKER__LOG_URL_TEMPLATE"]; got != nasty {
		t.Errorf("got %q, want %q", got, nasty)
	}
}

func TestAlembicGetsThePercentSignsOfTheDatabaseURLDoubled(t *testing.T) {
	in := input(t, "0.3.2", config.Options{DatabaseURL: secret.NewText("postgres://u:a%40b@h:5432/d")})
	project := load(t, must(t, in))
	for service, want := range map[string]string{
		"db-migrations": "postgresql+asyncpg://u:a%%40b@h:5432/d", "server": "postgresql+asyncpg://u:a%40b@h:5432/d",
	} {
		if got := project.Services[service].Environment["SYNCMASTER__DATABASE__URL"]; got == nil || *got != want {
			t.Errorf("%s gets another URL", service)
		}
	}
}

func TestUpdateChangesWhatWasAskedForAndKeepsEdits(t *testing.T) {
	before := input(t, "0.3.2", config.Options{})
	files := must(t, before)
	files.AppEnv = strings.Replace(files.AppEnv, "SYNCMASTER__SERVER__DEBUG=true", "SYNCMASTER__SERVER__DEBUG=false # mine", 1)
	files.Env += "# my own line\nMINE=1\n"

	after := before
	after.Options.Queues = []string{"1-etl"}
	after.Options.Preset = config.Production // would set debug to false and is not asked by name
	after.Options.Set = []config.Setting{{Name: "syncmaster__hwm_store__url", Value: secret.NewText("http://horizon:8000")}}
	after.Ports.Server = 9000
	asked := config.Options{Queues: after.Options.Queues, Set: after.Options.Set}
	updated, err := render.Update(files, before, after, asked)
	if err != nil {
		t.Fatal(err)
	}
	env := parse(t, updated.Env)
	for key, want := range map[string]string{
		"COMPOSE_PROFILES": "server,scheduler,worker,frontend", "WORKER_QUEUES": "1-etl", "SERVER_PORT": "9000",
		"SYNCMASTER__UI__API_BROWSER_URL": "http://localhost:9000", "MINE": "1", "POSTGRES_PASSWORD": "database-password",
	} {
		if env[key] != want {
			t.Errorf("%s is %q, want %q", key, env[key], want)
		}
	}
	if !strings.Contains(updated.AppEnv, "SYNCMASTER__SERVER__DEBUG=false # mine\n") {
		t.Error("an edit of the user was lost")
	}
	if !strings.Contains(updated.AppEnv, "#SYNCMASTER__HWM_STORE__TYPE=\nSYNCMASTER__HWM_STORE__URL=http://horizon:8000\n") {
		t.Errorf("the setting is not where it stood commented out:\n%s", updated.AppEnv)
	}
	same, err := render.Update(files, before, before, config.Options{})
	if err != nil || same != files {
		t.Errorf("an update to the same options changed the files (%v)", err)
	}
}

// An option that is asked for by name beats the user's edit of what it decides, whether or not it differs from the one before.
func TestUpdateSetsWhatWasAskedForByName(t *testing.T) {
	in := input(t, "0.3.2", config.Options{Bind: "127.0.0.1"})
	files := must(t, in)
	files.Env = strings.Replace(files.Env, "BIND_ADDRESS=127.0.0.1", "BIND_ADDRESS=0.0.0.0", 1)
	files.AppEnv = strings.Replace(files.AppEnv, "TZ=UTC", "TZ=Europe/Rome", 1)
	for asked, want := range map[string][2]string{"": {"0.0.0.0", "Europe/Rome"}, "127.0.0.1": {"127.0.0.1", "Europe/Rome"}} {
		updated, err := render.Update(files, in, in, config.Options{Bind: asked})
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]string{parse(t, updated.Env)["BIND_ADDRESS"], parse(t, updated.AppEnv)["TZ"]}; got != want {
			t.Errorf("asked for %q: %q, want %q", asked, got, want)
		}
	}
}

// Images that are built from a checkout have names of their project's, and are looked for in no registry.
func TestBuiltImages(t *testing.T) {
	files := must(t, input(t, "0.3.2", config.Options{Dev: true, Source: "/src", Project: "p"}))
	for image, count := range map[string]int{"p-server:dev": 2, "p-worker:dev": 1, "p-scheduler:dev": 1} {
		if got := strings.Count(files.Compose, "image: "+image+"\n"); got != count {
			t.Errorf("%s stands %d times in\n%s", image, got, files.Compose)
		}
	}
	if strings.Count(files.Compose, "pull_policy: never") != 4 || strings.Contains(files.Compose, "build:") || !strings.Contains(files.Compose, "mtsrus/syncmaster-ui:${VERSION") {
		t.Errorf("got\n%s", files.Compose)
	}
}

func compare(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run the test with -update and read the difference. Got:\n%s", path, got)
	}
}

// load reads the files with compose-go, the env file of the services included.
func load(t *testing.T, files render.Files) *types.Project {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".env.docker"), []byte(files.AppEnv), 0o600); err != nil {
		t.Fatal(err)
	}
	env := parse(t, files.Env)
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir: dir, Environment: env,
		ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(dir, "docker-compose.yml"), Content: []byte(files.Compose)}},
	}, func(o *loader.Options) {
		o.SetProjectName(env["COMPOSE_PROJECT_NAME"], true)
		o.Profiles = []string{"*"}
	})
	if err != nil {
		t.Fatal(err)
	}
	wanted := strings.Split(env["COMPOSE_PROFILES"], ",")
	if services := slices.Collect(maps.Keys(project.Services)); !slices.Contains(services, wanted[0]) {
		t.Errorf("services %q lack %q", services, wanted[0])
	}
	return project
}

func parse(t *testing.T, text string) map[string]string {
	t.Helper()
	values, err := dotenv.UnmarshalWithLookup(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	return values
}
