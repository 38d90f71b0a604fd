package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"syncmaster-setup/test/kit"
)

// wholeStack are the services of a stack that has no queue to serve.
var wholeStack = []string{"db", "frontend", "rabbitmq", "scheduler", "server"}

// newSource returns an environment whose checkout can be built: its images are the kit's of a release, with something of
// the checkout in them. The Dockerfiles need BuildKit, and are not where SyncMaster has them.
func newSource(t *testing.T, version, release, head string) *environment {
	t.Helper()
	e := newEnvironment(t, head)
	e.checkOut(version, head)
	e.file("docker-compose.yml", `
services:
  server:
    image: mtsrus/syncmaster-server:${VERSION:-develop}
    build: {dockerfile: build/server.Dockerfile, context: ., target: prod, args: {BASE: "${BASE:-`+kit.Prefix+`/mtsrus/syncmaster-server:`+release+`}"}}
    env_file: .env.docker
    profiles: [server]
  scheduler:
    build: {dockerfile: Dockerfile, context: scheduler}
    profiles: [scheduler]
  worker:
    build: {dockerfile: build/worker.Dockerfile, context: .}
    profiles: [worker]
`)
	e.file(".dockerignore", "*.log\n!keep.log\n")
	e.file("drop.log", "x")
	e.file("keep.log", "x")
	e.file("build/server.Dockerfile", "ARG BASE\nFROM $BASE AS base\nFROM base AS prod\nCOPY --chmod=755 . /checkout/\nFROM prod AS test\nCOPY nothing /\n")
	e.file("scheduler/Dockerfile", "FROM "+kit.Prefix+"/mtsrus/syncmaster-scheduler:"+release+"\nCOPY --chmod=755 code.py /checkout/\n")
	e.file("scheduler/code.py", t.Name())
	e.file("build/worker.Dockerfile", "FROM "+kit.Prefix+"/mtsrus/syncmaster-worker:"+release+"\nCOPY --chmod=755 keep.log /checkout/\n")
	t.Cleanup(e.removeBuilt)
	return e
}

func (e *environment) file(name, content string) {
	e.t.Helper()
	write(e.t, filepath.Join(e.checkout, name), content)
}

// upWhole runs `dev up`, with the checkout's images where it is built, and looks at the whole stack.
func (e *environment) upWhole(services []string, args ...string) devUp {
	e.t.Helper()
	up := e.up(append([]string{"up"}, args...)...)
	address, err := url.Parse(up.API)
	if err != nil {
		e.t.Fatal(err)
	}
	if e.ports.server, err = strconv.Atoi(address.Port()); err != nil {
		e.t.Fatalf("the API is at %q: %v", up.API, err)
	}
	e.mustBeHealthy(services...)
	if got := e.query("SELECT version_num FROM alembic_version"); got != up.Revision {
		e.t.Errorf("the database is at %s, the result says %s", got, up.Revision)
	}
	return up
}

// built returns the IDs of the images that are named after the project, by service.
func (e *environment) built() map[string]string {
	e.t.Helper()
	ids := map[string]string{}
	for _, service := range []string{"server", "scheduler", "worker"} {
		seen, err := docker.ImageInspect(e.t.Context(), e.project+"-"+service+":dev")
		if err == nil {
			ids[service] = seen.ID
		} else if !errdefs.IsNotFound(err) {
			e.t.Fatal(err)
		}
	}
	return ids
}

func (e *environment) removeBuilt() {
	e.removeAll() // or what runs keeps its image, without a name
	for _, service := range []string{"server", "scheduler", "worker"} {
		_, err := docker.ImageRemove(context.Background(), e.project+"-"+service+":dev", client.ImageRemoveOptions{Force: true})
		if e.project != "" && err != nil && !errdefs.IsNotFound(err) {
			e.t.Error(err)
		}
	}
}

// has reports whether the container of a service has a file.
func (e *environment) has(service, path string) bool {
	e.t.Helper()
	copied, err := docker.CopyFromContainer(e.t.Context(), e.container(service).ID, client.CopyFromContainerOptions{SourcePath: path})
	if errdefs.IsNotFound(err) {
		return false
	}
	if err != nil {
		e.t.Fatal(err)
	}
	defer func() { _ = copied.Content.Close() }() // read only
	if _, err := io.Copy(io.Discard, copied.Content); err != nil {
		e.t.Fatal(err)
	}
	return true
}

