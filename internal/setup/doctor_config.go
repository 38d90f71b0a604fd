package setup

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v3"

	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/workdir"
)

const (
	configVariable = "SYNCMASTER_CONFIG_FILE"
	configDefault  = "/app/config.yml"
)

// configFile is a settings file that a service is told to read.
type configFile struct {
	service release.Component
	path    string // in the container
	source  string // on this machine, empty where it is not there
	text    string
	problem string // why it is not read, by the service or here
}

// readConfigs reads the settings files that are mounted from this machine.
func (v *sight) readConfigs() {
	if v.project == nil {
		return
	}
	for _, c := range append(slices.Clone(readers), release.Frontend) {
		service, enabled := v.project.Services[string(c)]
		if !enabled {
			continue
		}
		told, isTold := v.environment(c)[configVariable]
		f := configFile{service: c, path: path.Clean(cmp.Or(told, configDefault))}
		if !path.IsAbs(f.path) {
			f.path = path.Join(path.Dir(configDefault), f.path)
		}
		switch source, mounted := mountedFrom(v.project, service, f.path); {
		case mounted:
			f.source = source
			v.readConfig(&f)
		case isTold:
			f.problem = "nothing is mounted there, and a file that is missing is silently ignored"
		default:
			continue
		}
		v.configs = append(v.configs, f)
	}
}

func (v *sight) readConfig(f *configFile) {
	if f.source == "" || !v.host.Local {
		f.problem = "it cannot be looked at from here"
		return
	}
	text, err := v.setup.System.ReadFile(f.source)
	switch {
	case errors.Is(err, syscall.EISDIR):
		f.problem = "it is a folder, which is silently ignored; the engine makes one where the file is missing"
	case errors.Is(err, fs.ErrNotExist):
		f.problem = "it is missing, and the engine will put a folder there, which is silently ignored"
	case err != nil:
		f.problem = v.words(err)
	}
	f.text = text
}

// mountedFrom returns where a file of a container comes from; an empty path where that is no file of the host.
func mountedFrom(project *types.Project, service types.ServiceConfig, inside string) (source string, mounted bool) {
	for _, c := range service.Configs {
		if cmp.Or(c.Target, "/"+c.Source) == inside {
			return project.Configs[c.Source].File, true
		}
	}
	longest := -1
	for _, m := range service.Volumes {
		rest, below := strings.CutPrefix(inside, strings.TrimSuffix(m.Target, "/"))
		if !below || rest != "" && rest[0] != '/' || len(m.Target) <= longest {
			continue
		}
		longest, mounted, source = len(m.Target), true, ""
		if m.Type == types.VolumeTypeBind {
			source = filepath.Join(m.Source, filepath.FromSlash(rest))
		}
	}
	return source, mounted
}

// brokenLine is the part of a YAML error that quotes nothing of the file.
var brokenLine = regexp.MustCompile(`line \d+`)

// inConfig returns what a service's settings file gives, and what is wrong with it.
func (v *sight) inConfig(c release.Component) (map[string]string, []release.Trap) {
	at := slices.IndexFunc(v.configs, func(f configFile) bool { return f.service == c })
	if _, reads := v.release.Setting(configVariable); at < 0 || !reads || v.configs[at].problem != "" {
		return map[string]string{}, nil
	}
	var tree map[string]any
	if err := yaml.Unmarshal([]byte(v.configs[at].text), &tree); err != nil {
		what := strings.TrimSpace("it is no YAML with sections: " + brokenLine.FindString(err.Error()))
		return map[string]string{}, []release.Trap{{What: strings.TrimSuffix(what, ":") + "; " + string(c) + " does not start", Fatal: true}}
	}
	return v.release.File(c, tree, release.Upper(v.environment(c)))
}

// checkConfigFile looks into the second place for settings. A file that is well is told, because it hides nothing and yet
// is overruled.
func checkConfigFile(v *sight) (Level, string, string) {
	level := Pass
	var lines, files, services []string
	tell := func(at Level, f configFile, what string) {
		file, service := cmp.Or(f.source, f.path), string(f.service)
		lines = append(lines, fmt.Sprintf("%s of %s: %s", file, service, printable(what)))
		if at == Pass {
			return
		}
		if level != Fail {
			level = at
		}
		if !slices.Contains(files, file) {
			files = append(files, file)
		}
		if !slices.Contains(services, service) {
			services = append(services, service)
		}
	}
	_, reads := v.release.Setting(configVariable)
	for _, f := range v.configs {
		switch _, traps := v.inConfig(f.service); {
		case !reads:
			tell(Warn, f, fmt.Sprintf("release %s reads no such file", v.release))
		case f.problem != "":
			tell(Warn, f, f.problem)
		case len(traps) > 0:
			for _, t := range traps {
				at := Warn
				if t.Fatal {
					at = Fail
				}
				tell(at, f, t.What)
			}
		default:
			tell(Pass, f, "the environment wins over it, key by key")
		}
	}
	if level == Pass {
		return Pass, strings.Join(lines, "\n"), ""
	}
	return level, strings.Join(lines, "\n"), fmt.Sprintf("correct %s, or keep all settings in %s and take the mount out of %s, then: %s",
		strings.Join(files, " and "), workdir.AppEnvFile, workdir.OverrideFile, v.inFolder("docker compose up -d --force-recreate "+strings.Join(services, " ")))
}
