package setup

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"syncmaster-setup/internal/config"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/render"
	"syncmaster-setup/internal/secret"
	"syncmaster-setup/internal/stack"
	"syncmaster-setup/internal/workdir"
)

const key = "UBgPTioFrtH2unlC4XFDiGf5sYfzbdSf_VgiUSaQc94="

// fresh is an observation of a healthy host with an empty folder.
func fresh(t *testing.T, asked config.Options) world {
	t.Helper()
	w := world{dir: "/srv/install", texts: map[string]string{}, last: map[string]string{}, disk: map[string]uint64{"images": 100 * gibibyte}}
	if err := w.recall(asked); err != nil {
		t.Fatal(err)
	}
	w.host = Host{OS: "linux", Arch: "amd64", Memory: int64(16 * gibibyte), RootDir: "/var/lib/docker", Local: true}
	w.observed.Images = map[string]stack.Image{}
	for _, ref := range w.images() {
		w.observed.Images[ref] = stack.Image{OS: "linux", Architecture: "amd64"}
	}
	return w
}

// installed is an observation of a folder with a complete install.
func installed(t *testing.T, asked config.Options) world {
	t.Helper()
	w := fresh(t, config.Options{})
	d, err := w.decide(random(), w.preflight())
	if err != nil {
		t.Fatal(err)
	}
	done := fresh(t, config.Options{})
	done.installed, done.lastGen = true, 1
	done.texts, done.last = textsOf(d.files), textsOf(d.files)
	done.state = workdir.State{Phase: workdir.Installed, Version: w.release.Version, Project: w.options.Project, Generation: 1,
		Options: w.options, Database: "7"}
	done.observed.Volumes = []stack.Volume{{Name: w.options.Project + "_postgres_data"}}
	if err := done.recall(asked); err != nil {
		t.Fatal(err)
	}
	return done
}

// random is long enough for every secret, and the same in each test.
func random() *bytes.Reader { return bytes.NewReader(bytes.Repeat([]byte("0123456789abcdef"), 1000)) }

