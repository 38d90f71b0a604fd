package setup

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"syncmaster-setup/internal/config"
	"syncmaster-setup/internal/envfile"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/render"
	"syncmaster-setup/internal/secret"
	"syncmaster-setup/internal/workdir"
)

// decision is what an install will be, made from one observation.
type decision struct {
	input    render.Input
	files    render.Files
	settings map[string]string // of .env.docker as it will be
	writes   bool              // the files differ from those in the folder
	notes    []string
	warnings []string
}

// decide returns the files of the install, or every reason why there can be none: those that the caller has found and
// its own. random is read for secrets that no file holds.
func (w world) decide(random io.Reader, problems *fault.Problems) (decision, error) {
	d := decision{warnings: w.warnings()}
	ports, notes := w.decidePorts()
	d.notes = notes
	secrets, err := w.secrets(random)
	if err != nil {
		return d, err
	}
	d.input = render.Input{Release: w.release, Options: w.options, Ports: ports, Secrets: secrets}
	if d.files, err = w.desired(d.input); err != nil {
		problems.Merge(err)
	}
	app, err := envfile.Parse(d.files.AppEnv)
	if err != nil {
		return d, fmt.Errorf("reading what %s will be: %w", workdir.AppEnvFile, err)
	}
	d.settings = app.Map()
	w.keepEdits(&d, problems)
	w.explain(&d)
	return d, problems.Err()
}

// desired renders a fresh install, or applies what the user asks for to the files that are there.
func (w world) desired(in render.Input) (render.Files, error) {
	base := w.current()
	if base.Env == "" || base.AppEnv == "" {
		return render.Render(in)
	}
	if w.options.Dev && w.state.Version != w.options.Version {
		return w.switched(base, in)
	}
	before := in
	before.Options = w.edited(w.state.Options)
	if profiles := w.profiles(); len(profiles) > 0 {
		before.Options.Profiles = profiles
	}
	before.Options.Version, before.Options.Project = w.state.Version, w.state.Project
	before.Options = before.Options.Defaults(w.release.Version)
	before.Options.DatabaseURL, before.Options.BrokerURL = w.recorded(databaseURL), w.recorded(brokerURL)
	before.Ports = portsOf(base.Env)
	return render.Update(base, before, in, w.asked)
}

// current returns the texts that an install goes on from: those in the folder, completed from the last generation
// where a killed run has not put them into place.
func (w world) current() render.Files {
	texts := map[string]string{}
	if !w.installed {
		return render.Files{}
	}
	for _, source := range []map[string]string{w.last, w.texts} {
		for name, text := range source {
			if text != "" {
				texts[name] = text
			}
		}
	}
	return filesOf(texts)
}

// setting returns a variable of .env.docker as it will be: what the containers get.
func (d decision) setting(name string) secret.Text { return secret.NewText(d.settings[name]) }

// keepEdits leaves a Compose file that the user has edited as it is, and refuses where it would have to change.
func (w world) keepEdits(d *decision, p *fault.Problems) {
	onDisk, exists := w.texts[workdir.ComposeFile]
	written := w.last[workdir.ComposeFile]
	if edited := w.installed && exists && onDisk != written; edited {
		if d.files.Compose != written {
			p.Add(fmt.Sprintf("%s was edited by hand, and these options change it", workdir.ComposeFile),
				"move your changes to docker-compose.override.yml, then: cp .syncmaster-setup/generations/"+
					fmt.Sprintf("%04d/%s %s", w.lastGen, workdir.ComposeFile, workdir.ComposeFile))
			return
		}
		d.files.Compose = onDisk
		d.warnings = append(d.warnings, workdir.ComposeFile+" was edited by hand and is kept; an upgrade will refuse it: use docker-compose.override.yml for changes")
	}
	for name, text := range textsOf(d.files) {
		if w.texts[name] != text {
			d.writes = true
		}
	}
}

// explain notes what the user should know about this install.
func (w world) explain(d *decision) {
	if w.stopped != "" && w.state.Phase == workdir.Installing {
		d.notes = append(d.notes, "an earlier run was interrupted at: "+w.stopped+"; this one goes on from there")
	}
	if w.options.Dev && w.imageMigrates() {
		d.notes = append(d.notes, fmt.Sprintf("revision %s is none that this program carries: the checkout's own image migrates the database", w.head()))
		return
	}
	if w.release.Unknown && w.imageMigrates() {
		d.notes = append(d.notes, fmt.Sprintf("release %s is newer than this program: it is installed like %s, and its own image migrates the database",
			w.release, release.Newest()))
	}
	if w.release.Floating && w.imageMigrates() {
		d.notes = append(d.notes, fmt.Sprintf("%s is a moving tag: its own image migrates the database", w.release))
	}
}

// portsOf reads the published ports from the text of an env file; one that is missing or no port is 0.
func portsOf(env string) config.Ports {
	file, err := envfile.Parse(env)
	if err != nil {
		return config.Ports{}
	}
	port := func(name string) uint16 {
		value, _ := file.Get(name)
		n, err := strconv.ParseUint(value, 10, 16)
		if err != nil {
			return 0
		}
		return uint16(n)
	}
	return config.Ports{Server: port("SERVER_PORT"), UI: port("UI_PORT"), Database: port("DB_PORT"), Broker: port("BROKER_PORT")}
}

// secrets returns the values that the files hold, and generates those that none holds.
func (w world) secrets(random io.Reader) (render.Secrets, error) {
	var s render.Secrets
	for _, v := range []struct {
		into       *secret.Text
		file, name string
		generate   func() (secret.Text, error)
	}{
		{&s.FernetKey, workdir.AppEnvFile, fernetSetting, func() (secret.Text, error) { return secret.FernetKey(random) }},
		{&s.DatabasePassword, workdir.EnvFile, "POSTGRES_PASSWORD", generator(random)},
		{&s.BrokerPassword, workdir.EnvFile, "RABBITMQ_PASSWORD", generator(random)},
		{&s.CookieKey, workdir.AppEnvFile, w.release.CookieSecret(), generator(random)},
		{&s.TokenKey, workdir.AppEnvFile, "SYNCMASTER__AUTH__ACCESS_TOKEN__SECRET_KEY", generator(random)},
	} {
		if key, have := w.fernetKey(); have && v.name == fernetSetting {
			*v.into = key
			continue
		}
		if value, has := w.value(v.file, v.name); has && value != "" {
			*v.into = secret.NewText(value)
			continue
		}
		generated, err := v.generate()
		if err != nil {
			return s, fmt.Errorf("generating %s: %w", v.name, err)
		}
		*v.into = generated
	}
	return s, nil
}

// fernetKey returns the key that this install would use, and false where it would be a new one.
func (w world) fernetKey() (secret.Text, bool) {
	for _, s := range w.options.Set {
		if strings.EqualFold(s.Name, fernetSetting) {
			return s.Value, true
		}
	}
	value, has := w.value(workdir.AppEnvFile, fernetSetting)
	return secret.NewText(value), has && value != ""
}

// recorded returns a setting of the env file in the folder.
func (w world) recorded(name string) secret.Text {
	value, _ := w.value(workdir.AppEnvFile, name)
	return secret.NewText(value)
}

// passwordLength gives more than 256 bits from 62 characters.
const passwordLength = 44

func generator(random io.Reader) func() (secret.Text, error) {
	return func() (secret.Text, error) { return secret.Generate(random, passwordLength) }
}
