// Package render turns a release, options and secrets into the files of an install. It is pure: the same input gives
// the same bytes.
package render

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"text/template"

	"syncmaster-setup/compose"
	"syncmaster-setup/internal/config"
	"syncmaster-setup/internal/envfile"
	"syncmaster-setup/internal/release"
	"syncmaster-setup/templates"
)

const (
	uiAuthProvider = "SYNCMASTER__UI__AUTH_PROVIDER"
	loggingPreset  = "SYNCMASTER__LOGGING__PRESET"
)

// Files are the texts of the Compose project.
type Files struct {
	Compose string // docker-compose.yml
	Env     string // .env
	AppEnv  string // .env.docker
}

// Render writes the files of a fresh install. A value that no env file can carry is an error.
func Render(in Input) (Files, error) {
	app, err := appValues(in)
	if err != nil {
		return Files{}, err
	}
	view := viewOf(in)
	var files Files
	if files.Compose, err = execute(compose.FS, "docker-compose.yml.tmpl", view, nil); err != nil {
		return Files{}, err
	}
	if files.Env, err = executeEnv("env.tmpl", view, in.Release, composeValues(in)); err != nil {
		return Files{}, err
	}
	files.AppEnv, err = executeEnv("env.docker.tmpl", view, in.Release, app)
	return files, err
}

// Update applies to the env files what differs between two inputs, and renders the Compose file anew. A value that the
// user has changed since it was written stays, unless an option that was asked for now decides it.
func Update(old Files, before, after Input, asked config.Options) (Files, error) {
	appBefore, err := appValues(before)
	if err != nil {
		return Files{}, err
	}
	appAfter, err := appValues(after)
	if err != nil {
		return Files{}, err
	}
	fresh, err := Render(after)
	if err != nil {
		return Files{}, err
	}
	updated := Files{Compose: fresh.Compose}
	if updated.Env, err = change(old.Env, composeValues(before), composeValues(after), named(asked)); err != nil {
		return Files{}, fmt.Errorf("changing .env: %w", err)
	}
	if updated.AppEnv, err = change(old.AppEnv, appBefore, appAfter, named(asked)); err != nil {
		return Files{}, fmt.Errorf("changing .env.docker: %w", err)
	}
	return updated, nil
}

// view is what the templates see.
type view struct {
	Version                  string
	PostgresTag              string
	RabbitMQTag              string
	WorkerCommand            string
	ServerHealthcheckInImage bool
	UIAuthProvider           bool
	Database                 bool
	Broker                   bool
	Platform                 string
	SuperusersSetting        string
	PercentInURL             bool // of the database

	release release.Release
	options config.Options
}

// Has reports whether the release reads a setting.
func (v view) Has(name string) bool {
	_, has := v.release.Setting(name)
	return has
}

// Image returns the image of a service, as the Compose file names it.
func (v view) Image(service string) string {
	if built := v.options.BuiltImage(service); built != "" {
		return built
	}
	return "${IMAGE_PREFIX:-}" + v.release.Image(release.Component(service)).Repository + ":${VERSION:?is missing in .env}"
}

// Build returns the build section of a service's image, as SyncMaster's sample has it, or nothing. An image that is built
// here must not be looked for in a registry.
func (v view) Build(service string) string {
	switch {
	case v.options.BuiltImage(service) != "":
		return "\n    pull_policy: never"
	case v.options.Source == "":
		return ""
	}
	return fmt.Sprintf("\n    build:\n      dockerfile: docker/Dockerfile.%s\n      context: %q\n      target: prod", service, v.options.Source)
}

func viewOf(in Input) view {
	r := in.Release
	v := view{
		Version: r.Version, release: r, options: in.Options,
		PostgresTag: r.Image(release.Database).Tag, RabbitMQTag: r.Image(release.Broker).Tag,
		WorkerCommand:            strings.Join(r.WorkerCommand("${WORKER_QUEUES}"), " "),
		ServerHealthcheckInImage: r.Image(release.Server).HealthCheck,
		Database:                 !in.Options.ExternalDatabase, Broker: !in.Options.ExternalBroker,
		Platform:     in.Options.Platform,
		PercentInURL: strings.Contains(in.DatabaseURL().Reveal(), "%"),
	}
	v.UIAuthProvider = v.Has(uiAuthProvider)
	v.SuperusersSetting, _, _ = r.Superusers(nil) // no names, no error
	return v
}

