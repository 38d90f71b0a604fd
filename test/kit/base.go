package kit

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/moby/moby/client"
)

const (
	suite   = "trixie"
	baseTag = Prefix + "/base:" + suite
)

// baseFiles are added to the base system: no daemon starts while a package is installed, nothing is fetched or
// unpacked that an image does not need.
var baseFiles = map[string][]byte{
	"usr/sbin/policy-rc.d":    []byte("#!/bin/sh\nexit 101\n"),
	"etc/apt/apt.conf.d/kit":  []byte("Acquire::Languages \"none\";\nAPT::Install-Recommends \"false\";\n"),
	"etc/dpkg/dpkg.cfg.d/kit": []byte(dpkgOptions),
}

const dpkgOptions = `force-unsafe-io
path-exclude=/usr/share/doc/*
path-include=/usr/share/doc/*/copyright
path-exclude=/usr/share/man/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
path-include=/usr/share/locale/locale.alias
`

func baseHash() string { return hashFiles("debootstrap minbase "+suite, baseFiles) }

func baseTarget() target {
	return target{tags: []string{baseTag}, hash: baseHash(), make: func(ctx context.Context, b *builder, t target) error {
		archive := filepath.Join(b.cache, "base-"+t.hash+".tar.gz")
		if _, err := os.Stat(archive); errors.Is(err, os.ErrNotExist) {
			if err := b.debootstrap(ctx, archive); err != nil {
				return err
			}
		}
		return b.importBase(ctx, archive, t)
	}}
}

func (b *builder) importBase(ctx context.Context, archive string, t target) (err error) {
	b.say("importing the base system")
	f, err := os.Open(archive)
	if err != nil {
		return fmt.Errorf("opening the base system: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	source := client.ImageImportSource{Source: io.NopCloser(f), SourceName: "-"} // the client closes what it can
	res, err := b.api.ImageImport(ctx, source, t.tags[0], client.ImageImportOptions{
		Changes: []string{"LABEL " + Label + "=" + t.hash, `CMD ["bash"]`},
	})
	if err != nil {
		return fmt.Errorf("importing the base system: %w", err)
	}
	return errors.Join(followBuild(res), res.Close())
}

// debootstrap writes the archive of a minimal Debian system. The archive appears whole or not at all.
func (b *builder) debootstrap(ctx context.Context, archive string) (err error) {
	if err := b.requireDebootstrap(ctx); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(b.cache, "debootstrap-")
	if err != nil {
		return fmt.Errorf("making a folder for the base system: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b.say("making a base system with debootstrap")
	args := []string{"--variant=minbase", "--arch=" + runtime.GOARCH, suite, dir}
	if mirror := hostMirror(ctx); mirror != "" {
		args = append(args, mirror)
	}
	if err := run(ctx, "debootstrap", args...); err != nil {
		return err
	}
	for name, content := range baseFiles {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o755); err != nil {
			return fmt.Errorf("completing the base system: %w", err)
		}
	}
	return pack(ctx, dir, archive)
}

// requireDebootstrap installs debootstrap where that is possible and otherwise says what to do.
func (b *builder) requireDebootstrap(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return errors.New("debootstrap needs root: run `kit build` once as root, or set " + CacheVariable +
			" to a cache that already holds the base system")
	}
	if _, err := exec.LookPath("debootstrap"); err == nil {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return errors.New("debootstrap is missing and there is no apt-get to install it: install the package debootstrap")
	}
	b.say("installing debootstrap")
	if err := run(ctx, "apt-get", "update", "-q"); err != nil {
		return err
	}
	return run(ctx, "apt-get", "install", "-y", "-q", "--no-install-recommends", "debootstrap", "debian-archive-keyring")
}

// hostMirror returns the Debian mirror of the host's own apt, or nothing for debootstrap's default.
func hostMirror(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(REPO_URI)",
		"Created-By: Packages", "Origin: Debian", "Label: Debian").Output()
	if err != nil {
		return ""
	}
	first, _, _ := bufio.NewReader(bytes.NewReader(out)).ReadLine()
	if uri := strings.TrimRight(string(first), "/"); strings.HasPrefix(uri, "http") {
		return uri
	}
	return ""
}

func pack(ctx context.Context, dir, archive string) (err error) {
	f, err := os.Create(archive + ".part")
	if err != nil {
		return fmt.Errorf("packing the base system: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
	if err != nil {
		return fmt.Errorf("packing the base system: %w", err)
	}
	cmd := exec.CommandContext(ctx, "tar", "--numeric-owner", "--exclude=./var/cache/apt/*", "--exclude=./var/lib/apt/lists/*",
		"--exclude=./usr/share/doc/*", "--exclude=./usr/share/man/*", "--exclude=./usr/share/locale/*", "-C", dir, "-c", ".")
	var problem strings.Builder
	cmd.Stdout, cmd.Stderr = z, &problem
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("packing the base system: %w: %s", err, problem.String())
	}
	if err := errors.Join(z.Close(), f.Sync(), os.Rename(f.Name(), archive)); err != nil {
		return fmt.Errorf("packing the base system: %w", err)
	}
	return nil
}

// run executes a command; its output appears only in the error.
func run(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("running %s: %w; the last lines were:\n%s", name, err, lastLines(out, 20))
	}
	return nil
}

func lastLines(out []byte, n int) string {
	lines := strings.Split(strings.TrimRight(string(out), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
