package engine

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/compose/v5/pkg/api"
	"github.com/docker/compose/v5/pkg/compose"
	"github.com/moby/moby/client"

	"syncmaster-setup/internal/stack"
)

// partialDiskUsage is the first API version that can be asked for the size of volumes alone. Older ones would also
// count every image and container, which takes many seconds.
const partialDiskUsage = "1.42"

// Hashes returns, by service, the hash that [Engine.Create] would put into the container's label: where a container has
// another one, it would be replaced.
func (e *Engine) Hashes(project *types.Project) (map[string]string, error) {
	hashes := map[string]string{}
	for name, service := range project.Services {
		// The SDK moves this function in v5.7.0; it is pinned with the labels that it has to agree with.
		hash, err := compose.ServiceHash(service)
		if err != nil {
			return nil, fmt.Errorf("hashing service %s: %w", name, err)
		}
		hashes[name] = hash
	}
	return hashes, nil
}

// VolumeBytes returns what volumes take on the disk. A volume that can neither be read from here nor be asked for
// quickly is left out.
func (e *Engine) VolumeBytes(ctx context.Context, names []string) (map[string]int64, error) {
	result, err := e.api.VolumeList(ctx, client.VolumeListOptions{})
	if err != nil {
		return nil, daemonError(err, "listing volumes")
	}
	sizes := map[string]int64{}
	for _, v := range result.Items {
		if !slices.Contains(names, v.Name) {
			continue
		}
		if size, err := folderBytes(ctx, v.Mountpoint); err == nil {
			sizes[v.Name] = size
		}
	}
	if len(sizes) == len(names) || olderAPI(e.api.ClientVersion(), partialDiskUsage) {
		return sizes, nil
	}
	usage, err := e.api.DiskUsage(ctx, client.DiskUsageOptions{Volumes: true, Verbose: true})
	if err != nil {
		return sizes, daemonError(err, "asking for the size of the volumes")
	}
	for _, v := range usage.Volumes.Items {
		if slices.Contains(names, v.Name) && v.UsageData != nil && v.UsageData.Size >= 0 {
			sizes[v.Name] = v.UsageData.Size
		}
	}
	return sizes, nil
}

// folderBytes adds up the files below a folder. Those that vanish meanwhile, as a database's do, count nothing.
func folderBytes(ctx context.Context, root string) (int64, error) {
	var sum int64
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && path == root:
			return err
		case err != nil || !entry.Type().IsRegular():
			return nil
		}
		if info, err := entry.Info(); err == nil {
			sum += info.Size()
		}
		return nil
	})
	return sum, err
}

// Peers lists the running containers that carry a project's label, one-off containers included, and those of anybody
// that share a network with it.
func (e *Engine) Peers(ctx context.Context, project string) ([]stack.Peer, error) {
	networks, err := e.networks(ctx, project)
	if err != nil {
		return nil, err
	}
	result, err := e.api.ContainerList(ctx, client.ContainerListOptions{})
	if err != nil {
		return nil, daemonError(err, "listing running containers")
	}
	var peers []stack.Peer
	for _, c := range result.Items {
		shares := c.Labels[api.ProjectLabel] == project
		if c.NetworkSettings != nil {
			for name := range c.NetworkSettings.Networks {
				shares = shares || slices.Contains(networks, name)
			}
		}
		if shares {
			peers = append(peers, stack.Peer{
				Name: name(c.Names), Project: c.Labels[api.ProjectLabel], Service: c.Labels[api.ServiceLabel], Image: c.Image,
			})
		}
	}
	return peers, nil
}
