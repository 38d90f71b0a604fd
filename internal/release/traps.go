package release

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Trap is a setting that a release refuses, ignores or reads in another way than it looks (contract.md, section 2).
type Trap struct {
	Name  string
	What  string
	Fatal bool // a container does not start, or does not work, with it
}

// Traps returns what is wrong with the settings of an environment for this release, and which are missing for the
// components that run. Values that may be secret are not in it. Names that are not SyncMaster's are left alone.
func (r Release) Traps(env map[string]string, running []Component) []Trap {
	var list []Trap
	names := make([]string, 0, len(env))
	for name := range env {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if trap, found := r.trap(strings.ToUpper(name), env[name]); found {
			list = append(list, trap)
		}
	}
	upper := map[string]string{}
	for name, value := range env {
		upper[strings.ToUpper(name)] = value
	}
	seen := map[string]bool{}
	for _, c := range running {
		for _, s := range r.Missing(c, upper) {
			if !seen[s.Name] {
				seen[s.Name] = true
				list = append(list, Trap{s.Name, fmt.Sprintf("%s is missing, and %s does not start without it", s.Name, c), true})
			}
		}
	}
	return list
}

// trap looks at one setting.
func (r Release) trap(name, value string) (Trap, bool) {
	if full, bare := bareNames[name]; bare && !r.from("0.3.0") {
		return Trap{name, fmt.Sprintf("%s is read by release %s like %s; use that name", name, r, full), false}, true
	}
	if name == "ENV" {
		return Trap{name, "ENV is read by nothing", false}, true
	}
	s, known := r.Setting(name)
	switch {
	case !strings.HasPrefix(name, prefix) && !known:
		return Trap{}, false
	case !known || s.Open:
		return r.unreadTrap(name, value, s, known)
	}
	if err := r.CheckSetting(name, value); err != nil {
		return Trap{name, err.Error(), true}, true
	}
	if what := r.oddity(s, value); what != "" {
		return Trap{name, name + ": " + what, false}, true
	}
	return Trap{}, false
}

// unreadTrap is about a name that the release does not know, or hands to a library.
func (r Release) unreadTrap(name, value string, s Setting, open bool) (Trap, bool) {
	if err := r.CheckSetting(name, value); err != nil {
		e, was := find(name)
		what := err.Error()
		refused := !r.from("0.3.0") && (strings.HasPrefix(name, workerSection) || strings.HasPrefix(name, prefix+"SCHEDULER__"))
		switch {
		case refused:
			what += "; with it, worker or scheduler does not start"
		case was && e.RenamedTo == logging && r.from("0.3.0"):
			what += "; with it, the application logs next to nothing"
		default:
			what += "; it is ignored"
		}
		return Trap{name, what, refused}, true
	}
	return Trap{name, name + ": " + s.Caveat, false}, open
}

// oddity tells what a right value does that nobody expects.
func (r Release) oddity(s Setting, value string) string {
	switch s.Name {
	case corsSection + "ENABLED":
		if on, ok := parseBool(value); ok && !on {
			return s.Caveat
		}
	case prefix + "DATABASE__URL":
		u, err := url.Parse(value)
		if err != nil {
			return ""
		}
		for _, option := range []string{"ssl", "sslmode", "sslrootcert", "sslcert", "sslkey"} {
			if u.Query().Has(option) {
				return "its option " + option + " is for one of the two PostgreSQL drivers only, and breaks the other; use variables such as PGSSLMODE"
			}
		}
	case prefix + "BROKER__URL":
		if u, err := url.Parse(value); err == nil && u.RawQuery != "" {
			return "its options are dropped; only user, host and virtual host count"
		}
	}
	return ""
}
