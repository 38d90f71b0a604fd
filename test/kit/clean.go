package kit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/moby/moby/client"
)

// Clean removes the kit's registries, images and cache. Images that other containers use stay and are reported.
func Clean(ctx context.Context, log io.Writer) error {
	b, err := newBuilder(log)
	if err != nil {
		return err
	}
	defer b.close()
	unlock, err := b.lock(ctx)
	if err != nil {
		return err
	}
	err = errors.Join(b.removeContainers(ctx), b.removeImages(ctx), unlock())
	if removeErr := os.RemoveAll(b.cache); removeErr != nil {
		err = errors.Join(err, fmt.Errorf("removing the kit's cache: %w", removeErr))
	}
	return err
}

func (b *builder) removeContainers(ctx context.Context) error {
	found, err := b.api.ContainerList(ctx, client.ContainerListOptions{
		All: true, Filters: make(client.Filters).Add("label", Label+"=registry"),
	})
	if err != nil {
		return fmt.Errorf("listing the kit's containers: %w", err)
	}
	for _, c := range found.Items {
		err = errors.Join(err, removeContainer(ctx, b.api, c.ID))
	}
	return err
}

func (b *builder) removeImages(ctx context.Context) error {
	images, err := list(ctx, b.api)
	if err != nil {
		return err
	}
	for _, i := range images {
		b.say("removing %s", i.Tag)
		if _, removeErr := b.api.ImageRemove(ctx, i.Tag, client.ImageRemoveOptions{PruneChildren: true}); removeErr != nil {
			err = errors.Join(err, fmt.Errorf("removing %s: %w", i.Tag, removeErr))
		}
	}
	return err
}
