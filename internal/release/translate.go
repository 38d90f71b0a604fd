package release

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ChangeKind is what happens to a setting.
type ChangeKind string

// The kinds of changes.
const (
	Added   ChangeKind = "added"
	Renamed ChangeKind = "renamed" // its value may be another one as well
	Dropped ChangeKind = "dropped"
	Changed ChangeKind = "changed"
)

// Change is what a release does to a setting of the user.
type Change struct {
	Kind     ChangeKind
	Release  string // the release that brings it
	From, To string // the names before and after; no From where it is added, no To where it is dropped
	Value    string // the new value; empty where it stays the same, and for a secret one
	Why      string
}

// Route returns the releases that an upgrade passes through, in order, without the one it comes from. The develop branch
// is only ever the last. A way back is an error.
func Route(from, to string) ([]Release, error) {
	first, err := Lookup(from)
	if err != nil {
		return nil, err
	}
	last, err := Lookup(to)
	if err != nil {
		return nil, err
	}
	if last.Before(first) {
		return nil, fmt.Errorf("release %s is older than %s, which is installed", last, first)
	}
	return first.route(last), nil
}

func (r Release) route(to Release) []Release {
	var list []Release
	for _, next := range Known() {
		if r.Before(next) && next.Before(to) && !next.Floating {
			list = append(list, next)
		}
	}
	if r.Before(to) {
		list = append(list, to)
	}
	return list
}

// Translate returns the settings of a user, names to values, as a newer release reads them, and what it changed, one
// release at a time. What the releases do not know stays as it is. Names of which only the case differs from the
// documented one keep it. Settings of all containers may come together; what is added is only what containers need that
// had all they needed before, so that the frontend's settings alone get nothing of the worker's.
func Translate(from, to Release, settings map[string]string) (map[string]string, []Change) {
	t := &translation{settings: map[string]string{}}
	maps.Copy(t.settings, settings)
	for _, next := range from.route(to) {
		t.from, t.to = from, next
		t.step()
		from = next
	}
	return t.settings, t.changes
}

// translation is the settings on their way from one release to the next.
type translation struct {
	from, to Release
	settings map[string]string
	changes  []Change
}

func (t *translation) step() {
	for _, name := range slices.Sorted(maps.Keys(t.settings)) {
		t.carry(name)
	}
	for _, rule := range rules {
		if !t.from.from(rule.version) && t.to.from(rule.version) {
			rule.apply(t)
		}
	}
	t.requireSections()
}

// carry gives one setting the name and the form of the next release.
func (t *translation) carry(name string) {
	now, why := t.nameOf(strings.ToUpper(name))
	value := t.settings[name]
	if now == "" {
		t.drop(name, why)
		return
	}
	adapted, reason := t.to.adapt(now, value)
	if now == strings.ToUpper(name) {
		t.set(name, adapted, reason)
		return
	}
	if other := t.spelling(now); other != "" {
		t.drop(name, other+" is set, which is its new name")
		return
	}
	delete(t.settings, name)
	t.settings[now] = adapted
	if reason != "" {
		why += "; " + reason
	}
	t.changes = append(t.changes, Change{Renamed, t.to.Version, name, now, t.shown(now, value, adapted), why})
}

// nameOf returns the name that a setting has in the next release, empty where that one does not read it, and why.
func (t *translation) nameOf(name string) (now, why string) {
	if full, bare := bareNames[name]; bare && !t.from.from("0.3.0") && t.to.from("0.3.0") {
		return full, fmt.Sprintf("release %s reads its full name only", t.to)
	}
	s, read := t.from.Setting(name)
	if _, still := t.to.Setting(name); !read || still {
		return name, ""
	}
	switch s.RenamedTo {
	case "":
		return "", fmt.Sprintf("release %s does not read it any more", t.to)
	case logging:
		return "", fmt.Sprintf("release %s would log nothing with it; its built-in logging writes coloured text, and %s in dictConfig form replaces that", t.to, logging)
	}
	return s.RenamedTo, "its name from release " + t.to.Version + " on"
}

// requireSections adds sections that a container must be given from the next release on.
func (t *translation) requireSections() {
	for _, c := range []Component{Server, Scheduler, Worker} {
		for _, s := range t.to.Missing(c, t.upper()) {
			if s.Type == Object && t.complete(c) {
				t.set(s.Name, "{}", fmt.Sprintf("the %s of release %s does not start without this section", c, t.to))
			}
		}
	}
}

// complete reports whether the settings hold what a container of the older release needs in any case.
func (t *translation) complete(c Component) bool {
	return !slices.ContainsFunc(t.from.Missing(c, t.upper()), func(s Setting) bool { return s.When == Always })
}

// set gives a setting a value, in the user's spelling of its name, where it is another one.
func (t *translation) set(name, value, why string) {
	kind, old := Added, ""
	if spelling := t.spelling(name); spelling != "" {
		kind, old, name = Changed, spelling, spelling
		if t.settings[name] == value {
			return
		}
	}
	shown := t.shown(name, t.settings[name], value)
	t.settings[name] = value
	t.changes = append(t.changes, Change{kind, t.to.Version, old, name, shown, why})
}

func (t *translation) drop(name, why string) {
	delete(t.settings, name)
	t.changes = append(t.changes, Change{Kind: Dropped, Release: t.to.Version, From: name, Why: why})
}

// shown returns a new value where it may be shown.
func (t *translation) shown(name, old, value string) string {
	if s, read := t.to.Setting(name); !read || s.Secret || old == value {
		return ""
	}
	return value
}

// spelling returns how the user writes a name, or the empty string where the setting is not there.
func (t *translation) spelling(name string) string {
	if _, has := t.settings[name]; has {
		return name
	}
	for _, n := range slices.Sorted(maps.Keys(t.settings)) {
		if strings.EqualFold(n, name) {
			return n
		}
	}
	return ""
}

func (t *translation) value(name string) string { return t.settings[t.spelling(name)] }

// upper returns the settings with their documented names.
func (t *translation) upper() map[string]string {
	env := map[string]string{}
	for name, value := range t.settings {
		env[strings.ToUpper(name)] = value
	}
	return env
}
