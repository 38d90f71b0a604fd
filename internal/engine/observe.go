package engine

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/docker/compose/v5/pkg/api"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"golang.org/x/sync/errgroup"

	"syncmaster-setup/internal/stack"
)

// inspectLimit is how many objects are inspected at the same time.
const inspectLimit = 8

// Observe takes one snapshot of what the engine holds of a project, and of those images that are present. Containers
// are found by Compose's labels, never by name; volumes and networks also by the name "<project>_…" where they carry no
// label, unless they are another project's by both label and name.
func (e *Engine) Observe(ctx context.Context, project string, images []string) (stack.Observed, error) {
	var seen stack.Observed
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) { seen.Containers, err = e.Containers(groupCtx, project); return err })
	group.Go(func() (err error) { seen.Volumes, err = e.volumes(groupCtx, project); return err })
	group.Go(func() (err error) { seen.Networks, err = e.networks(groupCtx, project); return err })
	group.Go(func() (err error) { seen.Images, err = e.images(groupCtx, images); return err })
	group.Go(func() (err error) { seen.Ports, err = e.ports(groupCtx); return err })
	if err := group.Wait(); err != nil {
		return stack.Observed{}, err
	}
	return seen, nil
}

// Containers returns the containers of a project, but not those of some services: a container that the engine is at work
// on cannot be looked at until that is done.
func (e *Engine) Containers(ctx context.Context, project string, except ...string) ([]stack.Container, error) {
	summaries, err := e.list(ctx, project, "")
	if err != nil {
		return nil, err
	}
	summaries = slices.DeleteFunc(summaries, func(c container.Summary) bool {
		return slices.Contains(except, c.Labels[api.ServiceLabel])
	})
	found := make([]*stack.Container, len(summaries))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(inspectLimit)
	for i, summary := range summaries {
		group.Go(func() error {
			inspected, err := e.api.ContainerInspect(groupCtx, summary.ID, client.ContainerInspectOptions{})
			if missing(err) {
				return nil // removed since it was listed
			}
			if err != nil {
				return daemonError(err, "inspecting the container of service %s", summary.Labels[api.ServiceLabel])
			}
			c := e.seen(groupCtx, inspected.Container)
			found[i] = &c
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var containers []stack.Container
	for _, c := range found {
		if c != nil {
			containers = append(containers, *c)
		}
	}
	slices.SortFunc(containers, func(a, b stack.Container) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.ID, b.ID))
	})
	return containers, nil
}

// list returns the containers of a project, or of one of its services, by labels: a crash of Compose can leave any name
// (compose-sdk.md, pitfall 8), and hook runners carry the labels but no hash (pitfall 9).
func (e *Engine) list(ctx context.Context, project, service string) ([]container.Summary, error) {
	labels := []string{api.ProjectLabel + "=" + project, api.OneoffLabel + "=False", api.ConfigHashLabel}
	if service != "" {
		labels = append(labels, api.ServiceLabel+"="+service)
	}
	result, err := e.api.ContainerList(ctx, client.ContainerListOptions{
		All:     true,
		Filters: make(client.Filters).Add("label", labels...),
	})
	if err != nil {
		return nil, daemonError(err, "listing the containers of project %s", project)
	}
	return result.Items, nil
}

func (e *Engine) volumes(ctx context.Context, project string) ([]stack.Volume, error) {
	result, err := e.api.VolumeList(ctx, client.VolumeListOptions{})
	if err != nil {
		return nil, daemonError(err, "listing volumes")
	}
	var volumes []stack.Volume
	for _, v := range result.Items {
		owner := v.Labels[api.ProjectLabel]
		if belongs(project, owner, v.Name) {
			volumes = append(volumes, stack.Volume{Name: v.Name, Project: owner, Path: v.Mountpoint})
		}
	}
	slices.SortFunc(volumes, func(a, b stack.Volume) int { return cmp.Compare(a.Name, b.Name) })
	return volumes, nil
}

func (e *Engine) networks(ctx context.Context, project string) ([]string, error) {
	result, err := e.api.NetworkList(ctx, client.NetworkListOptions{})
	if err != nil {
		return nil, daemonError(err, "listing networks")
	}
	var networks []string
	for _, n := range result.Items {
		if belongs(project, n.Labels[api.ProjectLabel], n.Name) {
			networks = append(networks, n.Name)
		}
	}
	slices.Sort(networks)
	return networks, nil
}

// belongs reports whether a volume or network is a project's by its label or by the name that Compose would give it.
// A name such as "a_b_data" fits the projects "a" and "a_b"; the label then decides.
func belongs(project, owner, name string) bool {
	if owner == project {
		return true
	}
	if owner != "" && strings.HasPrefix(name, owner+"_") {
		return false
	}
	return strings.HasPrefix(name, project+"_")
}

func (e *Engine) images(ctx context.Context, refs []string) (map[string]stack.Image, error) {
	images := make(map[string]stack.Image)
	var mu sync.Mutex
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(inspectLimit)
	for _, ref := range refs {
		group.Go(func() error {
			image, err := e.image(groupCtx, ref)
			if missing(err) {
				return nil
			}
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			images[ref] = image
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return images, nil
}

func (e *Engine) image(ctx context.Context, ref string) (stack.Image, error) {
	found, err := e.api.ImageInspect(ctx, ref)
	if err != nil {
		return stack.Image{}, daemonError(err, "inspecting image %s", ref)
	}
	return stack.Image{
		ID:           found.ID,
		RepoDigests:  found.RepoDigests,
		OS:           found.Os,
		Architecture: found.Architecture,
		Bytes:        found.Size,
	}, nil
}

// ports lists the TCP ports that running containers publish. A stopped container holds none.
func (e *Engine) ports(ctx context.Context) ([]stack.Port, error) {
	result, err := e.api.ContainerList(ctx, client.ContainerListOptions{})
	if err != nil {
		return nil, daemonError(err, "listing running containers")
	}
	ports := make(map[stack.Port]bool)
	for _, c := range result.Items {
		for _, p := range c.Ports {
			if p.PublicPort == 0 || p.Type != "tcp" {
				continue
			}
			ports[stack.Port{
				Address:   p.IP.String(),
				Number:    p.PublicPort,
				Inside:    p.PrivatePort,
				Container: name(c.Names),
				Project:   c.Labels[api.ProjectLabel],
			}] = true
		}
	}
	return slices.SortedFunc(maps.Keys(ports), func(a, b stack.Port) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Address, b.Address))
	}), nil
}

func name(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return strings.TrimPrefix(names[0], "/")
}
