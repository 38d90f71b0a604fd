package setup

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"

	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/stack"
	"syncmaster-setup/internal/workdir"
)

// of returns the finding of one check.
func of(v *sight, id string) Finding {
	findings := v.checkup().Findings
	return findings[slices.IndexFunc(findings, func(f Finding) bool { return f.ID == id })]
}

// with gives a service of the project its environment, on top of .env.docker, and its ports.
func (v *sight) with(name string, env map[string]string, addresses ...string) {
	service := types.ServiceConfig{Name: name}
	service.Environment = types.MappingWithEquals{}
	for _, values := range []map[string]string{v.settings, env} {
		for name, value := range values {
			service.Environment[name] = &value
		}
	}
	for _, a := range addresses {
		service.Ports = append(service.Ports, types.ServicePortConfig{Target: 8000, HostIP: a, Published: "8000"})
	}
	v.project.Services[name] = service
}

// TestPublicAddress judges by the ports that are, not by the option that was once given.
func TestPublicAddress(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*sight)
		level  Level
		next   string
	}{
		{"loopback", func(v *sight) { v.with("server", nil, "127.0.0.1", "::1") }, Pass, ""},
		{"edited .env", func(v *sight) {
			v.texts[workdir.EnvFile] = "BIND_ADDRESS=0.0.0.0\n"
			v.with("server", nil, "0.0.0.0")
		}, Fail, "syncmaster-setup init --dir /srv/sm --bind 127.0.0.1"},
		{"another port in the override file", func(v *sight) {
			v.texts[workdir.EnvFile] = "BIND_ADDRESS=127.0.0.1\n"
			v.with("server", nil, "127.0.0.1", "")
		}, Fail, workdir.OverrideFile},
		{"the host's network", func(v *sight) {
			v.texts[workdir.EnvFile] = "BIND_ADDRESS=127.0.0.1\n"
			v.with("server", nil)
			server := v.project.Services["server"]
			server.NetworkMode = "host"
			v.project.Services["server"] = server
		}, Fail, workdir.OverrideFile},
		{"a container from before", func(v *sight) {
			v.with("server", nil, "127.0.0.1")
			v.observed.Ports = []stack.Port{{Address: "192.168.1.5", Number: 8000, Inside: 8000, Container: "sm-server-1"}}
		}, Fail, "syncmaster-setup init --dir /srv/sm --bind 127.0.0.1"},
		{"another port of the container", func(v *sight) {
			v.with("server", nil, "127.0.0.1")
			v.observed.Ports = []stack.Port{{Address: "0.0.0.0", Number: 9000, Inside: 9000, Container: "sm-server-1"}}
		}, Pass, ""},
	} {
		v := wellSight(t)
		tt.change(v)
		if f := of(v, "login"); f.Level != tt.level || !strings.Contains(f.Next, tt.next) {
			t.Errorf("%s: %+v, want %s, %q", tt.name, f, tt.level, tt.next)
		}
	}
}

// TestEachServiceIsJudgedByItsOwn: what the override file gives one of them is no other's.
func TestEachServiceIsJudgedByItsOwn(t *testing.T) {
	const debug, provider = "SYNCMASTER__SERVER__DEBUG", "SYNCMASTER__AUTH__PROVIDER"
	v := wellSight(t)
	v.settings[debug] = "false"
	v.with("server", map[string]string{debug: "true", provider: "mine.Provider"}, "0.0.0.0")
	v.with("scheduler", nil)
	v.with("worker", map[string]string{debug: "perhaps", "SYNCMASTER__WORKER__CREATE_SPARK_SESSION_FUNCTION": "no path"})
	if f := of(v, "debug"); f.Level != Warn || !strings.Contains(f.Next, "write "+debug+"=false into "+v.setup.Dir.File(workdir.OverrideFile)) {
		t.Errorf("%+v", f)
	}
	if f := of(v, "login"); f.Level != Pass {
		t.Errorf("%+v", f)
	}
	f := of(v, "names")
	if f.Level != Fail || strings.Contains(f.Text, "perhaps") || !strings.Contains(f.Text, "import path") || !strings.Contains(f.Next, workdir.OverrideFile) {
		t.Errorf("%+v", f)
	}
}

