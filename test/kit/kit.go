// Package kit builds the images that tests and the demo run on, where none can be pulled: PostgreSQL, RabbitMQ and a
// registry from Debian's packages, and strict stand-ins for SyncMaster's four images. Every image is tagged under
// [Prefix], so nothing of the user's is overwritten.
package kit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/moby/moby/client"
)

const (
	// Prefix is the registry name of every kit image, as in `syncmaster-setup --registry`.
	Prefix = "syncmaster-kit.localhost"
	// Label carries the hash of what an image was built from.
	Label = "syncmaster-setup.kit"
)

const (
	// Majors is a group that Build makes only where it is named: PostgreSQL's other majors, beside one another.
	Majors = "majors"
	// MajorsImage is its image, without the prefix. PATH chooses the major: /usr/lib/postgresql/N/bin comes first.
	MajorsImage = "postgres-majors:latest"
)

// Groups are the sets of images that Build makes, unless it is limited to some of them.
var Groups = []string{"postgres", "rabbitmq", "registry", "syncmaster"}

// Build makes the images of the named groups, or of all Groups, unless they exist and their inputs are unchanged.
// It says on log what it does. Builds of several processes wait for one another. The first build needs Debian's
// package mirror, root or an existing cache for debootstrap, and the go command.
func Build(ctx context.Context, log io.Writer, only ...string) error {
	for _, name := range only {
		if known := append(slices.Clone(Groups), Majors); !slices.Contains(known, name) {
			return fmt.Errorf("unknown group %q of kit images, known are %s", name, strings.Join(known, ", "))
		}
	}
	b, err := newBuilder(log)
	if err != nil {
		return err
	}
	defer b.close()
	unlock, err := b.lock(ctx)
	if err != nil {
		return err
	}
	return errors.Join(b.build(ctx, only), unlock())
}

// Image is one tag of the kit as the engine lists it.
type Image struct {
	Tag  string
	ID   string
	Size int64 // bytes
	Hash string
}

// List returns the kit's images that the engine has, sorted by tag.
func List(ctx context.Context) ([]Image, error) {
	api, err := client.New(client.FromEnv)
	if err != nil {
		return nil, fmt.Errorf("connecting to the engine: %w", err)
	}
	defer func() { _ = api.Close() }() // idle connections only
	return list(ctx, api)
}

func list(ctx context.Context, api *client.Client) ([]Image, error) {
	found, err := api.ImageList(ctx, client.ImageListOptions{Filters: make(client.Filters).Add("label", Label)})
	if err != nil {
		return nil, fmt.Errorf("listing the images of the kit: %w", err)
	}
	var images []Image
	for _, item := range found.Items {
		for _, tag := range item.RepoTags {
			if strings.HasPrefix(tag, Prefix+"/") {
				images = append(images, Image{Tag: tag, ID: item.ID, Size: item.Size, Hash: item.Labels[Label]})
			}
		}
	}
	slices.SortFunc(images, func(a, b Image) int { return strings.Compare(a.Tag, b.Tag) })
	return images, nil
}
