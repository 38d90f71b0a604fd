package setup

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"syncmaster-setup/internal/backup"
	"syncmaster-setup/internal/journal"
	"syncmaster-setup/internal/probe"
	"syncmaster-setup/internal/stack"
	"syncmaster-setup/internal/workdir"
)

// sampleKey is printed in SyncMaster's public samples.
const sampleKey = "UBgPTioFrtH2unlC4XFDiGf5sYfzbdSf_VgiUSaQc94="

const uiAddress = "SYNCMASTER__UI__API_BROWSER_URL"

// wellSight is an install with which doctor is content.
func wellSight(t *testing.T) *sight {
	t.Helper()
	v := healthySight(t)
	maps.Copy(v.settings, map[string]string{
		databaseURL: "postgresql+asyncpg://syncmaster:p@db:5432/syncmaster",
		brokerURL:   "amqp://syncmaster:p@rabbitmq:5672", "SYNCMASTER__WORKER": "{}", "SYNCMASTER__AUTH__ACCESS_TOKEN__SECRET_KEY": "k",
	})
	v.host.Clock = v.at
	rabbit := types.ServiceConfig{Name: "rabbitmq"}
	rabbit.Hostname = "rabbitmq"
	v.project.Services["rabbitmq"] = rabbit
	for i := range v.observed.Containers {
		if c := &v.observed.Containers[i]; c.Service == "worker" {
			c.Command = []string{"worker", "--queues", "1-etl"}
		}
	}
	return v
}

func TestDoctorIsContent(t *testing.T) {
	v := wellSight(t)
	v.judge()
	for _, f := range v.checkup().Findings {
		if f.Level != Pass {
			t.Errorf("%+v", f)
		}
	}
}

