package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"
	"strings"
	"syscall"

	"github.com/moby/moby/client"

	"syncmaster-setup/internal/fault"
)

// greet exchanges the first words with the engine and refuses one that cannot be worked with.
func greet(ctx context.Context, c client.APIClient) error {
	limited, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	ping, err := c.Ping(limited, client.PingOptions{})
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("connecting to the Docker Engine at %s: %w", c.DaemonHost(), ctx.Err())
		}
		return unreachable(limited, c.DaemonHost(), err)
	}
	if ping.APIVersion == "" {
		return fault.New(fault.Refused, fmt.Errorf("%w: %s answers, but not as a Docker Engine", ErrNoEngine, c.DaemonHost()),
			"check DOCKER_HOST and `docker context ls`")
	}
	if olderAPI(ping.APIVersion, MinAPIVersion) {
		return tooOld(limited, c, ping.APIVersion)
	}
	if _, err := c.Ping(limited, client.PingOptions{NegotiateAPIVersion: true}); err != nil {
		return fault.New(fault.Refused, fmt.Errorf("agreeing with the Docker Engine at %s on an API version: %w", c.DaemonHost(), err),
			"unset DOCKER_API_VERSION, or install a newer syncmaster-setup")
	}
	return nil
}

func tooOld(ctx context.Context, c client.APIClient, apiVersion string) error {
	engine := "this engine"
	if v, err := c.ServerVersion(ctx, client.ServerVersionOptions{}); err == nil && v.Version != "" {
		engine = "Docker Engine " + v.Version
	}
	return fault.New(fault.Refused,
		fmt.Errorf("%w: %s at %s speaks API %s, but %s is needed", ErrOldEngine, engine, c.DaemonHost(), apiVersion, MinAPIVersion),
		"upgrade to Docker Engine 20.10 or later: https://docs.docker.com/engine/install/")
}

// unreachable turns a failed first exchange into a refusal that says which of the usual causes it is.
func unreachable(ctx context.Context, host string, err error) error {
	proto, path, _ := strings.Cut(host, "://")
	if proto == "unix" {
		return localUnreachable(ctx, host, path, err)
	}
	if proto == "npipe" {
		return fault.New(fault.Refused, fmt.Errorf("%w: connecting to %s: %w", ErrNoEngine, host, err),
			"start Docker Desktop and wait until it says that the engine runs")
	}
	if says(strings.ToLower(err.Error()), "tls", "x509", "certificate", "http request to an https server", "http response to https client") {
		return fault.New(fault.Refused, fmt.Errorf("%w: securing the connection to %s: %w", ErrNoEngine, host, err),
			"check DOCKER_TLS_VERIFY and the certificates in DOCKER_CERT_PATH")
	}
	return fault.New(fault.Refused, fmt.Errorf("%w: connecting to the remote engine at %s: %w", ErrNoEngine, host, err),
		"check DOCKER_HOST, the current docker context and the network; `unset DOCKER_HOST` uses the engine of this machine")
}

// localUnreachable looks at the socket itself, because the client's error keeps no cause that can be tested for.
func localUnreachable(ctx context.Context, host, path string, err error) error {
	conn, dialErr := (&net.Dialer{}).DialContext(ctx, "unix", path)
	switch {
	case dialErr == nil:
		_ = conn.Close()
		return fault.New(fault.Refused, fmt.Errorf("%w: the socket %s accepts connections but does not answer: %w", ErrNoEngine, path, err),
			"look at `systemctl status docker` and `journalctl -u docker`")
	case errors.Is(dialErr, fs.ErrPermission):
		return fault.New(fault.Refused, fmt.Errorf("%w: opening %s: permission denied", ErrNoPermission, path),
			"run it with sudo, or join the group: `sudo usermod -aG docker $USER`, then log in again")
	case errors.Is(dialErr, fs.ErrNotExist):
		return fault.New(fault.Refused, fmt.Errorf("%w: there is no socket %s", ErrNoEngine, path),
			"install Docker Engine (https://docs.docker.com/engine/install/) or start it: `sudo systemctl start docker`")
	case errors.Is(dialErr, syscall.ECONNREFUSED):
		return fault.New(fault.Refused, fmt.Errorf("%w: nothing listens on %s", ErrNoEngine, path),
			"start it: `sudo systemctl start docker`")
	}
	return fault.New(fault.Refused, fmt.Errorf("%w: connecting to %s: %w", ErrNoEngine, host, err),
		"look at `systemctl status docker`")
}

// olderAPI reports whether an Engine API version "major.minor" comes before another. One that cannot be read is older.
func olderAPI(version, than string) bool {
	major, minor, ok := splitAPI(version)
	wantMajor, wantMinor, _ := splitAPI(than)
	if !ok {
		return true
	}
	return major < wantMajor || major == wantMajor && minor < wantMinor
}

func splitAPI(version string) (major, minor int, ok bool) {
	a, b, found := strings.Cut(version, ".")
	major, errMajor := strconv.Atoi(a)
	minor, errMinor := strconv.Atoi(b)
	return major, minor, found && errMajor == nil && errMinor == nil
}
