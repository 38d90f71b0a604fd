package engine_test

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"syncmaster-setup/internal/engine"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/probe"
)

const twoServices = `
services:
  db:
    image: ` + testImage + `
    environment: {GREETING: hello}
    volumes: [data:/data]
  server:
    image: ` + testImage + `
    environment: {GREETING: $NAME}
    depends_on:
      db: {condition: service_healthy, required: false}
volumes:
  data:
  unused:
`

func TestCreateStartAndCreateAgain(t *testing.T) {
	t.Parallel()
	e := connect(t)
	p := project(t, e, twoServices)
	must(t, e.Create(t.Context(), p, engine.CreateOptions{}))
	created := ids(t, e, p.Name)
	if len(created) != 2 {
		t.Fatalf("created %v, want db and server", created)
	}
	for service := range created {
		if c, err := e.Inspect(t.Context(), p.Name, service); err != nil || c.State != "created" {
			t.Errorf("%s after Create: %+v, %v, want state created", service, c, err)
		}
	}
	must(t, e.Start(t.Context(), p))
	before, err := e.Inspect(t.Context(), p.Name, "server")
	must(t, err)
	if before.State != "running" || before.StartedAt.IsZero() || before.ConfigHash == "" {
		t.Errorf("server after Start: %+v", before)
	}
	must(t, e.Create(t.Context(), p, engine.CreateOptions{}))
	must(t, e.Start(t.Context(), p))
	if again := ids(t, e, p.Name); !maps.Equal(created, again) {
		t.Errorf("the second Create changed %v to %v", created, again)
	}
	after, err := e.Inspect(t.Context(), p.Name, "server")
	must(t, err)
	if !after.StartedAt.Equal(before.StartedAt) {
		t.Error("the second Start restarted the server")
	}
	seen, err := e.Observe(t.Context(), p.Name, []string{testImage, "smeng.localhost/absent:1"})
	must(t, err)
	if len(seen.Volumes) != 1 || seen.Volumes[0].Name != p.Name+"_data" || seen.Volumes[0].Project != p.Name {
		t.Errorf("volumes %+v, want the used one only", seen.Volumes)
	}
	if len(seen.Networks) != 1 || seen.Networks[0] != p.Name+"_default" {
		t.Errorf("networks %v", seen.Networks)
	}
	if image, ok := seen.Images[testImage]; !ok || image.OS != "linux" || image.Bytes == 0 || len(seen.Images) != 1 {
		t.Errorf("images %+v", seen.Images)
	}
	if c, ok := seen.Container("db"); !ok || c.WorkingDir != p.WorkingDir || c.ImageID != seen.Images[testImage].ID {
		t.Errorf("container of db: %+v", c)
	}
}

func TestCreateKeepsTheDependencyLabel(t *testing.T) {
	t.Parallel()
	e := connect(t)
	p := project(t, e, twoServices)
	must(t, e.Create(t.Context(), p, engine.CreateOptions{Services: []string{"server"}}))
	inspected, err := engineAPI.ContainerInspect(t.Context(), ids(t, e, p.Name)["server"], client.ContainerInspectOptions{})
	must(t, err)
	labels := inspected.Container.Config.Labels
	if got := labels["com.docker.compose.depends_on"]; got != "db:service_healthy:false" {
		t.Errorf("depends_on label %q", got)
	}
	if got := labels["com.docker.compose.version"]; got != "5.6.0" {
		t.Errorf("version label %q", got)
	}
}

func TestCreateReplacesOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	e, p := running(t, twoServices)
	before := ids(t, e, p.Name)
	changed := reload(t, p.WorkingDir, p.Name, strings.ReplaceAll(twoServices, "$NAME", "changed"))

	must(t, e.Create(t.Context(), changed, engine.CreateOptions{Services: []string{"db"}}))
	if got := ids(t, e, p.Name); !maps.Equal(got, before) {
		t.Errorf("Create of db changed %v to %v", before, got)
	}
	must(t, e.Create(t.Context(), changed, engine.CreateOptions{Services: []string{"server"}}))
	after := ids(t, e, p.Name)
	if after["db"] != before["db"] || after["server"] == before["server"] {
		t.Errorf("Create of server changed %v to %v", before, after)
	}
	if c, err := e.Inspect(t.Context(), p.Name, "server"); err != nil || c.State != "created" {
		t.Errorf("server after its replacement: %+v, %v", c, err)
	}
	must(t, e.Create(t.Context(), changed, engine.CreateOptions{Services: []string{"db"}, Force: true}))
	if forced := ids(t, e, p.Name); forced["db"] == before["db"] || forced["server"] != after["server"] {
		t.Errorf("forced Create of db changed %v to %v", after, forced)
	}
}

