package kit

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/moby/moby/client"

	"syncmaster-setup/test/kit/facts"
)

// standinSources are the inputs of the stand-in program, below the checkout.
var standinSources = []string{"go.mod", "go.sum", "migrations", "test/kit/facts", "test/kit/standin", "test/kit/standins.go", "test/kit/archive.go"}

// standinTarget describes the images of all imitated releases. They are loaded in one go, as they share the program.
func standinTarget(root string) (target, error) {
	files, err := readSources(root)
	if err != nil {
		return target{}, err
	}
	t := target{hash: hashFiles("stand-ins of SyncMaster", files)}
	for _, r := range facts.Releases {
		for _, role := range []string{facts.Server, facts.Scheduler, facts.Worker, facts.UI} {
			t.tags = append(t.tags, standinTag(r, role))
		}
	}
	t.make = makeStandins
	return t, nil
}

func standinTag(r facts.Release, role string) string {
	return fmt.Sprintf("%s/mtsrus/syncmaster-%s:%s", Prefix, role, r.Tag)
}

func readSources(root string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, source := range standinSources {
		err := filepath.WalkDir(filepath.Join(root, source), func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || strings.HasSuffix(path, "_test.go") {
				return err
			}
			name, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			files[filepath.ToSlash(name)], err = os.ReadFile(path)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("reading the sources of the stand-ins: %w", err)
		}
	}
	return files, nil
}

// makeStandins compiles the program and loads one image for each role of each release.
func makeStandins(ctx context.Context, b *builder, t target) error {
	b.say("compiling the stand-in")
	program, err := b.compile(ctx)
	if err != nil {
		return err
	}
	b.say("loading %s", describe(t.tags))
	archive, err := standinArchive(program, t.hash)
	if err != nil {
		return err
	}
	res, err := b.api.ImageLoad(ctx, archive, client.ImageLoadWithQuiet(true))
	if err != nil {
		return fmt.Errorf("loading the images: %w", err)
	}
	return errors.Join(followBuild(res), res.Close())
}

func (b *builder) compile(ctx context.Context) ([]byte, error) {
	out := filepath.Join(b.cache, "standin")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, "./test/kit/standin")
	cmd.Dir = b.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH)
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("compiling the stand-in: %w: %s", err, lastLines(text, 20))
	}
	program, err := os.ReadFile(out)
	if err != nil {
		return nil, fmt.Errorf("reading the stand-in: %w", err)
	}
	return program, nil
}

// standinArchive packs the images as `docker save` would: the program's layer, a small layer for each release, so that
// each release has something of its own to pull, and one configuration for each image.
func standinArchive(program []byte, hash string) (*imageArchive, error) {
	a := newImageArchive()
	shared, err := a.addLayer(programFiles(program))
	if err != nil {
		return nil, err
	}
	for _, r := range facts.Releases {
		own, err := a.addLayer([]layerFile{{name: "app/RELEASE", mode: 0o644, content: releaseText(r)}})
		if err != nil {
			return nil, err
		}
		for _, role := range []string{facts.Server, facts.Scheduler, facts.Worker, facts.UI} {
			if err := a.addImage(standinTag(r, role), imageConfig(r, role, hash), shared, own); err != nil {
				return nil, err
			}
		}
	}
	return a, a.finish()
}

// releaseText is a quarter of a megabyte that does not compress, so that a pull of the release takes a moment.
func releaseText(r facts.Release) []byte {
	text := []byte("SyncMaster " + r.Tag + " (stand-in)\n")
	sum := sha256.Sum256(text)
	for len(text) < 256<<10 {
		text = append(text, sum[:]...)
		sum = sha256.Sum256(sum[:])
	}
	return text
}

// programFiles are the program under all of its names, and what a program expects of a file system.
func programFiles(program []byte) []layerFile {
	files := []layerFile{
		{name: "app/", mode: 0o755}, {name: "tmp/", mode: 0o1777},
		{name: "home/syncmaster/", mode: 0o755, owner: 1000}, {name: "usr/share/nginx/html/", mode: 0o755},
		{name: "etc/passwd", mode: 0o644, content: []byte("root:x:0:0:root:/root:/bin/sh\nsyncmaster:x:1000:1000::/home/syncmaster:/bin/sh\n")},
		{name: "etc/group", mode: 0o644, content: []byte("root:x:0:\nsyncmaster:x:1000:\n")},
		{name: "usr/local/bin/standin", mode: 0o755, content: program},
	}
	for _, name := range []string{
		"app/entrypoint.sh", "entrypoint.sh", "usr/local/bin/python", "usr/local/bin/python3", "usr/bin/curl", "usr/sbin/nginx",
		"bin/sh", "bin/cat", "bin/true", "bin/false", "usr/bin/env",
	} {
		files = append(files, layerFile{name: name, link: "/usr/local/bin/standin"})
	}
	return files
}