func TestRefusals(t *testing.T) {
	none := config.Options{}
	for _, tc := range []struct {
		name  string
		asked config.Options
		world func(w *world)
		want  string // the only problem's beginning
		hint  string // a part of its way out
	}{
		{"project of another folder", none, func(w *world) {
			w.observed.Containers = []stack.Container{{Service: "db", WorkingDir: "/elsewhere"}}
		}, `the project name "syncmaster" is in use by containers of the folder /elsewhere`, "--dir /elsewhere"},
		{"database without its key", none, func(w *world) {
			w.observed.Volumes = []stack.Volume{{Name: "syncmaster_postgres_data"}}
		}, "the volume syncmaster_postgres_data holds a database of an earlier install", "docker volume rm syncmaster_postgres_data"},
		{"broker without its password", none, func(w *world) {
			w.observed.Volumes = []stack.Volume{{Name: "syncmaster_rabbitmq_data"}}
		}, "the volume syncmaster_rabbitmq_data holds a broker", "--project-name"},
		{"database without its key after render", none, func(w *world) {
			w.observed.Volumes = []stack.Volume{{Name: "syncmaster_postgres_data"}}
			w.installed, w.state = true, workdir.State{Phase: workdir.Installing, Version: "0.3.2", Project: "syncmaster"}
		}, "the volume syncmaster_postgres_data holds a database", "--dir"},
		{"little memory", none, func(w *world) { w.host.Memory = 1 << 29 }, "the engine has 512.0 MiB of memory", ""},
		{"little space for images", none, func(w *world) {
			w.disk["images"] = gibibyte / 2
		}, "/var/lib/docker of the engine has 512.0 MiB free, images and data need 1.0 GiB", "docker image prune"},
		{"little space for images of known sizes", none, func(w *world) {
			delete(w.observed.Images, "postgres:17")
			delete(w.observed.Images, "rabbitmq:4.2")
			w.download, w.disk["images"] = map[string]int64{"postgres:17": 100 << 20}, 2*gibibyte-200*mebibyte
		}, "/var/lib/docker of the engine has 1.8 GiB free, images and data need 1.9 GiB", "docker image prune"},
		{"little space for files", none, func(w *world) { w.disk["folder"] = mebibyte }, "/srv/install has 1.0 MiB free", ""},
		{"read-only folder", none, func(w *world) { w.writable = errors.New("permission denied") }, "permission denied", "--dir"},
		{"image of another platform", none, func(w *world) {
			w.observed.Images["postgres:17"] = stack.Image{OS: "linux", Architecture: "arm64"}
		}, "the image postgres:17 is present, but for linux/arm64 instead of linux/amd64", "docker image rm postgres:17"},
		{"unpublished platform", config.Options{Version: "develop"}, func(w *world) { w.host.Arch = "arm64" },
			"release develop has no images for linux/arm64, only for linux/amd64", "--platform linux/amd64"},
		{"image neither present nor to be had", none, func(w *world) {
			delete(w.observed.Images, "postgres:17")
			w.unpullable = map[string]error{"postgres:17": fault.New(fault.Refused, errors.New("no such image"), "check its name")}
		}, "no such image", "check its name"},
		{"port that was asked for", config.Options{Ports: config.Ports{Server: 80}}, func(w *world) {
			w.busy = map[portKey]string{{"127.0.0.1", 80}: "nginx (process 7)"}
		}, "port 80 of the server is held by nginx (process 7)", "--server-port"},
		{"external database with credentials and no key", config.Options{DatabaseURL: secret.NewText("postgresql://h/d")}, func(w *world) {
			w.external = &externalDatabase{tokens: []string{"token"}}
		}, "the database holds stored credentials, and the key", "--set SYNCMASTER__ENCRYPTION__SECRET_KEY"},
		{"external database with another key", config.Options{
			DatabaseURL: secret.NewText("postgresql://h/d"),
			Set:         []config.Setting{{Name: fernetSetting, Value: secret.NewText(key)}},
		}, func(w *world) {
			w.external = &externalDatabase{tokens: []string{"token"}}
		}, "the encryption key does not open the credentials", "the right key"},
		{"data that is newer than the release", config.Options{Version: "0.2.4", DatabaseURL: secret.NewText("postgresql://h/d")}, func(w *world) {
			w.external = &externalDatabase{facts: DatabaseFacts{Revision: "0012"}}
		}, "the database is at revision 0012, release 0.2.4 ends at 0011", "newer --version"},
		{"compose file of somebody else", none, func(w *world) { w.texts[workdir.ComposeFile] = "services: {}" },
			"docker-compose.yml exists in /srv/install and was not written by syncmaster-setup", "empty folder"},
		{"env file with a key", none, func(w *world) { w.texts[workdir.AppEnvFile] = fernetSetting + "=" + key },
			".env.docker in /srv/install holds an encryption key", "--set " + fernetSetting},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := fresh(t, tc.asked)
			tc.world(&w)
			_, err := w.decide(random(), w.preflight())
			var p *fault.Problems
			if !errors.As(err, &p) || p.Code != fault.Refused {
				t.Fatalf("got %v", err)
			}
			if len(p.List) != 1 || !strings.HasPrefix(p.List[0].What, tc.want) || !strings.Contains(p.List[0].Hint, tc.hint) {
				t.Errorf("got %+v", p.List)
			}
			if strings.Contains(err.Error(), key) {
				t.Error("the key is in the message")
			}
		})
	}
}

func TestFindingsComeAllAtOnce(t *testing.T) {
	w := fresh(t, config.Options{Ports: config.Ports{UI: 81}})
	w.host.Memory = 1
	w.disk["images"] = 1
	w.busy = map[portKey]string{{"127.0.0.1", 81}: "x"}
	w.texts[workdir.ComposeFile] = "services: {}"
	_, err := w.decide(random(), w.preflight())
	var p *fault.Problems
	if !errors.As(err, &p) || len(p.List) != 4 {
		t.Errorf("got %v", err)
	}
}

func TestABusyDefaultPortMovesAndSaysSo(t *testing.T) {
	w := fresh(t, config.Options{Ports: config.Ports{UI: 8001}})
	w.busy = map[portKey]string{{"127.0.0.1", 8000}: "nginx (process 7)", {"127.0.0.1", 8002}: "x"}
	d, err := w.decide(random(), w.preflight())
	if err != nil {
		t.Fatal(err)
	}
	if want := (config.Ports{Server: 8003, UI: 8001, Database: 5432, Broker: 5672}); d.input.Ports != want {
		t.Errorf("got %+v, want %+v", d.input.Ports, want)
	}
	if want := "port 8000 is held by nginx (process 7): the server gets 8003"; !slices.Contains(d.notes, want) {
		t.Errorf("notes %q lack %q", d.notes, want)
	}
	if !strings.Contains(d.files.Env, "SYNCMASTER__UI__API_BROWSER_URL=http://localhost:8003\n") {
		t.Error("the UI does not know the port that the server got")
	}
}

