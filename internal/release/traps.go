package release

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"syncmaster-setup/internal/nearest"
)

// Trap is a setting that a release refuses, ignores or reads in another way than it looks (contract.md, section 2).
type Trap struct {
	Name  string
	What  string
	Fatal bool // a container does not start, or does not work, with it
}

// Upper returns an environment by upper-case names, as the application reads it: it takes names in any case.
func Upper(env map[string]string) map[string]string {
	upper := make(map[string]string, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		upper[strings.ToUpper(name)] = env[name]
	}
	return upper
}

// Traps returns what is wrong with the environment of a component in this release. Values that may be secret are not in
// it. Names that are not SyncMaster's, or that the component does not look at, are left alone.
func (r Release) Traps(c Component, env map[string]string) []Trap {
	var list []Trap
	spelt := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		upper := strings.ToUpper(name)
		if spelt[upper] && strings.HasPrefix(upper, prefix) {
			list = append(list, Trap{upper, upper + " is given in two spellings; nobody knows which one counts", false})
		}
		spelt[upper] = true
		if name != upper && inCapitals(upper) && r.reads(c, upper) {
			list = append(list, Trap{upper, name + " is read in capital letters only", false})
			continue
		}
		if trap, found := r.trap(c, upper, env[name]); found {
			list = append(list, trap)
		}
	}
	if trap, found := hwmTrap(Upper(env)); found && c == Worker {
		list = append(list, trap)
	}
	return list
}

// HWMHost returns the host of the HWM store that an environment enables, by upper-case names; empty for none.
func HWMHost(env map[string]string) string {
	u, err := url.Parse(env[hwmSection+"URL"])
	if err != nil || !WithHWMStore.holds(env) {
		return ""
	}
	return u.Hostname()
}

// hwmTrap is about a store at an address that is the worker's own container there.
func hwmTrap(env map[string]string) (Trap, bool) {
	host := HWMHost(env)
	addr, err := netip.ParseAddr(host)
	const name = hwmSection + "URL"
	return Trap{name, name + ": " + host + " is the worker's own container there, and every run fails that cannot reach its store", true},
		host == "localhost" || err == nil && addr.IsLoopback()
}

// inCapitals reports whether a name is read by a shell, which does not take it in any case.
func inCapitals(name string) bool {
	return strings.HasPrefix(name, uiSection) || name == prefix+"ENTRYPOINT__SUPERUSERS"
}

// Lacks returns the settings that a component needs and that an environment does not have.
func (r Release) Lacks(c Component, env map[string]string) []Trap {
	var list []Trap
	for _, s := range r.Missing(c, Upper(env)) {
		list = append(list, Trap{s.Name, fmt.Sprintf("%s is missing, and %s does not start without it", s.Name, c), true})
	}
	return list
}

// owners are the components that alone read a section.
var owners = map[string]Component{
	serverSection: Server, authSection: Server, workerSection: Worker, hwmSection: Worker, schedulerSection: Scheduler, uiSection: Frontend,
}

// reads reports whether a component looks at a name.
func (r Release) reads(c Component, name string) bool {
	if s, known := r.Setting(name); known {
		return slices.Contains(s.Components, c)
	}
	for section, owner := range owners {
		if strings.HasPrefix(name, section) {
			return c == owner
		}
	}
	return c != Frontend
}

// trap looks at one setting.
func (r Release) trap(c Component, name, value string) (Trap, bool) {
	switch {
	case c == Server && strings.HasPrefix(name, uiSection):
		return Trap{name, name + " is for the frontend, which does not get it from here", false}, true
	case !r.reads(c, name):
		return Trap{}, false
	case name == "ENV":
		return Trap{name, "ENV is read by nothing", false}, true
	}
	s, known := r.Setting(name)
	switch {
	case !strings.HasPrefix(name, prefix) && !known:
		return r.strayTrap(name)
	case !known || s.Open:
		return r.unreadTrap(name, value, s)
	}
	if err := r.CheckSetting(name, value); err != nil {
		return Trap{name, err.Error(), true}, true
	}
	if what := r.oddity(s, value); what != "" {
		return Trap{name, name + ": " + what, false}, true
	}
	return Trap{}, false
}

