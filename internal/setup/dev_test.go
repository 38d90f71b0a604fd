package setup

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"syncmaster-setup/internal/checkout"
	"syncmaster-setup/internal/config"
	"syncmaster-setup/internal/envfile"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/render"
	"syncmaster-setup/internal/report"
	"syncmaster-setup/internal/workdir"
)

var carried = []string{"0011", "0012", "0013"}

// devSetup works on the environment of a new folder.
func devSetup(t *testing.T) *Setup {
	t.Helper()
	dir, err := workdir.At(filepath.Join(t.TempDir(), DevFolder))
	if err != nil {
		t.Fatal(err)
	}
	return &Setup{Dir: dir, Random: random(), Now: time.Now, Report: report.Discard{}}
}

// devRendered is an environment in a folder of its own, of which the files are written.
func devRendered(t *testing.T, o DevOptions, ports config.Ports) *Setup {
	t.Helper()
	s := devSetup(t)
	asked, err := s.devOptions(o)
	if err != nil {
		t.Fatal(err)
	}
	asked.Ports = ports
	if _, err := s.Render(asked); err != nil {
		t.Fatal(err)
	}
	return s
}

// The settings of an environment are all that each part of each release asks for, at addresses of this host.
func TestDevEnvIsComplete(t *testing.T) {
	for _, r := range release.Known() {
		t.Run(r.Version, func(t *testing.T) {
			s := devRendered(t, DevOptions{Release: r.Version, User: "anna", Known: carried}, config.Ports{Database: 15432, Broker: 15672})
			settings, err := s.DevEnv()
			if err != nil {
				t.Fatal(err)
			}
			env := map[string]string{}
			for _, setting := range settings {
				env[setting.Name] = setting.Value.Reveal()
			}
			for _, c := range []release.Component{release.Server, release.Scheduler, release.Worker, release.Migrations} {
				if missing := r.Missing(c, env); len(missing) > 0 {
					t.Errorf("the %s misses %v", c, missing)
				}
			}
			if url := env[databaseURL]; !strings.HasSuffix(url, "@127.0.0.1:15432/syncmaster") {
				t.Errorf("the database is at %s", url)
			}
			if url := env[brokerURL]; !strings.HasSuffix(url, "@127.0.0.1:15672") {
				t.Errorf("the broker is at %s", url)
			}
		})
	}
}

// An address without a port is worse than none.
func TestDevEnvWantsPorts(t *testing.T) {
	s := devRendered(t, DevOptions{User: "anna", Known: carried}, config.Ports{})
	text, _, err := s.Dir.Read(workdir.EnvFile)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Dir.WriteProject(map[string]string{workdir.EnvFile: strings.Replace(text, "BROKER_PORT=5672", "BROKER_PORT=none", 1)}); err != nil {
		t.Fatal(err)
	}
	if settings, err := s.DevEnv(); fault.CodeOf(err) != fault.BadInput || !strings.Contains(err.Error(), "BROKER_PORT") {
		t.Errorf("got %v, %v", settings, err)
	}
}

func TestDevTarget(t *testing.T) {
	recorded := workdir.State{Version: "0.2.5", Options: config.Options{Dev: true, Head: "0013"}}
	for _, tc := range []struct {
		name          string
		asked         DevOptions
		state         workdir.State
		version, head string
	}{
		{"nothing asked", DevOptions{}, workdir.State{}, release.Newest().Version, ""},
		{"nothing asked of what exists", DevOptions{}, recorded, "0.2.5", "0013"},
		{"a release", DevOptions{Release: "0.2.4"}, recorded, "0.2.4", ""},
		{"a checkout of a release", DevOptions{Checkout: &checkout.Checkout{Version: "0.3.1", Head: "0012"}}, recorded, "0.3.1", "0012"},
		{"a checkout past the newest release", DevOptions{Checkout: &checkout.Checkout{Version: "99.0.0", Head: "0013"}}, recorded, "develop", "0013"},
		{"a checkout that does not say its version", DevOptions{Checkout: &checkout.Checkout{Head: "0012"}}, recorded, "develop", "0012"},
	} {
		if version, head := devTarget(tc.asked, tc.state); version != tc.version || head != tc.head {
			t.Errorf("%s: got %s at %q", tc.name, version, head)
		}
	}
}

