package setup

import (
	"fmt"
	"slices"
	"strings"

	"syncmaster-setup/internal/envfile"
	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/workdir"
)

// readers are the services that read SyncMaster's settings; the frontend has its own.
var readers = []release.Component{release.Server, release.Scheduler, release.Worker}

// environment is what a service gets, with the user's override; without a project what the env files say.
func (v *sight) environment(c release.Component) map[string]string {
	if v.project != nil {
		if service, enabled := v.project.Services[string(c)]; enabled {
			env := map[string]string{}
			for name, value := range service.Environment {
				if value != nil {
					env[name] = *value
				}
			}
			return env
		}
	}
	if slices.Contains(readers, c) {
		return v.settings
	}
	env := map[string]string{}
	if c != release.Frontend {
		return env
	}
	if file, err := envfile.Parse(v.texts[workdir.EnvFile]); err == nil {
		for name, value := range file.Map() {
			if strings.HasPrefix(name, "SYNCMASTER__UI__") {
				env[name] = value
			}
		}
	}
	return env
}

// effective are the settings that a service goes by, by upper-case names: its environment over its settings file.
func (v *sight) effective(c release.Component) map[string]string {
	all, _ := v.inConfig(c)
	for name, value := range release.Upper(v.environment(c)) {
		all[name] = value
	}
	return all
}

func checkSettings(v *sight) (Level, string, string) {
	level := Pass
	var lines, files []string
	for _, c := range readers {
		env := v.environment(c)
		traps := v.release.Traps(c, env)
		if slices.Contains(v.options.Services(), string(c)) {
			traps = append(traps, v.release.Lacks(c, v.effective(c))...)
		}
		if c == release.Worker && v.noStore != "" {
			traps = append(traps, release.Trap{Name: "SYNCMASTER__HWM_STORE__URL",
				What: fmt.Sprintf("neither a container nor this machine's name server knows %s of SYNCMASTER__HWM_STORE__URL: every run fails that cannot reach its store", printable(v.noStore))})
		}
		for _, t := range traps {
			if t.Fatal {
				level = Fail
			} else if level == Pass {
				level = Warn
			}
			if slices.Contains(lines, t.What) {
				continue
			}
			lines = append(lines, t.What)
			if file := v.fileOf(t.Name, env); !slices.Contains(files, file) {
				files = append(files, file)
			}
		}
	}
	if len(lines) == 0 {
		return Pass, "", ""
	}
	return level, strings.Join(lines, "\n"), "correct " + strings.Join(files, " and ") + ", then: " + v.inFolder("syncmaster-setup init")
}

// fileOf is where a setting of a service is to be corrected: the override file, where it comes from there.
func (v *sight) fileOf(name string, env map[string]string) string {
	return v.setup.Dir.File(overridden(name, env, v.settings, workdir.AppEnvFile))
}

// overridden is the file that decides a variable of a service: the one that places it, or the override file where the
// service gets another value.
func overridden(name string, env, placed map[string]string, file string) string {
	if value, given := release.Upper(env)[name]; given && value != release.Upper(placed)[name] {
		return workdir.OverrideFile
	}
	return file
}

// checkUI compares what the frontend and the server get.
func checkUI(v *sight) (Level, string, string) {
	services := v.options.Services()
	if !slices.Contains(services, "frontend") {
		return Pass, "", ""
	}
	_, ui := v.options.URLs(portsOf(v.current().Env))
	env := v.environment(release.Frontend)
	front, _ := v.inConfig(release.Frontend)
	for name, value := range env {
		front[name] = value
	}
	misfits := v.release.Misfits(v.effective(release.Server), front, ui)
	for _, t := range v.release.Traps(release.Frontend, env) {
		if !slices.ContainsFunc(misfits, func(m release.Misfit) bool { return m.Name == t.Name }) {
			misfits = append(misfits, release.Misfit{Trap: t})
		}
	}
	level := Pass
	var lines []string
	for _, m := range misfits {
		if m.Fatal {
			level = Fail
		} else if level == Pass {
			level = Warn
		}
		lines = append(lines, m.What)
	}
	if level == Pass {
		return Pass, "", ""
	}
	return level, strings.Join(lines, "\n"), v.mend(misfits)
}

// mend says which values let frontend and server work together, and where they belong.
func (v *sight) mend(misfits []release.Misfit) string {
	var values []string
	for _, m := range misfits {
		service, file := release.Server, workdir.AppEnvFile
		placed := v.settings
		if strings.HasPrefix(m.Name, "SYNCMASTER__UI__") {
			service, file = release.Frontend, workdir.EnvFile
			placed = map[string]string{}
			if env, err := envfile.Parse(v.texts[file]); err == nil {
				placed = env.Map()
			}
		}
		file = overridden(m.Name, v.environment(service), placed, file)
		quoted, err := envfile.Quote(m.Value)
		if m.Value == "" || err != nil {
			values = append(values, "correct "+m.Name+" in "+v.setup.Dir.File(file))
			continue
		}
		values = append(values, fmt.Sprintf("write %s=%s into %s", m.Name, quoted, v.setup.Dir.File(file)))
	}
	return strings.Join(values, "; ") + "; then: " + v.inFolder("syncmaster-setup init")
}
