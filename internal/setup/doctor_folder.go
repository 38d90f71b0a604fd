package setup

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"syncmaster-setup/internal/envfile"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/workdir"
)

func checkInterrupted(v *sight) (Level, string, string) {
	switch {
	case v.openErr != nil:
		return Fail, v.openErr.Error(), fault.HintOf(v.openErr)
	case v.interrupted():
		return Fail, v.interruption(), v.afterInterruption()
	case v.changing():
		return Warn, v.work.Text, v.afterWork()
	case v.work != nil:
		return Pass, v.work.Text, ""
	case v.state.Phase != workdir.Installed:
		return Fail, "the install is not complete", v.initially()
	}
	return Pass, "", ""
}

func checkModes(v *sight) (Level, string, string) {
	switch {
	case v.looseErr != nil:
		return Missing, v.words(v.looseErr), ""
	case len(v.loose) > 0:
		return Fail, "others than the owner may read or write " + strings.Join(v.loose, ", "),
			v.inFolder("chmod -R go= " + strings.Join(v.loose, " "))
	case v.writable != nil:
		return Warn, v.words(v.writable), "run syncmaster-setup as the user who owns the folder"
	}
	return Pass, "", ""
}

func checkComposeProject(v *sight) (Level, string, string) {
	if v.projectErr != nil {
		return Fail, v.words(v.projectErr), fault.HintOf(v.projectErr)
	}
	return Pass, "", ""
}

func checkComposeFile(v *sight) (Level, string, string) {
	if v.editedCompose() {
		return Warn, workdir.ComposeFile + " was edited by hand: init keeps it, and an upgrade will refuse it", v.composeBack()
	}
	return Pass, "", ""
}

func checkEnvironment(v *sight) (Level, string, string) {
	var set []string
	for _, name := range composeVariables {
		if v.setup.System != nil && v.setup.System.Getenv(name) != "" {
			set = append(set, name)
		}
	}
	if len(set) > 0 {
		return Warn, fmt.Sprintf("the environment sets %s, which beats .env when you type docker compose", strings.Join(set, ", ")), "unset " + strings.Join(set, " ")
	}
	return Pass, "", ""
}

// sample is a setting with a value that everybody knows, and the file that gives it.
type sample struct{ name, file string }

// samples finds them in the env files, in what the user has added to the services, and in settings files.
func (v *sight) samples() []sample {
	var found []sample
	given := map[string]bool{} // values of the env files, which services may get under another name
	add := func(name, value, file string) {
		if one := (sample{strings.ToUpper(name), file}); v.release.IsSampleSecret(name, value) && !slices.Contains(found, one) {
			found = append(found, one)
		}
	}
	for _, file := range []string{workdir.EnvFile, workdir.AppEnvFile} {
		parsed, err := envfile.Parse(v.texts[file])
		if err != nil {
			continue
		}
		for name, value := range parsed.Map() {
			given[value] = true
			add(name, value, file)
		}
	}
	for _, service := range v.serviceNames() {
		for name, value := range v.environment(release.Component(service)) {
			if !given[value] {
				add(name, value, workdir.OverrideFile)
			}
		}
	}
	for _, f := range v.configs {
		settings, _ := v.inConfig(f.service)
		effective := v.effective(f.service)
		for name, value := range settings {
			if effective[name] == value {
				add(name, value, f.source)
			}
		}
	}
	slices.SortFunc(found, func(a, b sample) int { return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.file, b.file)) })
	return found
}

// checkSamples names the settings, never their values.
func checkSamples(v *sight) (Level, string, string) {
	found := v.samples()
	if len(found) == 0 {
		return Pass, "", ""
	}
	var names []string
	for _, one := range found {
		names = append(names, one.name+" in "+one.file)
	}
	return Fail, "everybody knows the value of " + strings.Join(names, ", ") + ": it is in SyncMaster's public samples", v.replaceSamples(found)
}

// replaceSamples is how they get other values. Those that a server keeps as well are changed there first; those that only
// SyncMaster knows are generated, all at once.
func (v *sight) replaceSamples(found []sample) string {
	var exports, sets, advice []string
	for _, one := range found {
		again := v.inFolder("syncmaster-setup init")
		set := v.inFolder("syncmaster-setup init --set " + one.name)
		switch {
		case one.file != workdir.EnvFile && one.file != workdir.AppEnvFile:
			advice = append(advice, "choose another value for "+one.name+" in "+one.file+", then: "+again)
		case one.name == fernetSetting:
			advice = append(advice, v.newKey())
		case slices.Contains([]string{databaseURL, brokerURL, "POSTGRES_PASSWORD", "RABBITMQ_PASSWORD", "MIGRATIONS_DATABASE_URL"}, one.name):
			if change := "change the password in the server, then in .env and .env.docker, then: " + again; !slices.Contains(advice, change) {
				advice = append(advice, change)
			}
		case strings.HasSuffix(one.name, "__KEYCLOAK__CLIENT_SECRET"):
			advice = append(advice, "let Keycloak make a new secret for the client and put it into the environment as "+one.name+", then: "+set)
		case strings.HasSuffix(one.name, "__HWM_STORE__PASSWORD"):
			advice = append(advice, "change the password in Horizon and put it into the environment as "+one.name+", then: "+set)
		default:
			exports = append(exports, one.name+`="$(head -c 32 /dev/urandom | base64)"`)
			sets = append(sets, "--set "+one.name)
		}
	}
	if len(sets) > 0 {
		generate := "export " + strings.Join(exports, " ") + " && " + v.inFolder("syncmaster-setup init "+strings.Join(sets, " "))
		advice = append([]string{generate}, advice...)
	}
	if rest := advice[1:]; len(rest) > 0 {
		return advice[0] + "    (and: " + strings.Join(rest, "; ") + ")"
	}
	return advice[0]
}

func checkPercent(v *sight) (Level, string, string) {
	url := v.settings[databaseURL]
	if !strings.Contains(url, "%") {
		return Pass, "", ""
	}
	doubled, _ := v.value(workdir.EnvFile, "MIGRATIONS_DATABASE_URL")
	if doubled == v.release.MigrationsDatabaseURL(url) && strings.Contains(v.texts[workdir.ComposeFile], "MIGRATIONS_DATABASE_URL") {
		return Pass, "each percent sign is doubled for the migrations", ""
	}
	return Warn, databaseURL + " holds a percent sign, which Alembic cannot read: the release's own migrations fail",
		"choose a password without characters that need encoding, or set MIGRATIONS_DATABASE_URL in .env with each % doubled"
}

func checkApplied(v *sight) (Level, string, string) {
	switch drifted := v.drifted(); {
	case v.engine == nil:
		return v.noEngine()
	case len(drifted) > 0:
		return Warn, "the files ask for something else than what runs in: " + strings.Join(drifted, ", "), v.initially()
	}
	return Pass, "", ""
}