func TestDevRefusals(t *testing.T) {
	for name, o := range map[string]DevOptions{
		"--name":                      {Project: "Big"},
		"no known SyncMaster release": {Release: "0.2.9"},
		"the revision of SyncMaster":  {Release: "99.0.0"},
		"the checkout's head is":      {Checkout: &checkout.Checkout{Version: "0.3.2", Head: "0014"}},
	} {
		o.Known = carried
		if _, err := devSetup(t).devOptions(o); fault.CodeOf(err) != fault.BadInput || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestDevProject(t *testing.T) {
	anna := devProject("/home/anna/a", "CORP\\Anna")
	if !config.IsProjectName(anna) || !regexp.MustCompile(`^syncmaster-dev-corpanna-[0-9a-f]{8}$`).MatchString(anna) {
		t.Errorf("got %s", anna)
	}
	if again := devProject("/home/anna/a", "CORP\\Anna"); again != anna {
		t.Errorf("got %s and %s", anna, again)
	}
	for _, other := range []string{devProject("/home/anna/b", "CORP\\Anna"), devProject("/home/anna/a", "corpanna"), devProject("/home/anna/a", "日本")} {
		if other == anna || !config.IsProjectName(other) {
			t.Errorf("got %s beside %s", other, anna)
		}
	}
}

// A port that somebody has taken since stays theirs.
func TestDevPortMoves(t *testing.T) {
	w := fresh(t, config.Options{Dev: true, Version: "0.3.2", Head: "0012"})
	w.installed, w.state = true, workdir.State{Version: "0.3.2", Options: w.options}
	w.texts[workdir.EnvFile] = "DB_PORT=5440\nBROKER_PORT=5680\n"
	w.busy = map[portKey]string{{loopback, 5440}: "container other", {loopback, 5432}: "container first"}
	ports, _ := w.decidePorts()
	if ports.Database != 5433 || ports.Broker != 5680 {
		t.Errorf("got %+v", ports)
	}

	// those of an environment that is complete move before its containers start
	s := devSetup(t)
	if err := s.Dir.Prepare(); err != nil {
		t.Fatal(err)
	}
	w.state.Phase = workdir.Installed
	r := &run{Setup: s, world: w, decision: decision{input: render.Input{Ports: ports}}}
	names := func() (list []string) {
		for _, step := range r.devPlan().Steps {
			list = append(list, step.Name)
		}
		return list
	}
	if list := names(); slices.Index(list, "move ports") < 0 || slices.Index(list, "move ports") > slices.Index(list, "start db and rabbitmq") {
		t.Errorf("the steps are %v", list)
	}
	if err := r.movePorts(t.Context()); err != nil {
		t.Fatal(err)
	}
	text, _, err := s.Dir.Read(workdir.EnvFile)
	if err != nil || portsOf(text).Database != 5433 || portsOf(text).Broker != 5680 {
		t.Errorf("written is %q, %v", text, err)
	}
	r.texts[workdir.EnvFile] = text
	if slices.Contains(names(), "move ports") {
		t.Error("ports that were moved move again")
	}
}

// Another release gets its own names of the settings; what the user has changed stays where it is read.
func TestDevSwitchKeepsEdits(t *testing.T) {
	w := fresh(t, config.Options{Dev: true, Version: "0.2.5", Head: "0012"})
	d, err := w.decide(random(), w.preflight())
	if err != nil {
		t.Fatal(err)
	}
	const edited, gone = "SYNCMASTER__SCHEDULER__MISFIRE_GRACE_TIME_SECONDS", "SYNCMASTER__LOGGING__PRESET"
	old, err := envfile.Parse(d.files.AppEnv)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{edited: "7", gone: "json"} {
		if err := old.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	next := fresh(t, config.Options{Dev: true, Version: "0.3.2", Head: "0012"})
	next.last = textsOf(d.files)
	files, err := next.switched(render.Files{AppEnv: old.String()}, render.Input{Release: next.release, Options: next.options, Secrets: d.input.Secrets})
	if err != nil {
		t.Fatal(err)
	}
	got, err := envfile.Parse(files.AppEnv)
	if err != nil {
		t.Fatal(err)
	}
	if value, _ := got.Get(edited); value != "7" {
		t.Errorf("%s is %q", edited, value)
	}
	if _, has := got.Get(gone); has {
		t.Errorf("%s is still there", gone)
	}
	if names := got.Map(); names["SYNCMASTER__AUTH__COOKIE__SECRET_KEY"] == "" || names["SYNCMASTER__SERVER__SESSION__SECRET_KEY"] != "" {
		t.Errorf("the settings are not those of 0.3.2: %v", got.Keys())
	}
}

func TestDevAndInitLeaveEachOtherAlone(t *testing.T) {
	w := installed(t, config.Options{Dev: true, Version: "0.3.2", Head: "0012"})
	p := &fault.Problems{}
	if w.checkFolder(p); len(p.List) != 1 || !strings.Contains(p.Error(), "holds an install") {
		t.Errorf("got %v", p)
	}
	w = installed(t, config.Options{})
	w.state.Options.Dev = true
	p = &fault.Problems{}
	if w.checkFolder(p); len(p.List) != 1 || !strings.Contains(p.List[0].Hint, "dev up --dir /srv") {
		t.Errorf("got %v", p)
	}
}