// TestDevSource goes through a day of somebody who changes SyncMaster and looks at all of it.
func TestDevSource(t *testing.T) {
	e := newSource(t, "0.3.2", "0.3.2", "0012")
	e.up("up", "--checkout", ".") // first only what the code of the checkout runs against
	got := e.dev("up", "--source", ".", "--registry", kit.Prefix).is(t, 0).says(t, "build the image of server", "build the image of scheduler", "The worker has no queue", "--queue SLUG")
	if strings.Contains(got.said(), "image of worker") {
		t.Error("the image of a worker that does not run was built")
	}
	up := e.upWhole(wholeStack, "--source", ".")
	if up.Changed || up.Version != "0.3.2" || up.Revision != "0012" || !up.NoWorker || up.UI == "" {
		t.Errorf("the same again gives %+v", up)
	}
	for path, want := range map[string]bool{
		"/checkout/syncmaster/VERSION": true, "/checkout/keep.log": true, "/checkout/drop.log": false, "/checkout/.syncmaster-setup-dev": false,
	} {
		if e.has("server", path) != want {
			t.Errorf("the image has %s: %v", path, !want)
		}
	}
	for service, c := range e.containers() {
		for port, bindings := range c.HostConfig.PortBindings {
			for _, b := range bindings {
				if !b.HostIP.IsLoopback() {
					t.Errorf("port %s of %s is published on %s", port, service, b.HostIP)
				}
			}
		}
	}
	e.env()
	e.query(plantRow)

	before := e.identities()
	e.compose("up", "--detach").is(t, 0)
	mustEqual(t, before, e.identities())

	images := e.built()
	e.file("syncmaster/edited.py", "x")
	if edited := e.upWhole(wholeStack, "--source", "."); !edited.Changed {
		t.Error("after an edit nothing has changed")
	}
	now := e.identities()
	for service, id := range before {
		if replaced := now[service] != id; replaced != (service == "server") {
			t.Errorf("%s was replaced: %v, from %s to %s", service, replaced, id, now[service])
		}
	}
	if !e.has("server", "/checkout/syncmaster/edited.py") {
		t.Error("the server does not have the edited file")
	}
	if _, err := docker.ImageInspect(t.Context(), images["server"]); !errdefs.IsNotFound(err) {
		t.Errorf("the image that was replaced is still there: %v", err)
	}

	e.upWhole(all, "--source", ".", "--queue", "1-etl")
	images = e.built()
	e.dev("down").is(t, 0).says(t, e.project+"-server-1")
	if left := e.containers(); len(left) != 0 {
		t.Errorf("dev down has left %v", left)
	}
	mustEqual(t, images, e.built())
	e.upWhole(all) // builds nothing
	mustEqual(t, images, e.built())
	if got := e.query(countRows); got != "1" {
		t.Errorf("after down and up there are %s rows", got)
	}

	e.mustBeAt("0012", e.up("up", "--checkout", "."))
	e.dev("down", "--volumes").is(t, 0)
	e.upWhole(all, "--source", ".")
	if got := e.query(countRows); got != "0" {
		t.Errorf("a fresh database has %s rows", got)
	}
	e.removeBuiltBy("worker")
	e.dev("up").is(t, 4).says(t, e.project+"-worker:dev", "is not there", "dev up --source "+e.checkout)
}

// removeBuiltBy takes a service with its image away, as a cleaning of the host does.
func (e *environment) removeBuiltBy(service string) {
	e.t.Helper()
	if _, err := docker.ContainerRemove(e.t.Context(), e.container(service).ID, client.ContainerRemoveOptions{Force: true}); err != nil {
		e.t.Fatal(err)
	}
	if _, err := docker.ImageRemove(e.t.Context(), e.project+"-"+service+":dev", client.ImageRemoveOptions{Force: true}); err != nil {
		e.t.Fatal(err)
	}
}

