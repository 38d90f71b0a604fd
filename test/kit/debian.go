package kit

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/client"
)

//go:embed images
var contexts embed.FS

// debianTarget describes an image built from images/NAME on another one.
func debianTarget(name string, base target, refs ...string) (target, error) {
	files, err := readContext(name, base.tags[0])
	if err != nil {
		return target{}, err
	}
	t := target{hash: hashFiles(base.hash, files)}
	for _, ref := range refs {
		t.tags = append(t.tags, Prefix+"/"+ref)
	}
	t.make = func(ctx context.Context, b *builder, t target) error {
		if err := b.ensure(ctx, base); err != nil {
			return fmt.Errorf("making %s: %w", base.tags[0], err)
		}
		b.say("building %s", t.tags[0])
		return b.dockerBuild(ctx, t, files)
	}
	return t, nil
}

func readContext(name, base string) (map[string][]byte, error) {
	files := map[string][]byte{}
	dir := path.Join("images", name)
	entries, err := fs.ReadDir(contexts, dir)
	if err != nil {
		return nil, fmt.Errorf("reading the build context of %s: %w", name, err)
	}
	for _, e := range entries {
		content, err := contexts.ReadFile(path.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("reading the build context of %s: %w", name, err)
		}
		files[e.Name()] = bytes.ReplaceAll(content, []byte("@BASE@"), []byte(base))
	}
	return files, nil
}

// dockerBuild runs a classic build. Its steps use the host's network, because apt inside has to reach the mirror the
// host reaches.
func (b *builder) dockerBuild(ctx context.Context, t target, files map[string][]byte) error {
	archive, err := contextTar(files)
	if err != nil {
		return err
	}
	res, err := b.api.ImageBuild(ctx, archive, client.ImageBuildOptions{
		Tags: t.tags, Remove: true, ForceRemove: true, NetworkMode: "host",
		Labels: map[string]string{Label: t.hash}, BuildArgs: proxyArgs(),
	})
	if err != nil {
		return fmt.Errorf("starting the build: %w", err)
	}
	return errors.Join(followBuild(res.Body), res.Body.Close())
}

// followBuild reads a build to its end. The output is kept for the case that it fails.
func followBuild(r io.Reader) error {
	var tail []string
	d := json.NewDecoder(r)
	for {
		var m jsonstream.Message
		err := d.Decode(&m)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the engine's answer: %w", err)
		}
		if m.Error != nil {
			return fmt.Errorf("%w; the last lines were:\n%s", m.Error, strings.Join(tail, ""))
		}
		tail = append(tail, m.Stream)
		tail = tail[max(0, len(tail)-30):]
	}
}

func contextTar(files map[string][]byte) (io.Reader, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, name := range sortedNames(files) {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(files[name]))}); err != nil {
			return nil, fmt.Errorf("packing the build context: %w", err)
		}
		if _, err := w.Write(files[name]); err != nil {
			return nil, fmt.Errorf("packing the build context: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("packing the build context: %w", err)
	}
	return &buf, nil
}

// proxyArgs hands the host's proxy variables to the build, which the engine keeps out of the image.
func proxyArgs() map[string]*string {
	args := map[string]*string{}
	for _, name := range []string{"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"} {
		if value, ok := os.LookupEnv(name); ok {
			args[name] = &value
		}
	}
	return args
}

func hashFiles(seed string, files map[string][]byte) string {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%s\n%s\n", seed, runtime.GOARCH) // a hash never fails to write
	for _, name := range sortedNames(files) {
		_, _ = fmt.Fprintf(h, "%s %d\n", name, len(files[name]))
		_, _ = h.Write(files[name])
	}
	return fmt.Sprintf("%x", h.Sum(nil))[:32]
}

func sortedNames(files map[string][]byte) []string {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
