package engine_test

import (
	"testing"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"syncmaster-setup/internal/engine"
)

// A run that was killed while it made the network leaves two of one name, on engines that allow it.
func TestStartGetsOverTwoNetworksOfOneName(t *testing.T) {
	t.Parallel()
	e, docker := connect(t), engineAPI
	p := project(t, e, twoServices)
	must(t, e.Create(t.Context(), p, engine.CreateOptions{}))
	name := p.Name + "_default"
	twin, err := docker.NetworkCreate(t.Context(), name, client.NetworkCreateOptions{
		Labels: map[string]string{"com.docker.compose.project": p.Name, "com.docker.compose.network": "default"},
	})
	if errdefs.IsConflict(err) {
		return // this engine refuses a second network of one name, so there is nothing to get over
	}
	must(t, err)
	t.Cleanup(func() { _, _ = docker.NetworkRemove(t.Context(), twin.ID, client.NetworkRemoveOptions{}) })

	must(t, e.Start(t.Context(), p))
	must(t, e.Create(t.Context(), p, engine.CreateOptions{}))
	networks, err := docker.NetworkList(t.Context(), client.NetworkListOptions{Filters: client.Filters{}.Add("name", name)})
	must(t, err)
	if len(networks.Items) != 1 {
		t.Errorf("%d networks of one name are left", len(networks.Items))
	}
	for _, service := range []string{"db", "server"} {
		if c, err := e.Inspect(t.Context(), p.Name, service); err != nil || c.State != "running" {
			t.Errorf("%s is %s, %v", service, c.State, err)
		}
	}
}
