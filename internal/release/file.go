package release

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// File reads the tree of a settings file: what it gives, by the names that environment variables of the same place have
// and as text in their form, and what is wrong with it for a component. env are the variables that are laid over it, by
// upper-case names (contract.md, section 2, traps 2 and 3, and section 9).
func (r Release) File(c Component, tree map[string]any, env map[string]string) (settings map[string]string, traps []Trap) {
	f := fileReader{release: r, component: c, env: env, settings: map[string]string{}}
	f.walk(nil, tree)
	return f.settings, f.traps
}

type fileReader struct {
	release   Release
	component Component
	env       map[string]string
	settings  map[string]string
	traps     []Trap
}

func (f *fileReader) walk(path []string, tree map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(tree)) {
		f.look(append(slices.Clone(path), key), tree[key])
	}
}

// look takes one key: a section, or a setting.
func (f *fileReader) look(path []string, value any) {
	name := prefix + strings.ToUpper(strings.Join(path, "__"))
	written, read := strings.Join(path, "."), inFile(name)
	s, known := f.release.Setting(name)
	section, isSection := value.(map[string]any)
	_, isWhole := f.env[name]
	switch {
	case written != read && (known || isSection):
		f.trap(name, fmt.Sprintf("%s is ignored: it is read as %s", written, read), false)
	case name == workerObject && value == nil && !isWhole && !hasBelow(f.env, workerSection):
		f.trap(name, "worker is empty: the worker does not start without {} there", true)
	case value == nil:
	case name == workerObject && isSection:
		f.settings[name] = "{}"
		f.walk(path, section)
	case known && s.Refused:
		f.trap(name, fmt.Sprintf("%s: it is %s, which does not know it; with it, the server does not start", written, s.Caveat), true)
	case known:
		f.settings[name] = textOf(value)
	case isSection:
		f.walk(path, section)
	default:
		f.trap(name, written+" is ignored: "+f.instead(name), false)
	}
}

// instead says which key was probably meant.
func (f *fileReader) instead(name string) string {
	e, was := find(name)
	if was && f.release.between(e.since, "") && e.RenamedTo != "" {
		return "its name is now " + inFile(e.RenamedTo)
	}
	if near := nearestOf(name, f.release.names()); near != "" {
		return "did you mean " + inFile(near) + "?"
	}
	return fmt.Sprintf("release %s has no such setting", f.release)
}

func (f *fileReader) trap(name, what string, fatal bool) {
	if f.release.reads(f.component, name) {
		f.traps = append(f.traps, Trap{name, what, fatal})
	}
}

// inFile returns the key of a setting in a file: only the scheduler's own are in capitals.
func inFile(name string) string {
	key := strings.ReplaceAll(strings.TrimPrefix(name, prefix), "__", ".")
	if option, scheduler := strings.CutPrefix(key, "SCHEDULER."); scheduler {
		return "scheduler." + option
	}
	return strings.ToLower(key)
}

// textOf writes a value as an environment variable has it.
func textOf(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case []any, map[string]any:
		if text, err := json.Marshal(v); err == nil {
			return string(text)
		}
	}
	return fmt.Sprint(value)
}
