// Package config is what the user asks of an install: the options, their defaults, and every problem they have.
package config

import (
	"slices"
	"strings"

	"syncmaster-setup/internal/secret"
)

// The presets. Local is for one person on this host; Production is for others to reach.
const (
	Local      = "local"
	Production = "production"
)

// Ports are the published host ports. In [Options] 0 means the default of the service, which may move to the next
// free port; a port that the user asked for does not move.
type Ports struct {
	Server   uint16 `json:"server,omitempty"`
	UI       uint16 `json:"ui,omitempty"`
	Database uint16 `json:"database,omitempty"`
	Broker   uint16 `json:"broker,omitempty"`
}

// DefaultPorts are those of SyncMaster's sample Compose file.
var DefaultPorts = Ports{Server: 8000, UI: 3000, Database: 5432, Broker: 5672}

// Setting is one --set NAME=VALUE. The value may be a secret.
type Setting struct {
	Name  string
	Value secret.Text
}

// Options are what the user asked for; a zero field was not asked for. The fields with JSON names are recorded in the
// install's state, so none of them is a secret.
type Options struct {
	Version          string   `json:"version"`
	Preset           string   `json:"preset,omitempty"`
	Project          string   `json:"project,omitempty"`
	Profiles         []string `json:"profiles,omitempty"`
	Superusers       []string `json:"superusers,omitempty"`
	Auth             string   `json:"auth,omitempty"`
	Bind             string   `json:"bind,omitempty"`
	Ports            Ports    `json:"ports,omitzero"`
	PublicURL        string   `json:"public_url,omitempty"` // the API as browsers see it
	UIURL            string   `json:"ui_url,omitempty"`     // the UI as browsers see it
	Registry         string   `json:"registry,omitempty"`
	Platform         string   `json:"platform,omitempty"` // as in Compose: linux/amd64
	Timezone         string   `json:"timezone,omitempty"`
	Queues           []string `json:"queues,omitempty"`
	Source           string   `json:"source,omitempty"` // SyncMaster checkout to build the images from; with Dev they are ours
	ExternalDatabase bool     `json:"external_database,omitempty"`
	ExternalBroker   bool     `json:"external_broker,omitempty"`
	Dev              bool     `json:"dev,omitempty"`            // for work on SyncMaster: database and broker, with Source the whole stack
	Head             string   `json:"head,omitempty"`           // with Dev: the revision of the database
	ImageMigrates    bool     `json:"image_migrates,omitempty"` // with Dev: Head is of the checkout alone, and so are its migrations

	Set         []Setting   `json:"-"`
	DatabaseURL secret.Text `json:"-"` // external database
	BrokerURL   secret.Text `json:"-"` // external broker
}

// Profiles are those that the user may choose, Compose's names in SyncMaster's sample.
var Profiles = []string{"server", "worker", "scheduler", "frontend", "all"}

// Services returns the application services that run, in the order of start: those of the profiles, the server also
// for the frontend, and the worker only where it has a queue to serve.
func (o Options) Services() []string {
	var services []string
	if o.bare() {
		return nil
	}
	for _, s := range []string{"server", "scheduler", "worker", "frontend"} {
		wanted := slices.Contains(o.Profiles, s) || slices.Contains(o.Profiles, "all") ||
			s == "server" && slices.Contains(o.Profiles, "frontend")
		if wanted && (s != "worker" || len(o.Queues) > 0) {
			services = append(services, s)
		}
	}
	return services
}

// bare reports whether SyncMaster itself runs elsewhere.
func (o Options) bare() bool { return o.Dev && o.Source == "" }

// BuiltImage returns the name of a service's image where it is built here from the checkout, otherwise nothing. Like
// Compose's own names it has the project's in it, so that the images of two checkouts do not meet.
func (o Options) BuiltImage(service string) string {
	if !o.Dev || o.Source == "" || !slices.Contains([]string{"server", "scheduler", "worker"}, service) {
		return ""
	}
	return o.Project + "-" + service + ":dev"
}

// Infrastructure returns the services that SyncMaster needs and that this install brings along.
func (o Options) Infrastructure() []string {
	var services []string
	if !o.ExternalDatabase {
		services = append(services, "db")
	}
	if !o.ExternalBroker {
		services = append(services, "rabbitmq")
	}
	return services
}

// WorkerWaits reports whether a worker was asked for that has no queue to serve yet.
func (o Options) WorkerWaits() bool {
	return !o.bare() && len(o.Queues) == 0 && (slices.Contains(o.Profiles, "worker") || slices.Contains(o.Profiles, "all"))
}

// Merge returns o with the fields that other asks for; settings of other follow those of o.
func (o Options) Merge(other Options) Options {
	pick(&o.Version, other.Version)
	pick(&o.Preset, other.Preset)
	pick(&o.Project, other.Project)
	pick(&o.Auth, other.Auth)
	pick(&o.Bind, other.Bind)
	pick(&o.PublicURL, other.PublicURL)
	pick(&o.UIURL, other.UIURL)
	pick(&o.Registry, other.Registry)
	pick(&o.Platform, other.Platform)
	pick(&o.Timezone, other.Timezone)
	pick(&o.Source, other.Source)
	pick(&o.Head, other.Head)
	pick(&o.Ports.Server, other.Ports.Server)
	pick(&o.Ports.UI, other.Ports.UI)
	pick(&o.Ports.Database, other.Ports.Database)
	pick(&o.Ports.Broker, other.Ports.Broker)
	pickList(&o.Profiles, other.Profiles)
	pickList(&o.Superusers, other.Superusers)
	pickList(&o.Queues, other.Queues)
	o.Set = slices.Concat(o.Set, other.Set)
	pick(&o.DatabaseURL, other.DatabaseURL)
	pick(&o.BrokerURL, other.BrokerURL)
	o.ExternalDatabase = o.ExternalDatabase || other.ExternalDatabase || !o.DatabaseURL.Empty()
	o.Dev = o.Dev || other.Dev
	o.ImageMigrates = o.ImageMigrates || other.ImageMigrates
	o.ExternalBroker = o.ExternalBroker || other.ExternalBroker || !o.BrokerURL.Empty()
	return o
}

// Defaults returns what is used where the user asks for nothing. The preset decides the address, the login and whether
// there is a superuser: in production a name that anybody may register must not become one unasked.
func (o Options) Defaults(newest string) Options {
	d := Options{
		Version: newest, Preset: Local, Project: "syncmaster", Profiles: []string{"all"},
		Timezone: "UTC",
	}
	if o.Preset == Production {
		d.Bind = "0.0.0.0"
	} else {
		d.Bind, d.Auth, d.Superusers = "127.0.0.1", "dummy", []string{"admin"}
	}
	return d.Merge(o)
}

// ImagePrefix returns what comes before every image name: the registry with one slash at its end, or nothing.
func (o Options) ImagePrefix() string {
	if o.Registry == "" {
		return ""
	}
	return strings.TrimRight(o.Registry, "/") + "/"
}

func pick[T comparable](field *T, asked T) {
	var zero T
	if asked != zero {
		*field = asked
	}
}

func pickList(field *[]string, asked []string) {
	if len(asked) > 0 {
		*field = asked
	}
}
