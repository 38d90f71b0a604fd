package setup

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"syncmaster-setup/internal/envfile"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/secret"
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
		return Fail, "the install is not complete", v.inFolder("syncmaster-setup init")
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
	switch {
	case v.projectErr != nil:
		return Fail, v.words(v.projectErr), fault.HintOf(v.projectErr)
	case v.project == nil:
		return v.noEngine()
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

// checkSamples names the settings, never their values.
func checkSamples(v *sight) (Level, string, string) {
	found := map[string]string{}
	for _, file := range []string{workdir.EnvFile, workdir.AppEnvFile} {
		parsed, err := envfile.Parse(v.texts[file])
		if err != nil {
			continue
		}
		for name, value := range parsed.Map() {
			if v.release.IsSampleSecret(name, value) {
				found[name] = file
			}
		}
	}
	if len(found) == 0 {
		return Pass, "", ""
	}
	var names []string
	for name, file := range found {
		names = append(names, name+" in "+file)
	}
	slices.Sort(names)
	return Fail, "everybody knows the value of " + strings.Join(names, ", ") + ": it is in SyncMaster's public samples", v.replaceSecret(names[0])
}

// replaceSecret is how a secret gets another value; those that a server keeps as well must be changed there first.
func (v *sight) replaceSecret(where string) string {
	name, _, _ := strings.Cut(where, " ")
	switch name {
	case fernetSetting:
		return "choose a new Fernet key in " + v.setup.Dir.File(workdir.AppEnvFile) + ", type " + v.inFolder("syncmaster-setup init") +
			", and enter the credentials of every connection again: they cannot be read with another key"
	case databaseURL, brokerURL, "POSTGRES_PASSWORD", "RABBITMQ_PASSWORD", "MIGRATIONS_DATABASE_URL":
		return "change the password in the server, then in .env and .env.docker, then: " + v.inFolder("syncmaster-setup init")
	}
	return "export " + name + `="$(head -c 32 /dev/urandom | base64)" && ` + v.inFolder("syncmaster-setup init --set "+name)
}

func checkStoredKey(v *sight) (Level, string, string) {
	key := v.settings[fernetSetting]
	if err := secret.CheckFernetKey(key); err != nil {
		return Fail, fmt.Sprintf("%s is not a Fernet key: %v; SyncMaster finds out only when it is needed", fernetSetting, err), v.rightKey()
	}
	switch {
	case v.database.err != nil:
		return Missing, "the database does not answer", ""
	case !opensAll(secret.NewText(key), v.database.tokens):
		return Fail, "the encryption key does not open the credentials that are stored in the database: transfers fail", v.rightKey()
	case len(v.database.tokens) == 0:
		return Pass, "no credentials are stored yet", ""
	}
	return Pass, fmt.Sprintf("it opens the newest %d stored credentials", len(v.database.tokens)), ""
}

// rightKey is where the key is, as far as the folder knows.
func (v *sight) rightKey() string {
	file := v.setup.Dir.File(workdir.AppEnvFile)
	if v.goodKey == "" {
		return fmt.Sprintf("put the right %s, from a copy of the file or a backup, into %s, then: %s", fernetSetting, file, v.inFolder("syncmaster-setup init"))
	}
	return fmt.Sprintf("the key in %s opens them: copy its line %s into %s, then: %s", v.goodKey, fernetSetting, file, v.inFolder("syncmaster-setup init"))
}

// effective are the settings that the services get: those of .env.docker, and what the user's override adds.
func (v *sight) effective() map[string]string {
	all := map[string]string{}
	for name, value := range v.settings {
		all[name] = value
	}
	if v.project == nil {
		return all
	}
	for _, service := range []string{"server", "scheduler", "worker"} {
		for name, value := range v.project.Services[service].Environment {
			if value != nil {
				all[name] = *value
			}
		}
	}
	return all
}

func checkSettings(v *sight) (Level, string, string) {
	var running []release.Component
	for _, name := range v.options.Services() {
		running = append(running, release.Component(name))
	}
	traps := slices.DeleteFunc(v.release.Traps(v.effective(), running), func(t release.Trap) bool { return t.Name == uiAddress })
	if len(traps) == 0 {
		return Pass, "", ""
	}
	level := Warn
	var lines []string
	for _, t := range traps {
		if t.Fatal {
			level = Fail
		}
		lines = append(lines, t.What)
	}
	return level, strings.Join(lines, "\n"), "correct " + v.setup.Dir.File(workdir.AppEnvFile) + " (or the override file), then: " + v.inFolder("syncmaster-setup init")
}

// uiAddress is what the frontend needs: .env and the Compose file give it.
const uiAddress = "SYNCMASTER__UI__API_BROWSER_URL"

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

// checkConfigFile warns of a second place for settings, with the trap of the documented keys in lower case.
func checkConfigFile(v *sight) (Level, string, string) {
	_, reads := v.release.Setting("SYNCMASTER_CONFIG_FILE")
	if !reads || v.project == nil {
		return Pass, "", ""
	}
	for name, service := range v.project.Services {
		for _, mount := range service.Volumes {
			if strings.HasSuffix(mount.Target, "config.yml") {
				return Warn, fmt.Sprintf("%s reads %s: .env.docker wins over it key by key, and scheduler keys in lower case in it are ignored", name, mount.Target),
					"keep all settings in " + workdir.AppEnvFile
			}
		}
	}
	return Pass, "", ""
}

// public reports whether others than this machine reach server and UI.
func (v *sight) public() bool {
	addr, err := netip.ParseAddr(v.options.Bind)
	return err != nil || !addr.IsLoopback()
}

func checkLogin(v *sight) (Level, string, string) {
	provider, known := v.effective()["SYNCMASTER__AUTH__PROVIDER"]
	if (known && !strings.HasSuffix(provider, ".DummyAuthProvider")) || !slices.Contains(v.options.Services(), "server") {
		return Pass, "", ""
	}
	if v.public() {
		return Fail, "the dummy login accepts any name with any password, and the server is published on " + v.options.Bind,
			v.inFolder("syncmaster-setup init --bind 127.0.0.1") + "    (or choose --auth keycloak)"
	}
	return Pass, "the dummy login accepts any password; only this machine reaches it", ""
}

func checkDebug(v *sight) (Level, string, string) {
	on := strings.ToLower(v.effective()["SYNCMASTER__SERVER__DEBUG"])
	if !slices.Contains([]string{"true", "1", "yes", "on", "t", "y"}, on) {
		return Pass, "", ""
	}
	if v.public() {
		return Warn, "the server tells error details to everybody who reaches it", v.inFolder("syncmaster-setup init --set SYNCMASTER__SERVER__DEBUG=false")
	}
	return Pass, "debug is on; only this machine reaches the server", ""
}

func checkApplied(v *sight) (Level, string, string) {
	switch drifted := v.drifted(); {
	case v.engine == nil:
		return v.noEngine()
	case len(drifted) > 0:
		return Warn, "the files ask for something else than what runs in: " + strings.Join(drifted, ", "), v.inFolder("syncmaster-setup init")
	}
	return Pass, "", ""
}
