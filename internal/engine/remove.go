package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/docker/compose/v5/pkg/api"
	"github.com/moby/moby/client"

	"syncmaster-setup/internal/fault"
)

// belongings are what the engine holds of a project, by Compose's labels. A name alone makes nothing a project's here.
type belongings struct {
	containers, networks, volumes []string // names
}

// RemoveProject stops and removes the containers and networks that carry a project's label, and with volumes its data,
// for which nothing is stopped gently. It returns the names of what is gone. Containers that were made from another
// folder than dir forbid all of it: the project is somebody else's.
func (e *Engine) RemoveProject(ctx context.Context, project, dir string, volumes bool) ([]string, error) {
	before, err := e.belongings(ctx, project, dir)
	if err != nil {
		return nil, err
	}
	options := api.DownOptions{RemoveOrphans: true, Volumes: volumes}
	if volumes {
		options.Timeout = new(time.Duration)
	}
	if err := settled(ctx, func() error { return e.compose.Down(ctx, project, options) }); err != nil {
		return nil, daemonError(err, "removing project %s", project)
	}
	after, err := e.belongings(ctx, project, dir)
	if err != nil {
		return nil, err
	}
	if volumes && len(after.volumes) > 0 { // the SDK only warns
		return nil, fault.New(fault.Failed, fmt.Errorf("removing the volume %s: it is still there", after.volumes[0]),
			"see who uses it: docker ps --all --filter volume="+after.volumes[0])
	}
	left := after.all()
	return slices.DeleteFunc(before.all(), func(name string) bool { return slices.Contains(left, name) }), nil
}

func (b belongings) all() []string { return slices.Concat(b.containers, b.networks, b.volumes) }

// belongings lists what a project of a folder has in the engine, and refuses where it is a project of another one.
func (e *Engine) belongings(ctx context.Context, project, dir string) (belongings, error) {
	filters := client.Filters{}.Add("label", api.ProjectLabel+"="+project)
	var found belongings
	containers, err := e.api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filters})
	if err != nil {
		return found, daemonError(err, "listing the containers of project %s", project)
	}
	for _, c := range containers.Items {
		if owner := c.Labels[api.WorkingDirLabel]; owner != dir {
			return found, fault.New(fault.Refused, fmt.Errorf("the container %s of project %s belongs to the folder %q, not to %s", name(c.Names), project, owner, dir),
				"look at: docker compose ls --all")
		}
		found.containers = append(found.containers, name(c.Names))
	}
	networks, err := e.api.NetworkList(ctx, client.NetworkListOptions{Filters: filters})
	if err != nil {
		return found, daemonError(err, "listing the networks of project %s", project)
	}
	for _, n := range networks.Items {
		found.networks = append(found.networks, n.Name)
	}
	volumes, err := e.api.VolumeList(ctx, client.VolumeListOptions{Filters: filters})
	if err != nil {
		return found, daemonError(err, "listing the volumes of project %s", project)
	}
	for _, v := range volumes.Items {
		found.volumes = append(found.volumes, v.Name)
	}
	return found, nil
}