// TestChecks gives each check its fault.
func TestChecks(t *testing.T) {
	container := func(v *sight, name string) *stack.Container {
		i := slices.IndexFunc(v.observed.Containers, func(c stack.Container) bool { return c.Service == name })
		return &v.observed.Containers[i]
	}
	tests := []struct {
		id     string
		level  Level
		text   string
		change func(*sight)
	}{
		{"engine", Fail, "no socket", func(v *sight) { v.engine, v.engineErr = nil, errors.New("no socket") }},
		{"remote", Warn, "another machine", func(v *sight) { v.host.Local = false }},
		{"ports", Fail, "held by nginx", func(v *sight) { v.held = []string{"port 8000 of the server is held by nginx"} }},
		{"disk", Fail, "0 B free", func(v *sight) { v.disk["images"] = 0 }},
		{"disk", Warn, "an upgrade wants", func(v *sight) { v.disk["folder"] = 2 << 30 }},
		{"disk", Fail, "backups has 0 B free", func(v *sight) { v.disk["backups"] = 0 }},
		{"disk", Missing, "cannot be told", func(v *sight) { v.disk = nil }},
		{"memory", Fail, "at least", func(v *sight) { v.host.Memory = 1 << 20 }},
		{"memory", Warn, "run well from", func(v *sight) { v.host.Memory = 2 << 30 }},
		{"clock", Warn, "differs from this one by 1h", func(v *sight) { v.host.Clock = v.at.Add(time.Hour) }},
		{"proxy", Warn, "HTTP_PROXY", func(v *sight) { v.host.ProxyVariables = []string{"HTTP_PROXY"} }},
		{"proxy", Warn, "for db, rabbitmq, server", func(v *sight) {
			v.host.ProxyVariables, v.host.NoProxy = []string{"HTTP_PROXY"}, "localhost"
		}},
		{"proxy", Warn, "server gets https_proxy from the files", func(v *sight) { v.settings["https_proxy"] = "http://proxy" }},
		{"proxy", Warn, "the container of worker was made with HTTP_PROXY", func(v *sight) { container(v, "worker").Proxies = []string{"HTTP_PROXY"} }},
		{"disk", Fail, "/data has 512.0 MiB free", func(v *sight) { v.dataDisks = []dataDisk{{"db", "/data", 512 << 20}} }},
		{"disk", Pass, "/data has 2.0 GiB free", func(v *sight) { v.dataDisks = []dataDisk{{"db", "/data", 2 << 30}} }},
		{"logs", Missing, "logs of server", func(v *sight) {
			container(v, "server").Logs = stack.LogFile{Driver: "json-file", Path: "/var/lib/docker/containers/1/1-json.log"}
		}},
		{"logs", Pass, "without a limit so far, and small: server", func(v *sight) {
			container(v, "server").Logs = stack.LogFile{Driver: "json-file", Path: "/var/lib/docker/containers/1/1-json.log"}
			v.logBytes = map[string]int64{"server": 5}
		}},
		{"logs", Warn, "server has written", func(v *sight) {
			container(v, "server").Logs = stack.LogFile{Driver: "json-file"}
			v.logBytes = map[string]int64{"server": 2 << 30}
		}},
		{"interrupted", Fail, "interrupted at: migrate", func(v *sight) { v.stopped = "migrate" }},
		{"interrupted", Fail, "upgrade was interrupted at: migrate", func(v *sight) { v.stopped, v.open = "migrate", &journal.Record{Operation: opUpgrade} }},
		{"interrupted", Fail, "names no operation", func(v *sight) {
			v.openErr = v.setup.brokenJournal(errors.New("reading the journal: it names no operation"))
		}},
		{"interrupted", Fail, "not complete", func(v *sight) { v.state.Phase = workdir.Installing }},
		{"modes", Fail, ".env.docker", func(v *sight) { v.loose = []string{".env.docker"} }},
		{"project", Fail, "line 3", func(v *sight) { v.projectErr = errors.New("line 3") }},
		{"compose-file", Warn, "edited by hand", func(v *sight) { v.texts[workdir.ComposeFile] = "x" }},
		{"sample-secrets", Fail, fernetSetting + " in .env.docker", func(v *sight) { v.texts[workdir.AppEnvFile] = fernetSetting + "=" + sampleKey }},
		{"sample-secrets", Fail, databaseURL, func(v *sight) { v.texts[workdir.AppEnvFile] = databaseURL + "=postgresql+asyncpg://s:changeme@db/s" }},
		{"key", Fail, "not a Fernet key", func(v *sight) { v.settings[fernetSetting] = "short" }},
		{"key", Fail, "The right one is in backups/one/.env.docker", func(v *sight) {
			v.settings[fernetSetting], v.goodKey = "short", "backups/one/.env.docker"
		}},
		{"key", Fail, "does not open", func(v *sight) { v.database.tokens = []string{"gAAAAA"} }},
		{"key", Missing, "", func(v *sight) { v.database.err = errors.New("refused") }},
		{"names", Warn, "next to nothing", func(v *sight) { v.settings["SYNCMASTER__LOGGING__PRESET"] = "json" }},
		{"names", Fail, "SYNCMASTER__WORKER is missing", func(v *sight) { delete(v.settings, "SYNCMASTER__WORKER") }},
		{"percent", Warn, "percent", func(v *sight) { v.settings[databaseURL] += "?x=%41" }},
		{"config-file", Warn, "a folder", func(v *sight) {
			v.configs = []configFile{{service: "server", path: "/app/config.yml", source: "/srv/sm/mine.yml", problem: "it is a folder"}}
		}},
		{"config-file", Fail, "line 2; worker does not start", func(v *sight) {
			v.configs = []configFile{{service: "worker", path: "/app/config.yml", text: "a: 1\n\tb"}}
		}},
		{"ui", Fail, "not \"http://localhost:8000/v1\"", func(v *sight) { v.texts[workdir.EnvFile] = uiAddress + "=http://localhost:8000/v1\n" }},
		{"ui", Warn, "browsers refuse", func(v *sight) {
			v.texts[workdir.EnvFile] = "UI_PORT=3000\n" + uiAddress + "=http://localhost:8000\n"
			values, _ := v.release.CORS("http://elsewhere")
			for _, value := range values {
				v.settings[value.Name] = value.Value
			}
		}},
		{"login", Fail, "0.0.0.0", func(v *sight) { v.project, v.options.Bind = nil, "0.0.0.0" }},
		{"debug", Warn, "error details", func(v *sight) {
			v.project, v.options.Bind = nil, "0.0.0.0"
			v.settings["syncmaster__server__debug"] = "True"
		}},
		{"applied", Warn, "worker", func(v *sight) { v.hashes["worker"], container(v, "rabbitmq").State = "other", "exited" }},
		{"applied", Warn, "scheduler", func(v *sight) { v.hashes["scheduler"] = "other" }},
		{"database", Fail, "refused", func(v *sight) { v.database.err = errors.New("refused") }},
		{"identity", Fail, "system identifier", func(v *sight) { v.database.facts.SystemIdentifier = "2" }},
		{"revision", Fail, "needs 0012", func(v *sight) { v.database.facts.Revision = "" }},
		{"revision", Fail, "newer than", func(v *sight) { v.database.facts.Revision = "0013" }},
		{"drift", Warn, "column queue.name is missing", func(v *sight) { v.database.differences = []string{"column queue.name is missing"} }},
		{"broker", Fail, "refused", func(v *sight) { v.broker.err = errors.New("refused") }},
		{"broker-version", Fail, "4.3.1", func(v *sight) { v.broker.seen = probe.Broker{Version: "4.3.1"} }},
		{"broker-version", Pass, "permit", func(v *sight) { v.broker.seen.Version = "4.3.1" }},
		{"broker-hostname", Fail, "no fixed host name", func(v *sight) { v.project.Services["rabbitmq"] = types.ServiceConfig{} }},
		{"services", Fail, "stopped: service server ended", func(v *sight) { container(v, "server").State = "exited" }},
		{"services", Fail, "never started: service worker has no container", func(v *sight) {
			container(v, "db").State, container(v, "server").State, container(v, "frontend").StartedAt = "exited", "paused", v.at
			v.answers["frontend"] = errors.New("refused")
			v.observed.Containers = slices.DeleteFunc(v.observed.Containers, func(c stack.Container) bool { return c.Service == "worker" })
		}},
		{"services", Fail, "ran out of memory", func(v *sight) { container(v, "worker").State, container(v, "worker").OOMKilled = "exited", true }},
		{"services", Warn, "starting: service frontend", func(v *sight) {
			container(v, "frontend").StartedAt, v.answers["frontend"] = v.at, errors.New("refused")
		}},
		{"schedulers", Fail, "2 schedulers run", func(v *sight) {
			v.peers = []stack.Peer{{Name: "sm-scheduler-1", Project: "sm", Service: "scheduler"}, {Name: "second", Image: "x/syncmaster-scheduler:0.3.2"}}
		}},
		{"schedulers", Fail, "2 schedulers run", func(v *sight) { // of which none is the one that Compose knows
			container(v, "scheduler").Name = "sm-scheduler-1"
			v.peers = []stack.Peer{{Name: "first", Image: "x/syncmaster-scheduler:0.3.2"}, {Name: "second", Image: "x/syncmaster-scheduler:0.3.2"}}
		}},
		{"unserved", Warn, "queue 1-etl", func(v *sight) { v.broker.seen.Queues = nil }},
		{"unserved", Fail, "1 transfer waits there", func(v *sight) {
			v.broker.seen.Queues = nil
			v.database.queues[0].Waiting = 1
		}},
		{"worker-queues", Warn, "2-none", func(v *sight) { container(v, "worker").Command = []string{"worker", "--queues=1-etl,2-none"} }},
		{"worker-queues", Fail, "names no queue", func(v *sight) { container(v, "worker").Command = []string{"worker"} }},
		{"stranded", Warn, "run 3", func(v *sight) { v.database.runs = []Run{{ID: 3, Queue: "9-gone", Started: v.at}} }},
	}
	find := func(id string, v *sight) Finding {
		v.judge()
		findings := v.checkup().Findings
		return findings[slices.IndexFunc(findings, func(f Finding) bool { return f.ID == id })]
	}
	var all advice
	for _, tt := range tests {
		v := wellSight(t)
		tt.change(v)
		f := find(tt.id, v)
		all.add("doctor", tt.id, f.Text, f.Next)
		if f.Level != tt.level || !strings.Contains(f.Text, tt.text) || strings.Contains(f.Text+f.Next, sampleKey) {
			t.Errorf("%s: %+v, want %s with %q", tt.id, f, tt.level, tt.text)
		}
		if needsAdvice := f.Level == Fail || f.Level == Warn; needsAdvice && f.Next == "" && !slices.Contains([]string{"engine", "project", "database"}, tt.id) {
			t.Errorf("%s: no next step", tt.id)
		}
		v = wellSight(t)
		tt.change(v)
		v.dir, v.state.Options.Dev = "/src/"+DevFolder, true
		f = find(tt.id, v)
		all.add("doctor of a development environment", tt.id, f.Text, f.Next)
	}
	all.compare(t, "doctor.txt")
}