func TestTheSameOptionsChangeNothing(t *testing.T) {
	w := installed(t, config.Options{})
	w.busy = map[portKey]string{{"127.0.0.1", 9000}: "x"}
	d, err := w.decide(bytes.NewReader(nil), w.preflight()) // no random byte is needed, so none is replaced
	if err != nil || d.writes {
		t.Errorf("writes %v, %v", d.writes, err)
	}
}

func TestLostDataIsToldBeforeAnEmptyDatabaseIsMade(t *testing.T) {
	lost := func(change func(*world)) []fault.Problem {
		w := installed(t, config.Options{})
		w.observed.Volumes = nil
		change(&w)
		return w.preflight().List
	}
	if found := lost(func(*world) {}); len(found) != 1 || !strings.HasPrefix(found[0].What, "the volume syncmaster_postgres_data is gone") ||
		!strings.Contains(found[0].Hint, "backup restore --dir FOLDER") {
		t.Errorf("%+v", found)
	}
	for name, change := range map[string]func(*world){
		"its container is there":                   func(w *world) { w.observed.Containers = []stack.Container{{Service: "db", WorkingDir: w.dir}} },
		"the override file may name another one":   func(w *world) { w.overridden = true },
		"no database has been made in it so far":   func(w *world) { w.state.Database = "" },
		"a development environment may begin anew": func(w *world) { w.options.Dev = true },
	} {
		if found := lost(change); len(found) > 0 {
			t.Errorf("%s: %+v", name, found)
		}
	}
}

func TestAnExistingSecretIsKept(t *testing.T) {
	w := installed(t, config.Options{Queues: []string{"1-etl"}, Ports: config.Ports{Server: 9000}})
	d, err := w.decide(bytes.NewReader(nil), w.preflight())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{fernetSetting, databaseURL, brokerURL, "SYNCMASTER__AUTH__COOKIE__SECRET_KEY"} {
		if got := d.setting(name); got != w.recorded(name) || got.Empty() {
			t.Errorf("%s was replaced", name)
		}
	}
	if !d.writes || !strings.Contains(d.files.Env, "SERVER_PORT=9000\n") || !strings.Contains(d.files.Env, "WORKER_QUEUES=1-etl\n") {
		t.Errorf("the options were not applied:\n%s", d.files.Env)
	}
}

// TestEditedServices goes by the queues and services that the user has written into .env, unless others are asked for.
func TestEditedServices(t *testing.T) {
	const profiles, ofFile = "COMPOSE_PROFILES=", "COMPOSE_PROFILES=server,scheduler,worker,frontend\n"
	for name, tc := range map[string]struct {
		queues, profiles           string // that the user writes
		asked                      config.Options
		wantQueues, wantProfiles   string // in .env after that
		wantServices, wantRecorded string
	}{
		"another queue":   {"1-right", "server,scheduler,worker,frontend", config.Options{}, "1-right", "server,scheduler,worker,frontend", "server,scheduler,worker,frontend", "all"},
		"no worker":       {"1-etl", "server,scheduler", config.Options{}, "1-etl", "server,scheduler", "server,scheduler", "server,scheduler"},
		"one of his own":  {"1-etl", "server,scheduler,worker,frontend,mine", config.Options{}, "1-etl", "server,scheduler,worker,frontend,mine", "server,scheduler,worker,frontend", "all"},
		"asked otherwise": {"1-right", "server,scheduler", config.Options{Queues: []string{"2-new"}, Profiles: []string{"server", "worker"}}, "2-new", "server,worker", "server,worker", "server,worker"},
		"nothing":         {"1-etl", "", config.Options{}, "1-etl", "", "server,scheduler,worker,frontend", "all"},
	} {
		w := installed(t, config.Options{Queues: []string{"1-etl"}})
		d, err := w.decide(random(), w.preflight())
		if err != nil {
			t.Fatal(err)
		}
		w.state.Options = w.options
		w.last = textsOf(d.files)
		env := strings.Replace(d.files.Env, "WORKER_QUEUES=1-etl\n", "WORKER_QUEUES="+tc.queues+"\n", 1)
		w.texts = textsOf(render.Files{Compose: d.files.Compose, Env: strings.Replace(env, ofFile, profiles+tc.profiles+"\n", 1), AppEnv: d.files.AppEnv})
		if err := w.recall(tc.asked); err != nil {
			t.Fatal(err)
		}
		if d, err = w.decide(random(), w.preflight()); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(d.files.Env, "WORKER_QUEUES="+tc.wantQueues+"\n") || !strings.Contains(d.files.Env, profiles+tc.wantProfiles+"\n") {
			t.Errorf("%s:\n%s", name, d.files.Env)
		}
		services, recorded := strings.Join(w.options.Services(), ","), strings.Join(w.options.Profiles, ",")
		if got := strings.Join(w.options.Queues, ","); got != tc.wantQueues || services != tc.wantServices || recorded != tc.wantRecorded {
			t.Errorf("%s: queues %s, services %s, profiles %s", name, got, services, recorded)
		}
	}
}

