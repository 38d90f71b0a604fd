package engine

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/client"
	"golang.org/x/sync/errgroup"

	"syncmaster-setup/internal/stack"
)

// Host is what the engine says about itself and the machine that it runs on.
type Host struct {
	Version       string // of the engine, such as 20.10.24
	APIVersion    string // the newest that the engine speaks
	OS            string // of the containers, as GOOS
	Arch          string // of the containers, as GOARCH
	CPUs          int
	Memory        int64  // bytes
	RootDir       string // where the engine keeps images and volumes; a path on this machine only where Local
	StorageDriver string
	Address       string // of the connection: unix://…, npipe://…, tcp://…, ssh://…
	Local         bool   // reached through a socket or named pipe of this machine
	Rootless      bool
	// ProxyVariables are the names of the variables by which the docker client's config.json sends every new container
	// to a proxy, sorted. Their values may carry credentials and stay here.
	ProxyVariables []string
	// NoProxy is what they ask directly all the same.
	NoProxy string
	// Clock is the time on the engine's machine when it answered, zero where it does not tell.
	Clock time.Time
}

// Host asks the engine about itself.
func (e *Engine) Host(ctx context.Context) (Host, error) {
	var version client.ServerVersionResult
	var info client.SystemInfoResult
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		version, err = e.api.ServerVersion(groupCtx, client.ServerVersionOptions{})
		return daemonError(err, "asking the Docker Engine for its version")
	})
	group.Go(func() (err error) {
		info, err = e.api.Info(groupCtx, client.InfoOptions{})
		return daemonError(err, "asking the Docker Engine about its host")
	})
	if err := group.Wait(); err != nil {
		return Host{}, err
	}
	clock, err := time.Parse(time.RFC3339Nano, info.Info.SystemTime)
	if err != nil {
		clock = time.Time{}
	}
	address := e.api.DaemonHost()
	host := Host{
		Version:       version.Version,
		APIVersion:    version.APIVersion,
		OS:            version.Os,
		Arch:          version.Arch,
		CPUs:          info.Info.NCPU,
		Memory:        info.Info.MemTotal,
		RootDir:       info.Info.DockerRootDir,
		StorageDriver: info.Info.Driver,
		Address:       address,
		Local:         local(address),
		Clock:         clock,
		Rootless:      slices.Contains(info.Info.SecurityOptions, "name=rootless"),
	}
	host.ProxyVariables, host.NoProxy = e.proxies(address)
	return host, nil
}

// local reports whether an engine's address is a socket or named pipe of this machine.
func local(address string) bool {
	return strings.HasPrefix(address, "unix://") || strings.HasPrefix(address, "npipe:////./")
}

func (e *Engine) proxies(address string) (names []string, noProxy string) {
	env := map[string]string{}
	for name, value := range e.config.ParseProxyConfig(address, nil) {
		if value != nil {
			env[name] = *value
		}
	}
	return stack.Proxies(env)
}
