package release

import (
	"fmt"
	"strings"
)

const providerPackage = "syncmaster.server.providers.auth."

// AuthProvider is a way to log in (contract.md, section 6).
type AuthProvider struct {
	Name       string   // dummy, keycloak, oauth2-gateway
	ImportPath string   // value of SYNCMASTER__AUTH__PROVIDER
	UIValue    string   // value of SYNCMASTER__UI__AUTH_PROVIDER; empty where this frontend has none
	Required   []string // settings that have no default and must be given, of this release
}

// AuthProviders returns the providers of the release; the dummy one, which is the default, first.
func (r Release) AuthProviders() []AuthProvider {
	providers := []AuthProvider{
		{Name: "dummy", ImportPath: providerPackage + "dummy_provider.DummyAuthProvider", UIValue: "dummyAuthProvider"},
		{Name: "keycloak", ImportPath: providerPackage + "keycloak_provider.KeycloakAuthProvider", UIValue: "keycloakAuthProvider"},
	}
	if r.from("0.3.0") {
		providers = append(providers, AuthProvider{Name: "oauth2-gateway", ImportPath: providerPackage + "oauth2_gateway_provider.OAuth2GatewayProvider"})
	}
	for i := range providers {
		p := &providers[i]
		if !r.from("0.2.5") {
			p.UIValue = ""
		}
		env := map[string]string{"SYNCMASTER__AUTH__PROVIDER": p.ImportPath}
		for _, s := range r.Settings() {
			if strings.HasPrefix(s.Name, "SYNCMASTER__AUTH__") && s.When != Always && s.When.holds(env) || s.Name == r.CookieSecret() && s.When.holds(env) {
				p.Required = append(p.Required, s.Name)
			}
		}
	}
	return providers
}

// AuthProvider returns the provider of a name; the error lists those of the release.
func (r Release) AuthProvider(name string) (AuthProvider, error) {
	var names []string
	for _, p := range r.AuthProviders() {
		if p.Name == strings.ToLower(name) {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return AuthProvider{}, fmt.Errorf("release %s has no login provider %q; it has %s", r, name, strings.Join(names, ", "))
}

// Provider returns the provider that an environment chooses; false for a provider of the user's own.
func (r Release) Provider(env map[string]string) (AuthProvider, bool) {
	path, ok := env["SYNCMASTER__AUTH__PROVIDER"]
	for i, p := range r.AuthProviders() {
		if p.ImportPath == path || !ok && i == 0 {
			return p, true
		}
	}
	return AuthProvider{}, false
}
