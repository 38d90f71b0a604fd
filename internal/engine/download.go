package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// downloadLimit bounds the questions about all images together: nothing waits longer for a number that only informs.
const downloadLimit = 5 * time.Second

// DownloadBytes returns, by reference, what a pull downloads at most: layers that the engine has already count as well,
// since it does not tell which. digests are those of [Engine.CheckPull], by reference. No engine passes sizes on, so the
// registries are asked from this machine; what they do not answer within five seconds is left out.
func (e *Engine) DownloadBytes(ctx context.Context, digests map[string]string, platform string) map[string]int64 {
	wanted, err := parsePlatform(platform)
	if err != nil || len(digests) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, downloadLimit)
	defer cancel()
	way := e.wayToRegistries(ctx)
	defer way.close()
	sizes := map[string]int64{}
	var mu sync.Mutex
	var group sync.WaitGroup
	for ref, content := range digests {
		group.Go(func() {
			size, err := e.downloadBytes(ctx, way, ref, content, platforms.Only(wanted))
			if err != nil {
				return // it stays unknown
			}
			mu.Lock()
			defer mu.Unlock()
			sizes[ref] = size
		})
	}
	group.Wait()
	return sizes
}

func (e *Engine) downloadBytes(ctx context.Context, way http.RoundTripper, ref, content string, platform platforms.MatchComparer) (int64, error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return 0, fmt.Errorf("reading reference %s: %w", ref, err)
	}
	pinned, err := reference.WithDigest(reference.TrimNamed(named), digest.Digest(content))
	if err != nil {
		return 0, fmt.Errorf("reading the digest of %s: %w", ref, err)
	}
	registry, err := e.registry(way, ref)
	if err != nil {
		return 0, err
	}
	_, target, err := registry.Resolve(ctx, pinned.String())
	if err != nil {
		return 0, fmt.Errorf("finding %s: %w", pinned, err)
	}
	fetcher, err := registry.Fetcher(ctx, pinned.String())
	if err != nil {
		return 0, fmt.Errorf("finding %s: %w", pinned, err)
	}
	m, err := fetchManifest(ctx, fetcher, target)
	if err == nil && images.IsIndexType(target.MediaType) {
		if target, err = m.of(platform); err == nil {
			m, err = fetchManifest(ctx, fetcher, target)
		}
	}
	if err != nil {
		return 0, fmt.Errorf("reading the manifest of %s: %w", pinned, err)
	}
	return m.bytes()
}

// manifest is one of an image, or an index of such.
type manifest struct {
	Manifests []ocispec.Descriptor `json:"manifests"`
	Config    ocispec.Descriptor   `json:"config"`
	Layers    []ocispec.Descriptor `json:"layers"`
}

func fetchManifest(ctx context.Context, fetcher remotes.Fetcher, d ocispec.Descriptor) (m manifest, err error) {
	if err := d.Digest.Validate(); err != nil {
		return m, err
	}
	// without the addresses that an index may name: only the registry itself is asked
	body, err := fetcher.Fetch(ctx, ocispec.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size})
	if err != nil {
		return m, err
	}
	defer func() { _ = body.Close() }() // it was only read
	content, err := io.ReadAll(io.LimitReader(body, docker.MaxManifestSize))
	if err != nil {
		return m, err
	}
	if d.Digest.Algorithm().FromBytes(content) != d.Digest {
		return m, fmt.Errorf("the content of %s is another one", d.Digest)
	}
	return m, json.Unmarshal(content, &m)
}

// of returns the manifest that an engine of the platform takes from an index.
func (m manifest) of(platform platforms.MatchComparer) (ocispec.Descriptor, error) {
	fitting := slices.DeleteFunc(slices.Clone(m.Manifests), func(d ocispec.Descriptor) bool {
		return d.Platform == nil || !platform.Match(*d.Platform)
	})
	if len(fitting) == 0 {
		return ocispec.Descriptor{}, errors.New("no manifest is for the platform")
	}
	return slices.MinFunc(fitting, func(a, b ocispec.Descriptor) int {
		switch {
		case platform.Less(*a.Platform, *b.Platform):
			return -1
		case platform.Less(*b.Platform, *a.Platform):
			return 1
		}
		return 0
	}), nil
}

// bytes adds up configuration and layers; one that is named twice is downloaded once.
func (m manifest) bytes() (sum int64, err error) {
	if m.Config.Digest == "" {
		return 0, errors.New("reading a manifest: it is not an image's")
	}
	blobs := map[digest.Digest]int64{}
	for _, d := range append(slices.Clone(m.Layers), m.Config) {
		blobs[d.Digest] = d.Size
	}
	for size := range maps.Values(blobs) {
		if size < 0 {
			return 0, errors.New("reading a manifest: it names a negative size")
		}
		sum += size
	}
	return sum, nil
}