// TestSampleSecrets names all of them, also those that only a service gets, and what is safe for each.
func TestSampleSecrets(t *testing.T) {
	const client, horizon, token = "SYNCMASTER__AUTH__KEYCLOAK__CLIENT_SECRET", "SYNCMASTER__HWM_STORE__PASSWORD", "SYNCMASTER__AUTH__ACCESS_TOKEN__SECRET_KEY"
	const cookie = "SYNCMASTER__AUTH__COOKIE__SECRET_KEY"
	v := wellSight(t)
	v.texts[workdir.AppEnvFile] = client + "=generated_by_keycloak\n" + token + "=generate_another_random_string\n" + cookie + "=generate_some_random_string\n"
	v.with("worker", map[string]string{horizon: "123UsedForTestOnly@!"})
	f := of(v, "sample-secrets")
	for _, want := range []string{client + " in .env.docker", token + " in .env.docker", cookie + " in .env.docker", horizon + " in " + workdir.OverrideFile} {
		if !strings.Contains(f.Text, want) {
			t.Errorf("%q is not in %q", want, f.Text)
		}
	}
	line, remark, _ := strings.Cut(f.Next, "    (")
	for _, name := range []string{token, cookie} {
		if !strings.Contains(line, name+`="$(head -c 32 /dev/urandom | base64)"`) || !strings.Contains(line, "--set "+name) {
			t.Errorf("%q", line)
		}
	}
	if strings.Contains(line, client) || !strings.Contains(remark, "let Keycloak make a new secret") || !strings.Contains(remark, horizon+" in "+workdir.OverrideFile) {
		t.Errorf("%q, %q", line, remark)
	}
	v = wellSight(t)
	v.texts[workdir.EnvFile] = "RABBITMQ_PASSWORD=guest\n"
	v.with("rabbitmq", map[string]string{"RABBITMQ_DEFAULT_PASS": "guest"})
	if f := of(v, "sample-secrets"); strings.Contains(f.Text, workdir.OverrideFile) {
		t.Errorf("one value is told twice: %s", f.Text)
	}
}

// onDisk is a machine with files.
type onDisk struct{ System }

func (onDisk) Getenv(string) string { return "" }

func (onDisk) NoSuchHost(_ context.Context, name string) bool { return name == "horizon" }

func (onDisk) ReadFile(path string) (string, error) {
	text, err := os.ReadFile(path)
	return string(text), err
}

// TestConfigFiles finds the file that a service reads, wherever it is mounted, and judges what is in it.
func TestConfigFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"right.yml": "server:\n  debug: true\n", "trap.yml": "server:\n  allow_origins: ['*']\n", "broken.yml": "server: [\nsecret-of-mine", "folder/config.yml": "{}\n",
		"key.yml": "auth:\n  access_token:\n    secret_key: generate_another_random_string\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bind := func(source, target string) types.ServiceVolumeConfig {
		return types.ServiceVolumeConfig{Type: types.VolumeTypeBind, Source: filepath.Join(dir, source), Target: target}
	}
	for _, tt := range []struct {
		name, version, told string
		mount               types.ServiceVolumeConfig
		level               Level
		text                string
	}{
		{"none", "0.3.2", "", bind("x", "/elsewhere"), Pass, ""},
		{"right", "0.3.2", "", bind("right.yml", "/app/config.yml"), Pass, "right.yml of server: the environment wins"},
		{"trap", "0.3.2", "", bind("trap.yml", "/app/config.yml"), Warn, "did you mean server.cors.allow_origins?"},
		{"broken", "0.3.2", "", bind("broken.yml", "/app/config.yml"), Fail, "no YAML"},
		{"in a folder", "0.3.2", "", bind("folder", "/app"), Pass, "folder/config.yml of server: the environment wins"},
		{"another name", "0.3.2", "mine/trap.yml", bind("", "/app/mine"), Warn, "server.cors.allow_origins?"},
		{"a folder", "0.3.2", "", bind("folder", "/app/config.yml"), Warn, "a folder, which is silently ignored"},
		{"missing", "0.3.2", "", bind("nowhere.yml", "/app/config.yml"), Warn, "it is missing"},
		{"not mounted", "0.3.2", "/etc/mine.yml", bind("x", "/elsewhere"), Warn, "nothing is mounted there"},
		{"in a volume", "0.3.2", "", types.ServiceVolumeConfig{Type: types.VolumeTypeVolume, Source: "v", Target: "/app"}, Warn, "cannot be looked at"},
		{"older release", "0.2.5", "", bind("right.yml", "/app/config.yml"), Warn, "release 0.2.5 reads no such file"},
	} {
		v := wellSight(t)
		v.setup.System = onDisk{}
		var err error
		if v.release, err = release.Lookup(tt.version); err != nil {
			t.Fatal(err)
		}
		env := map[string]string{}
		if tt.told != "" {
			env[configVariable] = tt.told
		}
		v.with("server", env)
		server := v.project.Services["server"]
		server.Volumes = []types.ServiceVolumeConfig{tt.mount}
		v.project.Services["server"] = server
		v.readConfigs()
		f := of(v, "config-file")
		if f.Level != tt.level || !strings.Contains(f.Text, tt.text) || strings.Contains(f.Text, "secret-of-mine") {
			t.Errorf("%s: %+v, want %s, %q", tt.name, f, tt.level, tt.text)
		}
		if wantsAdvice := tt.level == Warn || tt.level == Fail; wantsAdvice != strings.Contains(f.Next, "docker compose up -d --force-recreate server") {
			t.Errorf("%s: %q", tt.name, f.Next)
		}
	}
}

