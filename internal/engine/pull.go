package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/moby/moby/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"syncmaster-setup/internal/fault"
)

const (
	// pullLimit is how many images are pulled at the same time; the engine itself loads three layers of each.
	pullLimit = 3
	// pullTries is how often a pull is begun: once and two more times after network trouble. Complete layers are kept.
	pullTries = 3
	// retryPause is the wait before the second try; the third waits twice as long.
	retryPause = time.Second
)

// Pull downloads images through the engine, several at a time, with the credentials of the docker client's
// configuration, and checks that each one is for the platform ("linux/amd64"; empty for the engine's own). progress may
// be nil; its calls come one after another. After network trouble an image is tried twice more. The first image that
// cannot be had ends the others.
//
// Fails as [Engine.CheckPull] does, and with [ErrNoSpace].
func (e *Engine) Pull(ctx context.Context, refs []string, platform string, progress func(PullProgress)) error {
	var platforms []ocispec.Platform
	if platform != "" {
		p, err := parsePlatform(platform)
		if err != nil {
			return fault.New(fault.BadInput, fmt.Errorf("reading platform %q: %w", platform, err), "")
		}
		platforms = []ocispec.Platform{p}
	}
	meter := newMeter(progress)
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(pullLimit)
	for _, ref := range refs {
		group.Go(func() error {
			if err := e.pullPatiently(groupCtx, ref, platforms, meter); err != nil {
				return err
			}
			if err := e.checkPlatform(groupCtx, ref, platform); err != nil {
				return err
			}
			meter.done(ref)
			return nil
		})
	}
	return group.Wait()
}

func (e *Engine) pullPatiently(ctx context.Context, ref string, platforms []ocispec.Platform, meter *meter) error {
	pause := retryPause
	for try := 1; ; try++ {
		err := e.pullOnce(ctx, ref, platforms, meter)
		if err == nil || try == pullTries || ctx.Err() != nil || !errors.Is(err, ErrRegistryUnreachable) {
			return err
		}
		meter.phase(ref, PhaseRetrying)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
		pause *= 2
	}
}

func (e *Engine) pullOnce(ctx context.Context, ref string, platforms []ocispec.Platform, meter *meter) error {
	auth, err := e.registryAuth(ref)
	if err != nil {
		return err
	}
	meter.phase(ref, PhaseWaiting)
	response, err := e.api.ImagePull(ctx, ref, client.ImagePullOptions{RegistryAuth: auth, Platforms: platforms})
	if err != nil {
		return registryError(err, "pulling image %s", ref)
	}
	for message, err := range response.JSONMessages(ctx) {
		if err != nil {
			return registryError(err, "pulling image %s", ref)
		}
		if message.Error != nil {
			return registryError(message.Error, "pulling image %s", ref)
		}
		meter.message(ref, message)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("pulling image %s: %w", ref, context.Cause(ctx))
	}
	return nil
}

func (e *Engine) checkPlatform(ctx context.Context, ref, platform string) error {
	image, err := e.image(ctx, ref)
	if err != nil {
		return err
	}
	have := platformName(image.OS, image.Architecture)
	if platform == "" || samePlatform(have, platform) {
		return nil
	}
	return wrongPlatform(ref, platform, have)
}
