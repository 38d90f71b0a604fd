package e2e_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"strings"
	"testing"

	"github.com/moby/moby/client"

	"syncmaster-setup/test/kit"
)

// payload is the size in bytes of the layer that no engine has yet.
const payload = 4 << 20

// TestPull gets the images of a stack from a real registry, and refuses one that has gone.
func TestPull(t *testing.T) {
	t.Parallel()
	path := "sme2e-" + strings.ToLower(rand.Text()[:8])
	images := []string{path + "/postgres:17", path + "/rabbitmq:4.2", path + "/mtsrus/syncmaster-server:0.3.2"}
	registry, stop := newRegistry(t, images)
	s := newStack(t)
	options := []string{"--registry", registry, "--profile", "server", "--output", "json"}
	t.Cleanup(func() { removeImages(t, images, registry) })
	got := s.init(options...).is(t, 0)
	s.mustBeHealthy("db", "rabbitmq", "server")
	var last event
	for _, e := range got.events(t) {
		if e.Event == "progress" && e.OfBytes > 0 {
			if e.Bytes < last.Bytes || e.Bytes > e.OfBytes {
				t.Errorf("%d of %d bytes are reported as pulled after %d", e.Bytes, e.OfBytes, last.Bytes)
			}
			last = e
		}
	}
	if last.OfBytes < payload || last.Bytes != last.OfBytes {
		t.Errorf("the pull ended at %d of %d bytes", last.Bytes, last.OfBytes)
	}
	for service, c := range s.containers() {
		if !strings.HasPrefix(c.Config.Image, registry+"/") {
			t.Errorf("%s runs %s, which is not of the registry", service, c.Config.Image)
		}
	}
	other := newStack(t)
	other.mustRefuse(refused, []string{"--registry", registry, "--version", "0.2.0", "--profile", "server"}, "mtsrus/syncmaster-server:0.2.0", "check the version")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	s.init(options...).is(t, 0) // all images are present: nobody asks the registry
	other.mustRefuse(refused, []string{"--registry", registry, "--version", "0.3.1", "--profile", "server"}, "connection refused", "--registry")
}

// newRegistry returns a registry, with a path, that holds images of the kit under names of the test. The server's has a
// layer that the engine does not have any more.
func newRegistry(t *testing.T, images []string) (registry string, stop func() error) {
	t.Helper()
	for _, image := range images {
		path, name, _ := strings.Cut(image, "/")
		if strings.Contains(name, "server") {
			commit(t, name, kit.Prefix+"/"+image)
		} else if _, err := docker.ImageTag(t.Context(), client.ImageTagOptions{Source: kit.Prefix + "/" + name, Target: kit.Prefix + "/" + image}); err != nil {
			t.Fatal(err)
		}
		registry = path
	}
	address, stop, err := kit.Registry(t.Context(), images...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stop() }) // as a rule stopped already
	removeImages(t, images, kit.Prefix)
	return address + "/" + registry, stop
}

// commit adds a layer of bytes that no image has to an image of the kit.
func commit(t *testing.T, image, target string) {
	t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	noise := make([]byte, payload)
	_, _ = rand.Read(noise) // it never fails
	if err := w.WriteHeader(&tar.Header{Name: "noise", Mode: 0o644, Size: payload}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(noise); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	name := createContainer(t, image, 0, 8000)
	if _, err := docker.CopyToContainer(t.Context(), name, client.CopyToContainerOptions{DestinationPath: "/", Content: &archive}); err != nil {
		t.Fatal(err)
	}
	if _, err := docker.ContainerCommit(t.Context(), name, client.ContainerCommitOptions{Reference: target}); err != nil {
		t.Fatal(err)
	}
	if _, err := docker.ContainerRemove(t.Context(), name, client.ContainerRemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
}

// removeImages removes the images below a registry; what was never pulled is missing, and that is fine.
func removeImages(t *testing.T, images []string, registry string) {
	t.Helper()
	for _, image := range images {
		if registry != kit.Prefix {
			_, image, _ = strings.Cut(image, "/")
		}
		_, _ = docker.ImageRemove(context.WithoutCancel(t.Context()), registry+"/"+image, client.ImageRemoveOptions{Force: true, PruneChildren: true}) // see above
	}
}
