package render

import (
	"fmt"
	"strings"

	"syncmaster-setup/internal/config"
	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/secret"
)

// Secrets are the generated or kept values of an install.
type Secrets struct {
	FernetKey        secret.Text
	DatabasePassword secret.Text
	BrokerPassword   secret.Text
	CookieKey        secret.Text // signs the session cookie
	TokenKey         secret.Text // signs the access tokens of the dummy login
}

// Input is everything that the files depend on.
type Input struct {
	Release release.Release
	Options config.Options // complete: see config.Options.Defaults
	Ports   config.Ports   // decided: none of them 0
	Secrets Secrets
}

// pair is one variable of an env file.
type pair struct{ name, value string }

// DatabaseURL returns the URL by which the containers reach the database, with its password. Its driver is the one that
// SyncMaster asks for (contract.md, section 2).
func (in Input) DatabaseURL() secret.Text {
	if in.Options.ExternalDatabase {
		_, rest, _ := strings.Cut(in.Options.DatabaseURL.Reveal(), "://")
		return secret.NewText("postgresql+asyncpg://" + rest)
	}
	return secret.NewText("postgresql+asyncpg://syncmaster:" + in.Secrets.DatabasePassword.Reveal() + "@db:5432/syncmaster")
}

// BrokerURL returns the URL by which the containers reach the broker, with its password.
func (in Input) BrokerURL() secret.Text {
	if in.Options.ExternalBroker {
		return in.Options.BrokerURL
	}
	return secret.NewText("amqp://syncmaster:" + in.Secrets.BrokerPassword.Reveal() + "@rabbitmq:5672")
}

// composeValues returns what .env holds.
func composeValues(in Input) []pair {
	api, _ := in.Options.URLs(in.Ports)
	o := in.Options
	values := []pair{
		{"COMPOSE_PROJECT_NAME", o.Project},
		{"COMPOSE_PROFILES", strings.Join(o.Services(), ",")},
		{"VERSION", in.Release.Version},
		{"IMAGE_PREFIX", o.ImagePrefix()},
		{"BIND_ADDRESS", bracketed(o.Bind)},
		{"SERVER_PORT", fmt.Sprint(in.Ports.Server)},
		{"UI_PORT", fmt.Sprint(in.Ports.UI)},
		{"WORKER_QUEUES", strings.Join(o.Queues, ",")},
		{"WORKER_STOP_GRACE_PERIOD", workerGrace(o)},
		{"SYNCMASTER__UI__API_BROWSER_URL", in.Release.APIAddress(api)},
	}
	if !o.ExternalDatabase {
		values = append(values, pair{"DB_PORT", fmt.Sprint(in.Ports.Database)},
			pair{"POSTGRES_PASSWORD", in.Secrets.DatabasePassword.Reveal()})
	}
	if !o.ExternalBroker {
		values = append(values, pair{"BROKER_PORT", fmt.Sprint(in.Ports.Broker)},
			pair{"RABBITMQ_PASSWORD", in.Secrets.BrokerPassword.Reveal()})
	}
	if url := in.DatabaseURL().Reveal(); strings.Contains(url, "%") {
		values = append(values, pair{"MIGRATIONS_DATABASE_URL", in.Release.MigrationsDatabaseURL(url)})
	}
	if _, has := in.Release.Setting(uiAuthProvider); has {
		if provider, err := in.Release.AuthProvider(o.Auth); err == nil && provider.UIValue != "" {
			values = append(values, pair{uiAuthProvider, provider.UIValue})
		}
	}
	return values
}

// appValues returns what .env.docker holds: what an install decides, then what the user set.
func appValues(in Input) ([]pair, error) {
	o, r := in.Options, in.Release
	_, ui := o.URLs(in.Ports)
	superusers, names, err := r.Superusers(o.Superusers)
	if err != nil {
		return nil, err
	}
	provider, err := r.AuthProvider(o.Auth)
	if err != nil {
		return nil, err
	}
	values := []pair{
		{"TZ", o.Timezone},
		{"SYNCMASTER__DATABASE__URL", in.DatabaseURL().Reveal()},
		{"SYNCMASTER__ENCRYPTION__SECRET_KEY", in.Secrets.FernetKey.Reveal()},
		{"SYNCMASTER__BROKER__URL", in.BrokerURL().Reveal()},
		{"SYNCMASTER__SERVER__DEBUG", fmt.Sprint(o.Preset == config.Local)},
		{superusers, names},
		{"SYNCMASTER__AUTH__PROVIDER", provider.ImportPath},
		{r.CookieSecret(), in.Secrets.CookieKey.Reveal()},
		{"SYNCMASTER__AUTH__ACCESS_TOKEN__SECRET_KEY", in.Secrets.TokenKey.Reveal()},
		{"SYNCMASTER__HWM_STORE__ENABLED", "false"},
		{"SYNCMASTER__SERVER__CORS__ENABLED", "true"},
	}
	if _, has := r.Setting(loggingPreset); has {
		values = append(values, pair{"SYNCMASTER__LOGGING__SETUP", "true"}, pair{loggingPreset, loggingOf(o.Preset)})
	}
	if r.NeedsWorkerSection() {
		values = append(values, pair{"SYNCMASTER__WORKER", "{}"})
	}
	if provider.Name == "keycloak" {
		values = append(values, callback(in, ui))
	}
	cors, err := r.CORS(ui)
	if err != nil {
		return nil, err
	}
	for _, v := range cors {
		values = append(values, pair{v.Name, v.Value})
	}
	for _, s := range o.Set {
		values = override(values, pair{strings.ToUpper(s.Name), s.Value.Reveal()})
	}
	return values, nil
}

// override replaces the value of a name, or appends it.
func override(values []pair, p pair) []pair {
	for i := range values {
		if values[i].name == p.name {
			values[i] = p
			return values
		}
	}
	return append(values, p)
}

// workerGrace is how long running transfers may take to end; a developer does not wait for them.
func workerGrace(o config.Options) string {
	if o.Dev {
		return "10s"
	}
	return "1h"
}

// callback is where Keycloak sends the browser after the login: up to 0.2.4 the server, then the UI (contract.md,
// section 6).
func callback(in Input, ui string) pair {
	name := "SYNCMASTER__AUTH__KEYCLOAK__UI_CALLBACK_URL"
	if _, has := in.Release.Setting(name); !has {
		name = "SYNCMASTER__AUTH__KEYCLOAK__REDIRECT_URI"
	}
	if _, loginInUI := in.Release.Setting(uiAuthProvider); loginInUI {
		return pair{name, ui + "/auth/callback"}
	}
	api, _ := in.Options.URLs(in.Ports)
	return pair{name, api + "/v1/auth/callback"}
}

func loggingOf(preset string) string {
	if preset == config.Local {
		return "colored"
	}
	return "plain"
}

// bracketed writes an IPv6 address as Compose's port syntax wants it.
func bracketed(address string) string {
	if strings.Contains(address, ":") {
		return "[" + address + "]"
	}
	return address
}
