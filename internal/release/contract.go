package release

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Component is a container of the stack, named as its Compose service in the sample.
type Component string

// The components of contract.md, section 1.
const (
	Server     Component = "server"
	Scheduler  Component = "scheduler"
	Worker     Component = "worker"
	Migrations Component = "migrations"
	Frontend   Component = "frontend"
	Database   Component = "db"
	Broker     Component = "rabbitmq"
)

// PrometheusDir is where several server processes share their metrics; it needs a tmpfs (contract.md, section 1).
const PrometheusDir = "/tmp/prometheus-metrics"

// Image is what a component runs (contract.md, section 1).
type Image struct {
	Repository  string
	Tag         string
	Port        int      // port inside the container, 0 for none
	User        string   // user inside the container; empty: the image's own entrypoint decides
	HealthCheck bool     // the image declares one
	Platforms   []string // GOOS/GOARCH pairs that are published; nil: as the upstream image
}

// String returns repository:tag.
func (i Image) String() string { return i.Repository + ":" + i.Tag }

// Image returns the image of a component. An unknown component gives the zero Image.
func (r Release) Image(c Component) Image {
	user, platforms := "root", []string{"linux/amd64", "linux/arm64"}
	if r.from("0.2.1") {
		user = "syncmaster"
	}
	python := platforms
	if r.Floating {
		python = platforms[:1]
	}
	switch c {
	case Server, Migrations:
		return Image{"mtsrus/syncmaster-server", r.Version, 8000, user, r.from("0.2.1"), python}
	case Scheduler:
		return Image{"mtsrus/syncmaster-scheduler", r.Version, 0, user, false, python}
	case Worker:
		return Image{"mtsrus/syncmaster-worker", r.Version, 0, user, false, python}
	case Frontend:
		return Image{"mtsrus/syncmaster-ui", r.Version, 3000, "root", r.from("0.2.1"), platforms}
	case Database:
		return Image{Repository: "postgres", Tag: "17", Port: 5432}
	case Broker:
		// 4.3 refuses the queues that Celery declares for remote control (contract.md, section 5)
		return Image{Repository: "rabbitmq", Tag: "4.2", Port: 5672}
	}
	return Image{}
}

// WorkerCommand returns the arguments for the worker image's entrypoint. Without queues the worker would listen on
// "celery", which SyncMaster never uses; the caller should not start it then.
func (r Release) WorkerCommand(queues ...string) []string {
	command, option := []string{"--loglevel=info"}, "-Q"
	if r.from("0.3.0") {
		command, option = []string{"worker", "--loglevel=info"}, "--queues"
	}
	if len(queues) == 0 {
		return command
	}
	return append(command, option, strings.Join(queues, ","))
}

// MigrationsEntrypoint returns the entrypoint of the one-off migrations container, Alembic's own words following.
func (r Release) MigrationsEntrypoint() []string {
	return []string{"python", "-m", "syncmaster.db.migrations", "upgrade", "head"}
}

// MigrationsDatabaseURL returns the database URL as the migrations container needs it: Alembic passes it through the
// interpolation of ini files, so each percent sign is doubled (contract.md, section 2, trap 5).
func (r Release) MigrationsDatabaseURL(url string) string { return strings.ReplaceAll(url, "%", "%%") }

// MetricsTmpfs returns the tmpfs entry for [PrometheusDir], writable for the image's user.
func (r Release) MetricsTmpfs() string {
	if r.from("0.2.1") {
		return PrometheusDir + ":mode=1777"
	}
	return PrometheusDir
}

// APIAddress returns the address that the frontend needs from the address of the server as browsers see it: with /v1
// up to 0.2.3, without it from 0.2.4 (contract.md, section 7). An address of another release is converted.
func (r Release) APIAddress(publicURL string) string {
	base := strings.TrimSuffix(strings.TrimRight(publicURL, "/"), "/v1")
	if r.from("0.2.4") {
		return base
	}
	return base + "/v1"
}

// Superusers returns the setting that names the superusers, and its value for them: comma text that a shell splits up
// to 0.2.5, a JSON list from 0.3.0. A name that this form cannot carry is an error.
func (r Release) Superusers(names []string) (name, value string, err error) {
	for _, n := range names {
		if n == "" || strings.TrimSpace(n) != n {
			return "", "", fmt.Errorf("%q is not a name of a superuser", n)
		}
	}
	if r.from("0.3.0") {
		list, err := marshalList(names)
		return "SYNCMASTER__SUPERUSERS", list, err
	}
	for _, n := range names {
		if at := strings.IndexAny(n, " \t\n,*?[]\\'\"$`"); at >= 0 {
			return "", "", fmt.Errorf("the superuser %q contains %q, which release %s splits or expands in a shell", n, n[at], r)
		}
	}
	return "SYNCMASTER__ENTRYPOINT__SUPERUSERS", strings.Join(names, ","), nil
}

// CookieSecret returns the name of the setting that signs the session cookie.
func (r Release) CookieSecret() string {
	if r.from("0.3.0") {
		return "SYNCMASTER__AUTH__COOKIE__SECRET_KEY"
	}
	return "SYNCMASTER__SERVER__SESSION__SECRET_KEY"
}

// NeedsWorkerSection reports whether the worker refuses to start unless SYNCMASTER__WORKER={} or one of the variables
// below it is set (contract.md, section 2, trap 2).
func (r Release) NeedsWorkerSection() bool { return r.from("0.3.0") }

// DrainBeforeStop reports whether runs may be lost when a worker is stopped while it works, however long it is given:
// Celery before 5.6 sends no heartbeats during a warm shutdown (contract.md, section 4).
func (r Release) DrainBeforeStop() bool { return !r.from("0.3.0") }

// Value is a setting with the value it should get.
type Value struct{ Name, Value string }

// CORS returns the settings that let a frontend on another origin than the server's call it (contract.md, section 7).
func (r Release) CORS(origin string) ([]Value, error) {
	origins, err := marshalList([]string{strings.TrimRight(origin, "/")})
	if err != nil {
		return nil, err
	}
	methods := `["GET","POST","PUT","DELETE"]`
	if !r.from("0.2.2") {
		methods = `["GET","POST","PUT","PATCH","DELETE"]`
	}
	values := []Value{
		{"SYNCMASTER__SERVER__CORS__ALLOW_ORIGINS", origins},
		{"SYNCMASTER__SERVER__CORS__ALLOW_METHODS", methods},
		{"SYNCMASTER__SERVER__CORS__ALLOW_HEADERS", `["Authorization","Content-Type","X-Request-ID","X-Request-With"]`},
		{"SYNCMASTER__SERVER__CORS__EXPOSE_HEADERS", `["X-Request-ID","Location","Access-Control-Allow-Credentials"]`},
	}
	if r.from("0.2.5") {
		values = append(values, Value{"SYNCMASTER__SERVER__CORS__ALLOW_CREDENTIALS", "true"})
	}
	return values, nil
}

// marshalList writes a JSON list without the escapes that only HTML needs.
func marshalList(items []string) (string, error) {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if items == nil {
		items = []string{}
	}
	if err := encoder.Encode(items); err != nil {
		return "", fmt.Errorf("writing a list as JSON: %w", err)
	}
	return strings.TrimSuffix(text.String(), "\n"), nil
}