// TestFindKey finds the right key in the newest generation, or in a backup, that has it.
func TestFindKey(t *testing.T) {
	dir, err := workdir.At(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	put := func(name, key string) {
		path := dir.File(name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("TZ=UTC\n"+fernetSetting+"="+key+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	v := wellSight(t)
	v.setup.Dir, v.lastGen = dir, 2
	v.backups.Backups = []backup.Manifest{{Name: "one"}}
	find := func(want string) {
		t.Helper()
		v.goodKey = ""
		if v.findKey(); v.goodKey != want {
			t.Errorf("found %q, want %q", v.goodKey, want)
		}
	}
	put("backups/one/.env.docker", sampleKey)
	if v.findKey(); v.goodKey != "" {
		t.Errorf("a key that is right was looked for: %s", v.goodKey)
	}
	v.settings[fernetSetting] = "short"
	put(".syncmaster-setup/generations/0002/.env.docker", "short")
	find("backups/one/.env.docker")
	put(".syncmaster-setup/generations/0001/.env.docker", sampleKey)
	find(".syncmaster-setup/generations/0001/.env.docker")
	if _, text, next := checkStoredKey(v); !strings.Contains(text, v.goodKey) || !strings.Contains(next, v.goodKey) || strings.Contains(text+next, sampleKey) {
		t.Errorf("%s\n%s", text, next)
	}
	if got := v.status(); got.Healthy || len(got.Problems) != 1 || !strings.Contains(got.Problems[0].Next, v.goodKey) {
		t.Errorf("status: %+v", got.Problems)
	}
	delete(v.settings, fernetSetting)
	if next := v.rightKey(); !strings.Contains(next, ">> .env.docker && syncmaster-setup init") {
		t.Error(next)
	}
}

// advice are the command lines of ours that the program tells its user to type, as far as the tests bring them about. The
// tests of the command line give each of them to the parser.
type advice strings.Builder

// add notes a next step, and those among the lines of a text.
func (a *advice) add(of, what, text, next string) {
	b := (*strings.Builder)(a)
	for line := range strings.Lines(text) {
		if own, is := strings.CutPrefix(line, "→ "); is && strings.Contains(own, "syncmaster-setup ") {
			fmt.Fprintf(b, "%s, %s, one of several\n    %s\n", of, what, strings.TrimSpace(own))
		}
	}
	if strings.Contains(next, "syncmaster-setup ") {
		fmt.Fprintf(b, "%s, %s\n    %s\n", of, what, next)
	}
}

// compare holds it to what is in testdata; UPDATE=1 writes it.
func (a *advice) compare(t *testing.T, name string) {
	t.Helper()
	text := regexp.MustCompile(os.TempDir()+`/[^ ;]*?/\d+\b`).ReplaceAllString((*strings.Builder)(a).String(), "/folder")
	path := filepath.Join("testdata", "advice", name)
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want, err := os.ReadFile(path); err != nil || string(want) != text {
		t.Errorf("%s is not what the program says, write it with UPDATE=1 (%v):\n%s", path, err, text)
	}
}

func TestCommandsForTheFolder(t *testing.T) {
	install := world{dir: "/srv/my sync"}
	dev, built := world{dir: "/src/" + DevFolder}, world{dir: "/src/" + DevFolder}
	dev.state.Options.Dev, built.state.Options.Dev, built.state.Options.Source = true, true, "/src"
	for _, tc := range []struct {
		w             world
		command, want string
	}{
		{install, "", ""},
		{install, "docker compose start db", "cd '/srv/my sync' && docker compose start db"},
		{install, "syncmaster-setup init", "syncmaster-setup init --dir '/srv/my sync'"},
		{install, "syncmaster-setup init --queue 1-a    (or so)", "syncmaster-setup init --dir '/srv/my sync' --queue 1-a    (or so)"},
		{install, "syncmaster-setup migrate downgrade 0012    (or so)", "syncmaster-setup migrate downgrade --dir '/srv/my sync' 0012    (or so)"},
		{install, "syncmaster-setup backup verify NAME", "syncmaster-setup backup verify --dir '/srv/my sync' NAME"},
		{dev, "syncmaster-setup init --server-port N    (or --ui-port)", "syncmaster-setup dev up --dir /src"},
		{dev, "syncmaster-setup migrate check", "syncmaster-setup migrate check --dir /src/" + DevFolder},
		{built, "syncmaster-setup init", "syncmaster-setup dev up --dir /src"},
		{built, "syncmaster-setup init --queue 1-a", "syncmaster-setup dev up --dir /src --source /src --queue 1-a"},
	} {
		if got := tc.w.inFolder(tc.command); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.command, got, tc.want)
		}
	}
}

func TestCheckNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range checks() {
		if seen[c.id] || c.what == "" || c.group == "" {
			t.Errorf("%+v", c)
		}
		seen[c.id] = true
	}
}

func TestNewer(t *testing.T) {
	for version, want := range map[string]bool{"4.2.0": false, "4.2": false, "4.3.0": true, "5.0.0": true, "3.13.7": false, "4": false, "x.y": false, "4.10.1": true} {
		if got := newer(version, lastBroker); got != want {
			t.Errorf("%s: %v", version, got)
		}
	}
}

func TestQueuesOf(t *testing.T) {
	for command, want := range map[string]string{
		"worker --loglevel=info --queues 1-a,2-b": "1-a,2-b", "--loglevel=info -Q 1-a": "1-a", "worker --queues=1-a": "1-a", "-Q1-a": "1-a", "worker": "", "--queues": "",
	} {
		if got := strings.Join(queuesOf(strings.Fields(command)), ","); got != want {
			t.Errorf("%s: %q", command, got)
		}
	}
}

// TestScrub takes out what looks like a secret to anybody.
func TestScrub(t *testing.T) {
	v := wellSight(t)
	for _, text := range []string{
		"connecting to amqp://user:hidden-word@rabbitmq:5672/", `{"password": "hidden-word with blanks"}`, "API_KEY=hidden-word",
		"Authorization: Bearer hidden-word.and.more", "token eyJhidden-word.hidden-word.hidden-word", "value gAAAAABhidden-word-hidden-word==",
		"client_secret: 'hidden-word'", "AWS_SECRET_ACCESS_KEY=hidden-word",
	} {
		if got := v.scrub(text); strings.Contains(got, "hidden-word") {
			t.Errorf("%q became %q", text, got)
		}
	}
	const harmless = "transfer 5 of group 7 finished in 3.2 s"
	if got := v.scrub(harmless); got != harmless {
		t.Errorf("%q", got)
	}
}