func TestMovingTheFolderReplacesNothing(t *testing.T) {
	t.Parallel()
	e := connect(t)
	compose := strings.Replace(twoServices, "environment: {GREETING: hello}", "env_file: [.env.docker]", 1)
	first, second := t.TempDir(), t.TempDir()
	for _, dir := range []string{first, second} {
		write(t, filepath.Join(dir, ".env.docker"), "GREETING=from the file\n")
	}
	name := "smeng-moving"
	t.Cleanup(func() { removeProject(t, e, name) })
	must(t, e.Create(t.Context(), reload(t, first, name, compose), engine.CreateOptions{}))
	before := ids(t, e, name)
	must(t, e.Create(t.Context(), reload(t, second, name, compose), engine.CreateOptions{}))
	if after := ids(t, e, name); !maps.Equal(before, after) {
		t.Errorf("moving the folder changed %v to %v", before, after)
	}
}

func TestChangedVolumeIsNeverRecreated(t *testing.T) {
	t.Parallel()
	e := connect(t)
	p := project(t, e, twoServices)
	must(t, e.Create(t.Context(), p, engine.CreateOptions{}))
	before, err := engineAPI.VolumeInspect(t.Context(), p.Name+"_data", client.VolumeInspectOptions{})
	must(t, err)
	changed := reload(t, p.WorkingDir, p.Name, strings.Replace(twoServices, "  data:\n", "  data: {labels: {a: b}}\n", 1))
	err = e.Create(t.Context(), changed, engine.CreateOptions{})
	if !errors.Is(err, engine.ErrDataLoss) || fault.CodeOf(err) != fault.Refused || fault.HintOf(err) == "" {
		t.Errorf("Create with a changed volume: %v, want a refusal with a hint", err)
	}
	after, err := engineAPI.VolumeInspect(t.Context(), p.Name+"_data", client.VolumeInspectOptions{})
	must(t, err)
	if after.Volume.CreatedAt != before.Volume.CreatedAt || after.Volume.Labels["a"] != "" {
		t.Errorf("the volume was recreated: %+v", after.Volume)
	}
}

func TestMissingImagesAreAllNamedAndNothingIsCreated(t *testing.T) {
	e := connect(t)
	p := project(t, e, `
services:
  a: {image: "smeng.localhost/absent:1"}
  b: {image: "smeng.localhost/absent:2", build: .}
  c: {image: "`+testImage+`"}
`)
	err := e.Create(t.Context(), p, engine.CreateOptions{})
	if !errors.Is(err, engine.ErrNoImage) || fault.HintOf(err) == "" ||
		!strings.Contains(err.Error(), "absent:1") || !strings.Contains(err.Error(), "absent:2") {
		t.Errorf("error %v, want both missing images named", err)
	}
	if got := ids(t, e, p.Name); len(got) != 0 {
		t.Errorf("created %v", got)
	}
}

func TestBusyPort(t *testing.T) {
	t.Parallel()
	e := connect(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = listener.Close() }()
	address := listener.Addr().String()
	p := project(t, e, `
services:
  first: {image: "`+testImage+`", ports: ["`+address+`:80"]}
`)
	must(t, e.Create(t.Context(), p, engine.CreateOptions{}))
	err = e.Start(t.Context(), p, "first")
	if !errors.Is(err, engine.ErrPortInUse) || fault.HintOf(err) == "" || !strings.Contains(err.Error(), address+" is in use") {
		t.Errorf("port of a process: %v", err)
	}
	must(t, listener.Close())
	must(t, e.Start(t.Context(), p, "first"))
	seen, err := e.Observe(t.Context(), "smeng-nothing", nil)
	must(t, err)
	found := false
	for _, port := range seen.Ports {
		if port.Project == p.Name {
			found = port.Address == "127.0.0.1" && net.JoinHostPort(port.Address, strconv.Itoa(int(port.Number))) == address && strings.Contains(port.Container, "first")
		}
	}
	if !found {
		t.Errorf("ports %+v, want %s of %s", seen.Ports, address, p.Name)
	}

	second := reload(t, p.WorkingDir, p.Name, `
services:
  second: {image: "`+testImage+`", ports: ["`+address+`:80"]}
`)
	must(t, e.Create(t.Context(), second, engine.CreateOptions{}))
	if err := e.Start(t.Context(), second, "second"); !errors.Is(err, engine.ErrPortInUse) {
		t.Errorf("port of a container: %v", err)
	}
}