// TestStoreIsFound warns of an HWM store whose host nobody knows, and of no other.
func TestStoreIsFound(t *testing.T) {
	for _, tt := range []struct {
		name    string
		enabled string
		url     string
		change  func(*sight)
		unknown bool
	}{
		{"nobody's", "true", "http://horizon:8000", func(*sight) {}, true},
		{"off", "false", "http://horizon:8000", func(*sight) {}, false},
		{"known to the name server", "true", "http://horizon.example.com", func(*sight) {}, false},
		{"an address", "true", "http://192.168.1.5:8000", func(*sight) {}, false},
		{"a service", "true", "http://horizon:8000", func(v *sight) { v.with("horizon", nil) }, false},
		{"of another project", "true", "http://horizon:8000", func(v *sight) { v.peers = []stack.Peer{{Name: "other-horizon-1", Service: "horizon"}} }, false},
		{"an extra host", "true", "http://horizon:8000", func(v *sight) {
			worker := v.project.Services["worker"]
			worker.ExtraHosts = types.HostsList{"horizon": {"192.168.1.5"}}
			v.project.Services["worker"] = worker
		}, false},
		{"own name servers", "true", "http://horizon:8000", func(v *sight) {
			worker := v.project.Services["worker"]
			worker.DNS = types.StringList{"192.168.1.5"}
			v.project.Services["worker"] = worker
		}, false},
	} {
		v := wellSight(t)
		v.setup.System = onDisk{}
		const section = "SYNCMASTER__HWM_STORE__"
		v.with("worker", map[string]string{section + "ENABLED": tt.enabled, section + "URL": tt.url, section + "TYPE": "horizon", section + "USER": "u",
			section + "PASSWORD": "p", section + "NAMESPACE": "n"})
		tt.change(v)
		v.findStore(t.Context())
		if f := of(v, "names"); (f.Level == Warn) != tt.unknown || tt.unknown && !strings.Contains(f.Text, "knows horizon of") {
			t.Errorf("%s: %+v", tt.name, f)
		}
	}
}

// TestConfigFileCounts: what it gives is the service's, below the environment.
func TestConfigFileCounts(t *testing.T) {
	v := wellSight(t)
	delete(v.settings, "SYNCMASTER__AUTH__ACCESS_TOKEN__SECRET_KEY")
	v.with("server", nil, "0.0.0.0")
	if f := of(v, "names"); f.Level != Fail {
		t.Errorf("%+v", f)
	}
	v.configs = []configFile{{service: release.Server, path: "/app/config.yml", source: "/srv/mine.yml",
		text: "server: {debug: true}\nauth: {access_token: {secret_key: generate_another_random_string}}\n"}}
	if f := of(v, "names"); f.Level != Pass {
		t.Errorf("%+v", f)
	}
	if f := of(v, "debug"); f.Level != Warn {
		t.Errorf("%+v", f)
	}
	if f := of(v, "sample-secrets"); f.Level != Fail || !strings.Contains(f.Text, "/srv/mine.yml") || !strings.Contains(f.Next, "/srv/mine.yml") {
		t.Errorf("%+v", f)
	}
}
