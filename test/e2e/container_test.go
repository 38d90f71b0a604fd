package e2e_test

import (
	"context"
	"crypto/rand"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"syncmaster-setup/test/kit"
)

// runContainer starts what createContainer makes.
func runContainer(t *testing.T, image string, hostPort, port int, env ...string) string {
	t.Helper()
	name := createContainer(t, image, hostPort, port, env...)
	if _, err := docker.ContainerStart(t.Context(), name, client.ContainerStartOptions{}); err != nil {
		t.Fatal(err)
	}
	return name
}

// createContainer makes a container of an image of the kit outside of any stack, with a port of it published on
// 127.0.0.1 unless hostPort is 0, and returns its name.
func createContainer(t *testing.T, image string, hostPort, port int, env ...string) string {
	t.Helper()
	name := "sme2e-" + strings.ToLower(rand.Text()[:8])
	inside := network.MustParsePort(strconv.Itoa(port) + "/tcp")
	host := &container.HostConfig{}
	if hostPort != 0 {
		host.PortBindings = network.PortMap{inside: {{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: strconv.Itoa(hostPort)}}}
	}
	_, err := docker.ContainerCreate(t.Context(), client.ContainerCreateOptions{
		Name:       name,
		Config:     &container.Config{Image: kit.Prefix + "/" + image, Env: env, ExposedPorts: network.PortSet{inside: {}}},
		HostConfig: host,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		options := client.ContainerRemoveOptions{Force: true, RemoveVolumes: true}
		if _, err := docker.ContainerRemove(context.Background(), name, options); err != nil && !errdefs.IsNotFound(err) {
			t.Error(err)
		}
	})
	return name
}

// addressesOf returns the addresses of a container and of the host on Docker's default network.
func addressesOf(t *testing.T, name string) (container, host string) {
	t.Helper()
	seen, err := docker.ContainerInspect(t.Context(), name, client.ContainerInspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range seen.Container.NetworkSettings.Networks {
		if n.IPAddress.IsValid() && n.Gateway.IsValid() {
			return n.IPAddress.String(), n.Gateway.String()
		}
	}
	t.Fatalf("%s has no address", name)
	return "", ""
}