// TestStartsTogether looks from a proxy in front of the engine at how many starts are under way at the same time. The
// SDK's own start never has more than one.
func TestStartsTogether(t *testing.T) {
	var mu sync.Mutex
	var now, most int
	count := func(by int) {
		mu.Lock()
		defer mu.Unlock()
		now += by
		most = max(most, now)
	}
	e := connectThrough(t, func(w http.ResponseWriter, r *http.Request, engine http.Handler) {
		if strings.HasSuffix(r.URL.Path, "/start") {
			count(1)
			defer count(-1)
		}
		engine.ServeHTTP(w, r)
	})
	p := project(t, connect(t), `
services:
  a: &service {image: "`+testImage+`", depends_on: {b: {condition: service_healthy}}}
  b: {image: "`+testImage+`"}
  c: *service
`)
	must(t, e.Create(t.Context(), p, engine.CreateOptions{}))
	must(t, e.Start(t.Context(), p))
	if most != 3 {
		t.Errorf("%d starts at the same time, want 3", most)
	}
	for service := range ids(t, e, p.Name) {
		if c, err := e.Inspect(t.Context(), p.Name, service); err != nil || c.State != "running" {
			t.Errorf("%s: %+v, %v", service, c, err)
		}
	}
}

// connectThrough connects to the engine by a proxy, which hands on what it does not answer itself.
func connectThrough(t *testing.T, handle func(w http.ResponseWriter, r *http.Request, engine http.Handler)) *engine.Engine {
	t.Helper()
	socket := strings.TrimPrefix(engineAPI.DaemonHost(), "unix://")
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", "engine" },
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		}},
	}
	host := serveUnix(t, t.TempDir(), "proxy", func(w http.ResponseWriter, r *http.Request) { handle(w, r, proxy) })
	e, err := engine.New(t.Context(), engine.Options{Host: host})
	must(t, err)
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// TestContainerThatIsListedTooEarly has the engine say twice that it does not know a container which it has listed.
func TestContainerThatIsListedTooEarly(t *testing.T) {
	var early atomic.Int32
	e := connectThrough(t, func(w http.ResponseWriter, r *http.Request, engine http.Handler) {
		if (strings.HasSuffix(r.URL.Path, "/start") || strings.HasSuffix(r.URL.Path, "/stop")) && early.Add(-1) >= 0 {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"message": "No such container: 059b7b44282c"}`))
			return
		}
		engine.ServeHTTP(w, r)
	})
	p := project(t, connect(t), "services: {a: {image: '"+testImage+"'}}")
	must(t, e.Create(t.Context(), p, engine.CreateOptions{}))
	for state, do := range map[string]func() error{
		"running": func() error { return e.Start(t.Context(), p) },
		"exited":  func() error { return e.Stop(t.Context(), p, []string{"a"}, 0) },
	} {
		if state == "exited" {
			must(t, e.Start(t.Context(), p))
		}
		early.Store(2)
		must(t, do())
		if c, err := e.Inspect(t.Context(), p.Name, "a"); err != nil || c.State != state || early.Load() > 0 {
			t.Errorf("it is %+v, want %s; %v", c, state, err)
		}
	}
}

func TestSecretsOfTheEnvironmentArrive(t *testing.T) {
	t.Setenv("SMENG_SECRET", "from the environment")
	e := connect(t)
	p := project(t, e, `
services:
  reader:
    image: "`+testImage+`"
    command: [cat, /run/secrets/word]
    secrets: [word]
secrets:
  word: {environment: SMENG_SECRET}
`)
	exit, err := e.RunOneOff(t.Context(), p, "reader")
	must(t, err)
	if exit.Code != 0 || exit.Tail != "from the environment" {
		t.Errorf("%+v", exit)
	}
}

func TestStopAndRemove(t *testing.T) {
	t.Parallel()
	e, p := running(t, twoServices)
	hearsSignals(t, e, p.Name, "server")
	must(t, e.Stop(t.Context(), p, []string{"server"}, 5*time.Second))
	if c, err := e.Inspect(t.Context(), p.Name, "server"); err != nil || c.State != "exited" || c.ExitCode != 0 {
		t.Errorf("server after Stop: %+v, %v", c, err)
	}
	if c, err := e.Inspect(t.Context(), p.Name, "db"); err != nil || c.State != "running" {
		t.Errorf("db after Stop of server: %+v, %v", c, err)
	}
	if err := e.Stop(t.Context(), p, []string{"nobody"}, 0); err == nil {
		t.Error("Stop of an unknown service passed")
	}
	must(t, e.Stop(t.Context(), p, nil, 0))
	if c, err := e.Inspect(t.Context(), p.Name, "db"); err != nil || c.State != "exited" {
		t.Errorf("db after Stop of all: %+v, %v", c, err)
	}
	must(t, e.Remove(t.Context(), p.Name))
	must(t, e.Remove(t.Context(), p.Name))
	seen, err := e.Observe(t.Context(), p.Name, nil)
	must(t, err)
	if len(seen.Containers)+len(seen.Networks) != 0 || len(seen.Volumes) != 1 {
		t.Errorf("after Remove: %+v, want the volume only", seen)
	}
	if _, err := e.Inspect(t.Context(), p.Name, "db"); !errors.Is(err, engine.ErrNoContainer) {
		t.Errorf("Inspect after Remove: %v", err)
	}
	if err := e.Start(t.Context(), p, "db"); !errors.Is(err, engine.ErrNoContainer) {
		t.Errorf("Start after Remove: %v", err)
	}
}

// hearsSignals waits until the program of a service has said that it serves: before that, a signal ends it.
func hearsSignals(t *testing.T, e *engine.Engine, project, service string) {
	t.Helper()
	served, err := e.Inspect(t.Context(), project, service)
	must(t, err)
	must(t, probe.Wait(t.Context(), probe.Options{What: "the program to hear signals", Limit: 30 * time.Second}, func(ctx context.Context) error {
		said, err := e.Logs(ctx, served.ID, 1)
		if err == nil && !strings.Contains(said, "serving") {
			err = errors.New("it has said nothing yet")
		}
		return err
	}))
}

func TestEnd(t *testing.T) {
	t.Parallel()
	e, p := running(t, twoServices)
	hearsSignals(t, e, p.Name, "server")
	inspected, err := engineAPI.ContainerInspect(t.Context(), ids(t, e, p.Name)["server"], client.ContainerInspectOptions{})
	must(t, err)
	program := inspected.Container.State.Pid
	if err := syscall.Kill(program, 0); err != nil {
		t.Fatalf("looking at process %d of the server: %v", program, err)
	}
	rest, err := e.End(t.Context(), p, "server")
	must(t, err)
	if err := syscall.Kill(program, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d after End: %v, want none", program, err)
	}
	others, err := e.Containers(t.Context(), p.Name, "server")
	must(t, err)
	if len(others) != 1 || others[0].Service != "db" || others[0].State != "running" {
		t.Errorf("containers without the server: %+v, want db, running", others)
	}
	must(t, rest())
	for range 2 { // the second time nothing runs any more
		if c, err := e.Inspect(t.Context(), p.Name, "server"); err != nil || c.State != "exited" || c.ExitCode != 0 {
			t.Errorf("server after its end: %+v, %v", c, err)
		}
		rest, err := e.End(t.Context(), p, "server")
		must(t, err)
		must(t, rest())
	}
	if _, err := e.End(t.Context(), p, "nobody"); err == nil {
		t.Error("End of an unknown service passed")
	}
}

func TestObserveFindsAVolumeByName(t *testing.T) {
	e := connect(t)
	const name = "smeng-byname"
	for volume, label := range map[string]string{name + "_postgres_data": "", name + "_b_postgres_data": name + "_b", "smeng-other_data": ""} {
		options := client.VolumeCreateOptions{Name: volume}
		if label != "" {
			options.Labels = map[string]string{"com.docker.compose.project": label}
		}
		_, err := engineAPI.VolumeCreate(t.Context(), options)
		must(t, err)
		defer func() {
			_, err := engineAPI.VolumeRemove(t.Context(), volume, client.VolumeRemoveOptions{})
			must(t, err)
		}()
	}
	seen, err := e.Observe(t.Context(), name, nil)
	must(t, err)
	if len(seen.Volumes) != 1 || seen.Volumes[0].Name != name+"_postgres_data" || seen.Volumes[0].Project != "" {
		t.Errorf("volumes %+v", seen.Volumes)
	}
}
