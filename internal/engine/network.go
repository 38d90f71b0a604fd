package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/compose/v5/pkg/api"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
)

// withoutTwins does something with a project's networks, and once more after removing twins where the engine finds two
// of one name. A run that was killed while it made a network leaves such a pair: the engine completes its request after
// the next run has looked for the network and made it too.
func (e *Engine) withoutTwins(ctx context.Context, project string, do func() error) error {
	err := settled(ctx, do)
	if err == nil || !strings.Contains(err.Error(), "is ambiguous") { // Engine 20.10 to 29; it has no code of its own
		return err
	}
	if removeErr := e.removeTwins(ctx, project); removeErr != nil {
		return errors.Join(err, removeErr)
	}
	return settled(ctx, do)
}

// removeTwins leaves one of the networks of each name that Compose made for the project: the one that containers are
// connected to, otherwise the oldest. A network in use is never removed: the engine refuses.
func (e *Engine) removeTwins(ctx context.Context, project string) error {
	filters := client.Filters{}.Add("label", api.ProjectLabel+"="+project)
	result, err := e.api.NetworkList(ctx, client.NetworkListOptions{Filters: filters})
	if err != nil {
		return daemonError(err, "listing the networks of project %s", project)
	}
	twins := map[string][]network.Inspect{}
	for _, n := range result.Items {
		seen, err := e.api.NetworkInspect(ctx, n.ID, client.NetworkInspectOptions{})
		if err != nil {
			return daemonError(err, "looking at network %s", n.Name)
		}
		twins[n.Name] = append(twins[n.Name], seen.Network)
	}
	for name, list := range twins {
		slices.SortFunc(list, func(a, b network.Inspect) int {
			return cmp.Or(cmp.Compare(len(b.Containers), len(a.Containers)), a.Created.Compare(b.Created))
		})
		for _, twin := range list[1:] {
			_, err := e.api.NetworkRemove(ctx, twin.ID, client.NetworkRemoveOptions{})
			if err != nil && !errdefs.IsNotFound(err) {
				return daemonError(err, "removing the second network %s", name)
			}
		}
	}
	return nil
}