func TestAKilledRunsSecretsAreUsedAgain(t *testing.T) {
	killed := installed(t, config.Options{})
	w := fresh(t, config.Options{Queues: []string{"1-etl"}})
	w.last, w.lastGen = killed.last, 1 // the generation was kept, neither state nor files
	d, err := w.decide(bytes.NewReader(nil), w.preflight())
	if err != nil {
		t.Fatal(err)
	}
	if d.setting(fernetSetting) != killed.recorded(fernetSetting) {
		t.Error("the key was replaced")
	}
	if !strings.Contains(d.files.Env, "WORKER_QUEUES=1-etl\n") {
		t.Error("the options of this run were not used")
	}
}

func TestPlanNamesWhatRuns(t *testing.T) {
	w := fresh(t, config.Options{Queues: []string{"1-etl"}})
	delete(w.observed.Images, "rabbitmq:4.2")
	d, err := w.decide(random(), w.preflight())
	if err != nil {
		t.Fatal(err)
	}
	want := strings.TrimLeft(`
 1  write files                        settings, keys and the Compose file in /srv/install
 2  pull 1 image                       rabbitmq:4.2
 3  start db and rabbitmq              SyncMaster keeps its data and its queues there
 4  create the other containers        server, scheduler, worker, frontend
 5  migrate the database               to revision 0012 of release 0.3.2
 6  check the encryption key           it must open the credentials that are stored
 7  start server, scheduler, frontend  they need the database only
 8  wait for the broker                transfers are sent through it
 9  start worker                       it serves 1-etl
10  wait until all are healthy         each is asked in its own protocol
11  record the install                 as complete
`, "\n")
	r := &run{world: w, decision: d}
	if got := r.plan().String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestAStoppedServiceStaysStopped(t *testing.T) {
	w := installed(t, config.Options{})
	w.observed.Containers = []stack.Container{{Service: "scheduler", State: "exited", WorkingDir: w.dir}}
	d, err := w.decide(random(), w.preflight())
	if err != nil {
		t.Fatal(err)
	}
	r := &run{world: w, decision: d}
	if got := r.plan().String(); strings.Contains(got, "scheduler") {
		t.Errorf("the plan starts what an operator has stopped:\n%s", got)
	}
}

func TestASecretOfAnEarlierRunIsRedacted(t *testing.T) {
	w := installed(t, config.Options{Set: []config.Setting{{Name: "SYNCMASTER__HWM_STORE__PASSWORD", Value: secret.NewText("marker-hwm")}}})
	d, err := w.decide(random(), w.preflight())
	if err != nil {
		t.Fatal(err)
	}
	w.options.Set, d.input.Options.Set = nil, nil // what a later run knows
	r := &run{world: w, decision: d}
	text := "password marker-hwm, key " + d.setting(fernetSetting).Reveal() + ", url " + d.setting(databaseURL).Reveal()
	if got, want := r.redact(text), "password ****, key ****, url ****"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAPortOfAContainerThatIsBeingStartedIsOurs(t *testing.T) {
	for _, tc := range []struct {
		state, holder string
		ours          bool
	}{
		{"created", "docker-proxy (process 7)", true}, {"running", "", true},
		{"exited", "docker-proxy (process 7)", false}, {"created", "nginx (process 7)", false},
	} {
		w := installed(t, config.Options{})
		w.observed.Containers = []stack.Container{{Service: "server", State: tc.state, HostPorts: []uint16{8000}}}
		if got := w.beingStarted(8000, tc.holder); got != tc.ours {
			t.Errorf("%s, held by %q: %v", tc.state, tc.holder, got)
		}
		if w.beingStarted(8001, "") {
			t.Error("another port is ours")
		}
	}
}

func TestOverlap(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want bool
	}{{"127.0.0.1", "127.0.0.1", true}, {"0.0.0.0", "127.0.0.1", true}, {"127.0.0.1", "10.0.0.1", false}, {"::", "127.0.0.1", true}, {"", "10.0.0.1", true}} {
		if got := overlap(tc.a, tc.b); got != tc.want {
			t.Errorf("%s and %s: %v", tc.a, tc.b, got)
		}
	}
}
