package release

import (
	"slices"
	"strings"
)

// Type is the kind of a setting's value.
type Type string

// Condition says when a setting is required, or wanted.
type Condition string

// The conditions of contract.md, section 2.
const (
	Always                Condition = ""
	WithDummy             Condition = "provider is DummyAuthProvider"
	WithKeycloak          Condition = "provider is KeycloakAuthProvider"
	WithKeycloakOrGateway Condition = "provider is KeycloakAuthProvider or OAuth2GatewayProvider"
	WithHWMStore          Condition = "hwm_store.enabled is true"
	CrossOrigin           Condition = "UI and API are on different origins"
	CrossOriginSession    Condition = "UI and API are on different origins, UI >= 0.2.5"
)

// Setting is an environment variable as one release reads it.
type Setting struct {
	Name       string
	Type       Type
	Values     []string // of an Enum
	Nullable   bool     // may be absent without a default; the environment cannot say null
	Default    string   // as text in the environment
	HasDefault bool
	Required   bool      // under When
	When       Condition // of Required; without Required: when the default does not do
	Secret     bool
	Components []Component // the containers that read it; where required, all of them require it
	Since      string      // first release that reads it, of those described here
	Until      string      // last release that reads it; empty: still read
	RenamedTo  string      // its name after Until; empty where there is none
	Open       bool        // not in the catalogue: a name in an open section, handed to a library
	Refused    bool        // Open, and the library does not know the name: the server does not start with it
	Help       string
	Caveat     string // what the user should know before setting it; may be empty
}

// Settings returns every setting that the release reads, in the order in which a file lists them.
func (r Release) Settings() []Setting {
	var list []Setting
	for _, e := range table {
		if r.between(e.since, e.until) {
			list = append(list, e.in(r))
		}
	}
	return list
}

// Setting returns a setting that the release reads, by its name in any case; also one of an open section, with Open
// set. False where the release does not read it.
func (r Release) Setting(name string) (Setting, bool) {
	name = strings.ToUpper(name)
	for _, e := range table {
		if e.Name == name && r.between(e.since, e.until) {
			return e.in(r), true
		}
	}
	if _, gone := find(name); gone {
		return Setting{}, false
	}
	return r.openSetting(name)
}

// Missing returns the settings that a component requires and env lacks, given as upper-case names and values. The
// conditions are those that env itself chooses: the login provider, the HWM store.
func (r Release) Missing(c Component, env map[string]string) []Setting {
	var list []Setting
	for _, s := range r.Settings() {
		if !s.Required || !slices.Contains(s.Components, c) || !s.When.holds(env) {
			continue
		}
		if _, ok := env[s.Name]; !ok && (s.Name != workerObject || !hasBelow(env, workerSection)) {
			list = append(list, s)
		}
	}
	return list
}

// find returns the entry of a name, whatever the release.
func find(name string) (entry, bool) {
	for _, e := range table {
		if e.Name == name {
			return e, true
		}
	}
	return entry{}, false
}

// in returns the setting as a release reads it.
func (e entry) in(r Release) Setting {
	s, readers := e.Setting, e.readers
	for _, w := range e.was {
		if r.between("", w.until) {
			s.Required = s.Required || w.required
			if w.readers != "" {
				readers = w.readers
			}
			if w.def != "" {
				s.Default = w.def
			}
			break
		}
	}
	s.Since, s.Until, s.Components = e.since, e.until, components(readers)
	if s.Since == "" {
		s.Since = releases[0].Version
	}
	if !r.from("0.3.0") && s.When == WithKeycloakOrGateway { // the gateway came with 0.3.0
		s.When = WithKeycloak
	}
	s.HasDefault = s.Default != none
	if !s.HasDefault {
		s.Default = ""
	}
	s.Values = slices.Clone(s.Values)
	return s
}

// openSetting returns a setting of an open section.
func (r Release) openSetting(name string) (Setting, bool) {
	for _, o := range sections {
		option, ok := strings.CutPrefix(name, o.prefix)
		if !ok || option == "" || !r.between(o.since, o.until) {
			continue
		}
		first, _, _ := strings.Cut(option, "__")
		if o.names != nil && !slices.Contains(o.names, first) {
			continue
		}
		since := o.since
		if since == "" {
			since = releases[0].Version
		}
		refused := o.takes != nil && !slices.Contains(o.takes, first)
		return Setting{Name: name, Type: Any, Components: components(o.readers), Since: since, Until: o.until, Open: true, Refused: refused,
			Secret: true, Help: "Option of the section " + strings.TrimSuffix(o.prefix, "__"), Caveat: o.caveat}, true
	}
	return Setting{}, false
}

// holds reports whether a condition is met by an environment. What depends on origins cannot be seen there.
func (c Condition) holds(env map[string]string) bool {
	switch c {
	case Always:
		return true
	case WithHWMStore:
		on, ok := parseBool(env[hwmSection+"ENABLED"])
		return ok && on
	case WithDummy, WithKeycloak, WithKeycloakOrGateway:
		path, ok := env[providerSetting]
		class := path[strings.LastIndex(path, ".")+1:]
		if !ok {
			class = "DummyAuthProvider"
		}
		return class != "" && strings.Contains(string(c), class)
	case CrossOrigin, CrossOriginSession:
		return false
	}
	return false
}

func components(letters string) []Component {
	names := map[rune]Component{'S': Server, 'C': Scheduler, 'W': Worker, 'M': Migrations, 'F': Frontend}
	var list []Component
	for _, l := range letters {
		list = append(list, names[l])
	}
	return list
}

func hasBelow(env map[string]string, prefix string) bool {
	for name := range env {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