// executeEnv fills an env file template; a variable of values that the template does not place follows at the end.
func executeEnv(name string, v view, r release.Release, values []pair) (string, error) {
	left := map[string]string{}
	for _, p := range values {
		left[p.name] = p.value
	}
	env := func(name string) (string, error) {
		value, given := left[name]
		if !given {
			s, _ := r.Setting(name)
			return "#" + name + "=" + s.Default, nil
		}
		delete(left, name)
		return assignment(name, value)
	}
	text, err := execute(templates.FS, name, v, template.FuncMap{"env": env})
	if err != nil {
		return "", err
	}
	var further strings.Builder
	for _, p := range values {
		if value, unplaced := left[p.name]; unplaced {
			delete(left, p.name)
			line, err := assignment(p.name, value)
			if err != nil {
				return "", err
			}
			further.WriteString(line + "\n")
		}
	}
	if further.Len() > 0 {
		text += "\n# Further settings\n" + further.String()
	}
	return text, nil
}

func execute(files fs.FS, name string, v view, funcs template.FuncMap) (string, error) {
	if funcs == nil {
		funcs = template.FuncMap{}
	}
	t, err := template.New(name).Funcs(funcs).Option("missingkey=error").ParseFS(files, name)
	if err != nil {
		return "", fmt.Errorf("parsing the template %s: %w", name, err)
	}
	var text bytes.Buffer
	if err := t.Execute(&text, v); err != nil {
		return "", fmt.Errorf("filling the template %s: %w", name, err)
	}
	return text.String(), nil
}

func assignment(name, value string) (string, error) {
	quoted, err := envfile.Quote(value)
	if err != nil {
		return "", fmt.Errorf("writing %s: %w", name, err)
	}
	return name + "=" + quoted, nil
}

// change sets in text what differs between before and after, where the text still has the value of before or the
// variable was asked for by name.
func change(text string, before, after []pair, asked []string) (string, error) {
	file, err := envfile.Parse(text)
	if err != nil {
		return "", err
	}
	old := map[string]string{}
	for _, p := range before {
		old[p.name] = p.value
	}
	for _, p := range after {
		previous, had := old[p.name]
		current, has := file.Get(p.name)
		same := had == has && current == previous
		if explicit := slices.Contains(asked, p.name); p.value == current && has || !explicit && (had && p.value == previous || !same) {
			continue
		}
		if file, err = set(file, p); err != nil {
			return "", err
		}
	}
	return file.String(), nil
}

// set gives a variable its value; one that stands commented out gets it there, among its explanations.
func set(file *envfile.File, p pair) (*envfile.File, error) {
	text := file.String()
	start := strings.Index("\n"+text, "\n#"+p.name+"=")
	if _, has := file.Get(p.name); has || start < 0 {
		return file, file.Set(p.name, p.value)
	}
	line, err := assignment(p.name, p.value)
	if err != nil {
		return file, err
	}
	_, rest, _ := strings.Cut(text[start:], "\n")
	return envfile.Parse(text[:start] + line + "\n" + rest)
}

// named returns the variables that the user asked for, one by one or by an option that is about them.
func named(asked config.Options) []string {
	var names []string
	for _, s := range asked.Set {
		names = append(names, strings.ToUpper(s.Name))
	}
	for name, is := range map[string]bool{
		"BIND_ADDRESS": asked.Bind != "", "COMPOSE_PROFILES": len(asked.Profiles) > 0, "WORKER_QUEUES": len(asked.Queues) > 0,
		"IMAGE_PREFIX": asked.Registry != "", "TZ": asked.Timezone != "", "SYNCMASTER__UI__API_BROWSER_URL": asked.PublicURL != "",
		"SYNCMASTER__SERVER__CORS__ALLOW_ORIGINS": asked.UIURL != "", "SYNCMASTER__AUTH__PROVIDER": asked.Auth != "", uiAuthProvider: asked.Auth != "",
		"SYNCMASTER__SUPERUSERS": len(asked.Superusers) > 0, "SYNCMASTER__ENTRYPOINT__SUPERUSERS": len(asked.Superusers) > 0,
	} {
		if is {
			names = append(names, name)
		}
	}
	return names
}
