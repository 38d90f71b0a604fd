package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/docker/cli/cli/command"
	"github.com/moby/moby/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"syncmaster-setup/internal/fault"
)

// CheckPull asks the image's registry, through the engine, whether the image exists for a platform such as
// "linux/amd64", and returns its digest; an empty platform is not checked. Nothing is downloaded. Fails with
// [ErrNoImage], [ErrUnauthorized], [ErrRegistryUnreachable] or [ErrPlatform].
func (e *Engine) CheckPull(ctx context.Context, ref, platform string) (digest string, err error) {
	auth, err := e.registryAuth(ref)
	if err != nil {
		return "", err
	}
	found, err := e.api.DistributionInspect(ctx, ref, client.DistributionInspectOptions{EncodedRegistryAuth: auth})
	if err != nil {
		return "", registryError(err, "asking the registry for image %s", ref)
	}
	offered := make([]string, 0, len(found.Platforms))
	for _, p := range found.Platforms {
		offered = append(offered, platformName(p.OS, p.Architecture))
	}
	if platform == "" || len(offered) == 0 || slices.ContainsFunc(offered, func(o string) bool { return samePlatform(o, platform) }) {
		return found.Descriptor.Digest.String(), nil
	}
	return "", wrongPlatform(ref, platform, strings.Join(offered, ", "))
}

// registryAuth returns the credentials of the docker client's configuration for the image's registry.
func (e *Engine) registryAuth(ref string) (string, error) {
	auth, err := command.RetrieveAuthTokenFromImage(e.config, ref)
	if err != nil {
		return "", fault.New(fault.Refused, fmt.Errorf("finding credentials for image %s: %w", ref, err),
			"check the reference and the credential helpers in the docker client's config.json")
	}
	return auth, nil
}

// registryError wraps a failed request to a registry. The engine passes the registry's answer on as text, sometimes
// with a status of its own, so the text decides.
func registryError(err error, format string, args ...any) error {
	doing := fmt.Sprintf(format, args...)
	for _, f := range registryFailures {
		if f.is(err, strings.ToLower(err.Error())) {
			return fault.New(fault.Failed, &kindError{f.kind, fmt.Errorf("%s: %w", doing, err)}, f.hint)
		}
	}
	return daemonError(err, "%s", doing)
}

// registryFailures in the order in which they are tried: Docker Hub answers "denied" for what may also not exist.
var registryFailures = []failure{
	{ErrPlatform, "choose a host of that architecture, or a release that is published for this one", func(_ error, text string) bool {
		return says(text, "no matching manifest for", "does not match the specified platform", "no match for platform")
	}},
	{ErrNoImage, "check the version and the registry", func(_ error, text string) bool {
		return says(text, "manifest unknown", "name unknown", "not found", "repository name not known")
	}},
	{ErrUnauthorized, "log in with `docker login`; the image may also not exist", func(_ error, text string) bool {
		return says(text, "unauthorized", "authentication required", "denied", "no basic auth credentials", "incorrect username or password")
	}},
	{ErrRegistryUnreachable, "check the network and the proxy of the Docker Engine, or name a mirror: with --registry before the first start, as IMAGE_PREFIX in .env afterwards", func(err error, text string) bool {
		return !client.IsErrConnectionFailed(err) && networkTrouble(text)
	}},
}

// networkTrouble recognises failures that another try may not have.
func networkTrouble(text string) bool {
	return says(text, "eof", "connection reset", "connection refused", "broken pipe", "timeout", "deadline exceeded",
		"no such host", "temporary failure in name resolution", "network is unreachable", "no route to host",
		"proxyconnect", "server misbehaving", "received unexpected http status: 5", "unexpected status code 5",
		"500 internal server error", "502 bad gateway", "503 service unavailable", "504 gateway time", "use of closed network connection",
		"server gave http response to https client", "tls handshake", "filesystem layer verification failed", "short read")
}

func says(text string, signs ...string) bool {
	return slices.ContainsFunc(signs, func(sign string) bool { return strings.Contains(text, sign) })
}

func wrongPlatform(ref, want, have string) error {
	err := fmt.Errorf("checking image %s: it is for %s, not for %s", ref, have, want)
	return fault.New(fault.Refused, &kindError{ErrPlatform, err},
		"choose a host of that architecture, or a release that is published for this one")
}

func platformName(os, arch string) string { return os + "/" + arch }

// samePlatform compares by system and architecture. A variant, such as v8 in linux/arm64/v8, is not compared.
func samePlatform(a, b string) bool {
	pa, errA := parsePlatform(a)
	pb, errB := parsePlatform(b)
	return errA == nil && errB == nil && pa.OS == pb.OS && pa.Architecture == pb.Architecture
}

func parsePlatform(text string) (ocispec.Platform, error) {
	parts := strings.Split(text, "/")
	if len(parts) < 2 || len(parts) > 3 || slices.Contains(parts, "") {
		return ocispec.Platform{}, errors.New("a platform is system/architecture, such as linux/amd64")
	}
	p := ocispec.Platform{OS: parts[0], Architecture: parts[1]}
	if len(parts) == 3 {
		p.Variant = parts[2]
	}
	return p, nil
}
