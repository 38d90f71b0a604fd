package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/build"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/client"

	"syncmaster-setup/internal/fault"
)

// ErrNoBuildKit is of an engine that does not name what it has built, as only BuildKit does.
var ErrNoBuildKit = errors.New("no BuildKit")

// BuildOptions of [Engine.Build].
type BuildOptions struct {
	Labels   map[string]string
	Hidden   string            // path of a folder that is not sent to the engine, whatever .dockerignore says
	Progress func(step string) // is told each step that begins; may be nil
}

// Build builds an image with the engine's own BuildKit, as `docker build` does, and returns its ID; it gets no name. The
// build may use base images that the engine holds or that need no login. said is what a step that failed has written.
func (e *Engine) Build(ctx context.Context, section types.BuildConfig, o BuildOptions) (id, said string, err error) {
	doing := "building " + filepath.Join(section.Context, section.Dockerfile)
	reader, writer := io.Pipe()
	packed := make(chan error, 1)
	go func() {
		err := pack(writer, section.Context, section.Dockerfile, o.Hidden)
		_ = writer.CloseWithError(err) // always nil
		packed <- err
	}()
	seen := newTrace(o.Progress)
	err = e.build(ctx, reader, section, o.Labels, seen)
	_ = reader.Close() // always nil; ends the packing of a context that is no longer wanted
	switch cause := <-packed; {
	case ctx.Err() != nil:
		return "", "", fmt.Errorf("%s: %w", doing, context.Cause(ctx))
	case cause != nil && !errors.Is(cause, io.ErrClosedPipe):
		return "", "", fault.New(fault.Failed, fmt.Errorf("%s: %w", doing, cause), "name what the build does not need in .dockerignore")
	case err != nil:
		return "", seen.output(), buildError(err, doing)
	}
	return seen.image, "", nil
}

func (e *Engine) build(ctx context.Context, source io.Reader, section types.BuildConfig, labels map[string]string, seen *trace) error {
	options, err := e.buildOptions(section, labels)
	if err != nil {
		return err
	}
	response, err := e.api.ImageBuild(ctx, source, options)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // read only: what was read decides
	for lines := json.NewDecoder(response.Body); ; {
		var message jsonstream.Message
		if err := lines.Decode(&message); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("reading the progress: %w", err)
		}
		if message.Error != nil {
			return &failedStep{step: seen.steps[seen.failed], err: message.Error}
		}
		if err := seen.message(message); err != nil {
			return err
		}
	}
	if seen.image == "" {
		return &kindError{ErrNoBuildKit, errors.New("the engine does not name the image that it has built: it has no BuildKit")}
	}
	return nil
}

func (e *Engine) buildOptions(section types.BuildConfig, labels map[string]string) (client.ImageBuildOptions, error) {
	options := client.ImageBuildOptions{
		Version: build.BuilderBuildKit, Remove: true,
		Dockerfile: filepath.ToSlash(section.Dockerfile), Target: section.Target,
		// the proxies of the docker client's config.json are arguments of every build
		BuildArgs: e.config.ParseProxyConfig(e.api.DaemonHost(), maps.Clone(section.Args)), // which adds to its argument
		Labels:    map[string]string{}, NetworkMode: section.Network, ShmSize: int64(section.ShmSize),
		ExtraHosts: section.ExtraHosts.AsList(":"), CacheFrom: section.CacheFrom, NoCache: section.NoCache, PullParent: section.Pull,
	}
	maps.Copy(options.Labels, section.Labels)
	maps.Copy(options.Labels, labels)
	for _, name := range section.Platforms {
		platform, err := parsePlatform(name)
		if err != nil {
			return options, fault.New(fault.BadInput, fmt.Errorf("reading platform %q: %w", name, err), "")
		}
		options.Platforms = append(options.Platforms, platform)
	}
	return options, nil
}

// Tag gives an image a name, and takes it away from the image that had it.
func (e *Engine) Tag(ctx context.Context, imageID, ref string) error {
	_, err := e.api.ImageTag(ctx, client.ImageTagOptions{Source: imageID, Target: ref})
	return daemonError(err, "naming the image %s", ref)
}

// RemoveUnused removes images that have no name and no container. One that is gone, named or in use is left alone.
func (e *Engine) RemoveUnused(ctx context.Context, imageIDs []string) error {
	var errs []error
	for _, id := range imageIDs {
		seen, err := e.api.ImageInspect(ctx, id)
		if err == nil && len(seen.RepoTags) == 0 {
			_, err = e.api.ImageRemove(ctx, id, client.ImageRemoveOptions{PruneChildren: true})
		}
		if err != nil && !missing(err) && !errdefs.IsConflict(err) {
			errs = append(errs, daemonError(err, "removing the image %s", short(strings.TrimPrefix(id, "sha256:"))))
		}
	}
	return errors.Join(errs...)
}

// buildError adds what to do about a failure that is not the Dockerfile's own.
func buildError(err error, doing string) error {
	if errors.Is(err, ErrNoBuildKit) {
		return fault.New(fault.Failed, fmt.Errorf("%s: %w", doing, err), "build with Docker Engine 20.10 or later, for Linux containers")
	}
	var failed *failedStep
	if errors.As(err, &failed) && failed.needsRegistry() {
		return fault.New(fault.Failed, fmt.Errorf("%s: %w", doing, err),
			"the Docker Engine gets this image from its registry: check its network and proxy, or get the image with docker pull, which knows your logins")
	}
	return daemonError(err, "%s", doing)
}