// strayTrap is about a name without the prefix of all settings: one that older releases read all the same, one of
// SyncMaster's own docstrings, or one whose prefix is not quite right.
func (r Release) strayTrap(name string) (Trap, bool) {
	if full, bare := bareNames[name]; bare && !r.from("0.3.0") {
		return Trap{name, fmt.Sprintf("%s is read by release %s like %s; use that name", name, r, full), false}, true
	}
	meant := ""
	switch {
	case name == "DATABASE_URL":
		meant = prefix + "DATABASE__URL"
	case strings.HasPrefix(name, "SYNCMASTER_"):
		return Trap{name, r.explainUnread(name).Error() + "; it is ignored", false}, true
	case strings.Contains(name, "__"):
		meant = nearest.Within(prefix+name, r.names(), 1)
	}
	return Trap{name, fmt.Sprintf("%s is read by nothing; did you mean %s?", name, meant), false}, meant != ""
}

// unreadTrap is about a name that the release does not know, or hands to a library.
func (r Release) unreadTrap(name, value string, s Setting) (Trap, bool) {
	err := r.CheckSetting(name, value)
	if err == nil {
		return Trap{name, name + ": " + s.Caveat, false}, true
	}
	switch closed := strings.HasPrefix(name, workerSection) || strings.HasPrefix(name, schedulerSection); {
	case s.Refused:
		return Trap{name, err.Error() + "; with it, the server does not start", true}, true
	case closed && !r.from("0.3.0"):
		return Trap{name, err.Error() + "; with it, worker or scheduler does not start", true}, true
	case strings.HasPrefix(name, loggingSection) && r.from("0.3.0"):
		return Trap{name, err.Error() + "; with it, the application logs next to nothing", false}, true
	}
	return Trap{name, err.Error() + "; it is ignored", false}, true
}

// Options in the URL of the database: those that both PostgreSQL drivers know, and those that only one of them does, by
// asyncpg's signature of connect, SQLAlchemy's dialect and libpq's documentation.
var (
	bothDrivers = []string{"host", "port", "user", "password", "passfile", "target_session_attrs", "krbsrvname", "gsslib"}
	oneDriver   = []string{"application_name", "channel_binding", "client_encoding", "command_timeout", "connect_timeout", "direct_tls", "gssencmode",
		"keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval", "load_balance_hosts", "options", "prepared_statement_cache_size",
		"server_settings", "service", "ssl", "ssl_max_protocol_version", "ssl_min_protocol_version", "sslcert", "sslcertmode", "sslcompression",
		"sslcrl", "sslcrldir", "sslkey", "sslmode", "sslnegotiation", "sslpassword", "sslrootcert", "sslsni", "statement_cache_size", "tcp_user_timeout", "timeout"}
)

// urlOddity names an option that breaks one of the two drivers. One that neither knows may be part of a password with a
// question mark in it, and is not named.
func urlOddity(value string) string {
	u, err := url.Parse(value)
	if err != nil {
		return ""
	}
	for _, option := range slices.Sorted(maps.Keys(u.Query())) {
		switch {
		case slices.Contains(oneDriver, option):
			return "its option " + option + " is for one of the two PostgreSQL drivers only, and breaks the other; use variables such as PGSSLMODE"
		case !slices.Contains(bothDrivers, option):
			return "it has an option that no PostgreSQL driver knows"
		}
	}
	return ""
}

// oddity tells what a right value does that nobody expects.
func (r Release) oddity(s Setting, value string) string {
	switch s.Name {
	case corsSection + "ENABLED":
		if on, ok := parseBool(value); ok && !on {
			return s.Caveat
		}
	case prefix + "DATABASE__URL":
		return urlOddity(value)
	case prefix + "BROKER__URL":
		if u, err := url.Parse(value); err == nil && u.RawQuery != "" {
			return "its options are dropped; only user, host and virtual host count"
		}
	}
	return ""
}
