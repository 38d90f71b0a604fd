package engine

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/moby/moby/api/pkg/authconfig"
	registrytypes "github.com/moby/moby/api/types/registry"
	"github.com/moby/moby/client"
)

// registry returns a client for the registry of an image, with the credentials that a pull uses.
func (e *Engine) registry(way http.RoundTripper, ref string) (remotes.Resolver, error) {
	encoded, err := e.registryAuth(ref)
	if err != nil {
		return nil, err
	}
	auth, err := authconfig.Decode(encoded)
	if err != nil {
		return nil, fmt.Errorf("reading the credentials for image %s: %w", ref, err)
	}
	web := &http.Client{Transport: way}
	return docker.NewResolver(docker.ResolverOptions{Hosts: func(host string) ([]docker.RegistryHost, error) {
		hosts, err := docker.ConfigureDefaultRegistries(docker.WithClient(web))(host)
		if err != nil {
			return nil, err
		}
		hosts[0].Authorizer = docker.NewDockerAuthorizer(docker.WithAuthClient(web), docker.WithAuthCreds(func(asks string) (string, string, error) {
			switch {
			case asks != hosts[0].Host: // where a redirect has led
				return "", "", nil
			case auth.IdentityToken != "":
				return "", auth.IdentityToken, nil
			}
			return auth.Username, auth.Password, nil
		}))
		return hosts, nil
	}}), nil
}

// wayToRegistries speaks TLS with a certificate that this machine trusts, through the proxy of the environment. Only to
// registries that the engine takes for insecure it speaks as the engine does: with any certificate, or none.
type wayToRegistries struct {
	strict, lax *http.Transport
	any         http.RoundTripper // over lax
	engine      *registrytypes.ServiceConfig
}

func (e *Engine) wayToRegistries(ctx context.Context) wayToRegistries {
	//nolint:gosec // only for registries that the user has told the engine to trust like that
	w := wayToRegistries{strict: docker.DefaultHTTPTransport(nil), lax: docker.DefaultHTTPTransport(&tls.Config{InsecureSkipVerify: true})}
	w.any = docker.NewHTTPFallback(w.lax)
	if !local(e.api.DaemonHost()) {
		return w // its networks are others than ours
	}
	if info, err := e.api.Info(ctx, client.InfoOptions{}); err == nil {
		w.engine = info.Info.RegistryConfig
	}
	return w
}

// RoundTrip is [http.RoundTripper].
func (w wayToRegistries) RoundTrip(r *http.Request) (*http.Response, error) {
	switch {
	case w.insecure(r.URL.Host):
		return w.any.RoundTrip(r)
	case r.URL.Scheme != "https":
		return nil, fmt.Errorf("asking %s: it is not asked without TLS", r.URL.Host)
	}
	return w.strict.RoundTrip(r)
}

func (w wayToRegistries) close() {
	w.strict.CloseIdleConnections()
	w.lax.CloseIdleConnections()
}

// insecure reports whether the engine needs no certificate of a registry. It resolves other names as well, which takes
// too long where only a proxy can.
func (w wayToRegistries) insecure(host string) bool {
	if w.engine == nil {
		return false
	}
	if index := w.engine.IndexConfigs[host]; index != nil {
		return !index.Secure
	}
	name := host
	if withoutPort, _, err := net.SplitHostPort(host); err == nil {
		name = withoutPort
	}
	if name == "localhost" {
		name = "127.0.0.1"
	}
	address, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil && slices.ContainsFunc(w.engine.InsecureRegistryCIDRs, func(p netip.Prefix) bool { return p.Contains(address.Unmap()) })
}
