package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"syncmaster-setup/internal/fault"
)

// Builds reads how `docker compose build` in a folder would build the images of some services: their build sections, with
// absolute folders, in the order of services. It needs no engine. A service without such a section, a Dockerfile that
// is not there, and what cannot be built without the Docker CLI's own builder are all told at once, as bad input.
func Builds(ctx context.Context, dir string, services ...string) (map[string]types.BuildConfig, error) {
	silence()
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("finding the folder %s: %w", dir, err)
	}
	files, err := composeFiles(dir)
	if err != nil {
		return nil, err
	}
	env, err := environment(dir)
	if err != nil {
		return nil, err
	}
	project, err := read(ctx, dir, "checkout", files, env, []string{"*"}) // any name will do: nothing is made under it
	if err != nil {
		return nil, fault.New(fault.BadInput, fmt.Errorf("reading the build sections in %s: %w", files[0], err), "see what `docker compose config` says in that folder")
	}
	builds := map[string]types.BuildConfig{}
	p := &fault.Problems{Code: fault.BadInput}
	for _, name := range services {
		section := project.Services[name].Build
		if section == nil {
			p.Add(fmt.Sprintf("%s has no build section for the service %s", files[0], name), "the sample of SyncMaster has one: take it over, or choose other services with --profile")
			continue
		}
		p.Merge(checkBuild(name, *section))
		section.Args = section.Args.Resolve(env.Resolve).RemoveEmpty() // a name alone takes the value from the environment
		builds[name] = *section
	}
	return builds, p.Err()
}

// checkBuild refuses what would fail after minutes, or be built otherwise than it is written.
func checkBuild(service string, b types.BuildConfig) error {
	if other := beyond(b); len(other) > 0 {
		return fault.New(fault.BadInput, fmt.Errorf("the build section of %s has %s, which this program does not know", service, strings.Join(other, ", ")),
			"leave it out in docker-compose.override.yml, or build the image with the Docker CLI")
	}
	if b.Dockerfile == "" || !filepath.IsLocal(b.Dockerfile) {
		return fault.New(fault.BadInput, fmt.Errorf("the Dockerfile of %s, %q, is not below its context %s", service, b.Dockerfile, b.Context), "")
	}
	info, err := os.Stat(filepath.Join(b.Context, b.Dockerfile))
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no file")
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.BadInput, fmt.Errorf("the Dockerfile of %s is missing: %s", service, filepath.Join(b.Context, b.Dockerfile)), "put it back, for example with git checkout")
	}
	if err != nil {
		return fault.New(fault.BadInput, fmt.Errorf("reading the Dockerfile of %s: %w", service, err), "")
	}
	return nil
}

// beyond names the keys of a build section that need a session of BuildKit, or rights that are not given here.
func beyond(b types.BuildConfig) []string {
	var keys []string
	for _, k := range []struct {
		name string
		used bool
	}{
		{"dockerfile_inline", b.DockerfileInline != ""}, {"additional_contexts", len(b.AdditionalContexts) > 0},
		{"secrets", len(b.Secrets) > 0}, {"ssh", len(b.SSH) > 0}, {"privileged", b.Privileged}, {"entitlements", len(b.Entitlements) > 0},
		{"ulimits", len(b.Ulimits) > 0}, {"no_cache_filter", len(b.NoCacheFilter) > 0}, {"isolation", b.Isolation != ""},
	} {
		if k.used {
			keys = append(keys, k.name)
		}
	}
	return keys
}