// TestDevSourceFails has checkouts that cannot be built, or not be run. What runs stays as it is.
func TestDevSourceFails(t *testing.T) {
	e := newSource(t, "0.3.2", "0.3.2", "0012")
	services := []string{"db", "rabbitmq", "scheduler", "server"}
	e.upWhole(services, "--source", ".", "--profile", "server,scheduler")
	e.query(plantRow)
	before, images := e.identities(), e.built()
	unchanged := func() {
		t.Helper()
		mustEqual(t, before, e.identities())
		mustEqual(t, images, e.built())
		if got := e.query(countRows); got != "1" {
			t.Fatalf("there are %s rows", got)
		}
	}

	scheduler, err := os.ReadFile(filepath.Join(e.checkout, "scheduler/Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	e.file("syncmaster/edited.py", "x") // the server's image is built, and must not be used
	e.file("scheduler/Dockerfile", string(scheduler)+`RUN ["python", "-m", "syncmaster.nothing"]`+"\n")
	e.dev("up", "--source", ".").is(t, 1).says(t, "build the image of scheduler", `RUN ["python", "-m", "syncmaster.nothing"]`, "its last lines:\n    ", "mend it, then type: syncmaster-setup dev up --source "+e.checkout)
	unchanged()
	e.file("scheduler/Dockerfile", string(scheduler)+"RUMP x\n")
	e.dev("up", "--source", ".").is(t, 1).says(t, "unknown instruction: RUMP", "mend it, then type")
	unchanged()
	if err := os.Remove(filepath.Join(e.checkout, "scheduler/Dockerfile")); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"up"}, {"reset", "--yes"}} {
		e.dev(append(args, "--source", ".")...).is(t, 3).says(t, "the Dockerfile of scheduler is missing: "+filepath.Join(e.checkout, "scheduler/Dockerfile"), "Nothing was changed")
		unchanged()
	}
	e.dev("up", "--source", ".", "--profile", "all", "--queue", "big").is(t, 3).says(t, "is not a slug")
	e.dev("up", "--checkout", ".", "--queue", "1-etl").is(t, 3).says(t, "add --source")

	e.file("scheduler/Dockerfile", string(scheduler))
	e.checkOut("0.3.2", "0010") // before minutes go into images
	got := e.dev("up", "--source", ".").is(t, 4).says(t, "apscheduler_jobs", "syncmaster-setup dev reset")
	if strings.Contains(got.said(), "build the image") {
		t.Error("images were built for a way that is refused")
	}
	unchanged()
	e.checkOut("0.3.2", "0012")
	e.upWhole(services, "--source", ".")
	if !e.has("server", "/checkout/syncmaster/edited.py") {
		t.Error("the server is not that of the checkout")
	}
	if up := e.up("reset", "--yes", "--source", "."); up.Revision != "0012" {
		t.Errorf("got %+v", up)
	}
	e.mustBeHealthy(services...)
	if got := e.query(countRows); got != "0" {
		t.Errorf("a fresh database has %s rows", got)
	}
}

// TestDevSourceAhead has a checkout whose head this program does not carry: its own image migrates. The stand-in of the
// newest release ends at 0013, whatever the files of the checkout say.
func TestDevSourceAhead(t *testing.T) {
	e := newSource(t, "99.0.0", "0.4.0", "0014")
	e.dev("up", "--checkout", ".").is(t, 3).says(t, "this program carries 0001 to 0013", "--source")
	e.dev("up", "--source", ".", "--registry", kit.Prefix).is(t, 0).says(t, "revision 0014 is none that this program carries", "revision 0013, for SyncMaster develop")
	e.upWhole(wholeStack, "--source", ".")
	before := e.identities()
	e.query("UPDATE alembic_version SET version_num = '0014'") // where the checkout's real image would have come to
	if up := e.upWhole(wholeStack, "--source", "."); up.Revision != "0014" || up.Changed {
		t.Errorf("the same again gives %+v", up)
	}
	e.query("UPDATE alembic_version SET version_num = '0015'") // of another branch
	e.dev("up", "--source", ".").is(t, 1).says(t, "Can't locate revision identified by '0015'", "dev reset")
	e.query("UPDATE alembic_version SET version_num = '0014'")
	e.upWhole(wholeStack)
	for _, service := range []string{"db", "rabbitmq", "frontend"} {
		if e.identities()[service] != before[service] {
			t.Errorf("%s was replaced", service)
		}
	}
}

// TestDevSourceSideBySide builds two checkouts on one host.
func TestDevSourceSideBySide(t *testing.T) {
	one, two := newSource(t, "0.3.2", "0.3.2", "0012"), newSource(t, "0.2.4", "0.2.4", "0011")
	services := []string{"db", "rabbitmq", "server"}
	one.upWhole(services, "--source", ".", "--profile", "server")
	before, images := one.identities(), one.built()
	up := two.upWhole(services, "--source", two.checkout, "--profile", "server")
	if up.Version != "0.2.4" || up.Revision != "0011" || two.ports.server == one.ports.server {
		t.Errorf("got %+v beside port %d", up, one.ports.server)
	}
	two.dev("down", "--volumes").is(t, 0)
	mustEqual(t, before, one.identities())
	mustEqual(t, images, one.built())
	two.dev("up", "--source", ".", "--name", "a___b", "--dir", t.TempDir()).is(t, 3).says(t, fmt.Sprintf("--name %q", "a___b"))
}
