package main

import (
	_ "embed"
	"slices"
	"strconv"
	"strings"

	"syncmaster-setup/test/kit/facts"
)

//go:embed settings.txt
var settingsTable string

// rule is one setting of some releases: what its value must be and which components need it.
type rule struct {
	name       string // without the prefix, as in DATABASE__URL
	kind       string // str, bool, int, list, dict, url, path, import, enum:a|b
	components []string
	requiredBy []string
	when       []string // dummy, keycloak, gateway, hwm; empty means always
}

// path is the setting's place in the merged settings. Only the scheduler's keys are upper case (trap 3).
func (r rule) path() []string {
	parts := strings.Split(r.name, "__")
	for i, p := range parts {
		if i == 0 || parts[0] != "SCHEDULER" {
			parts[i] = strings.ToLower(p)
		}
	}
	return parts
}

// rulesOf returns the rules that a component of a release reads. Before 0.3.0 the migrations load the complete server
// settings (trap 1).
func rulesOf(release facts.Release, component string) []rule {
	var rules []rule
	for line := range strings.Lines(settingsTable) {
		f := strings.Split(strings.TrimSpace(line), " | ")
		if len(f) != 7 || strings.HasPrefix(line, "#") {
			continue
		}
		r := rule{name: f[0], kind: f[1], components: words(f[2]), requiredBy: words(f[3]), when: words(f[4])}
		first, _ := strconv.Atoi(f[5]) // the table is embedded and tested
		last, _ := strconv.Atoi(f[6])
		reads := slices.Contains(r.components, component) ||
			release.Old() && component == migrations && slices.Contains(r.components, facts.Server)
		if last == 999 {
			last = release.Number
		}
		if reads && first <= release.Number && release.Number <= last {
			rules = append(rules, r)
		}
	}
	return rules
}

func words(text string) []string {
	if text == "-" {
		return nil
	}
	return strings.Split(text, ",")
}

// known holds the names that the libraries behind the open sections take (contract.md, section 2).
var known = map[string][]string{
	"database": {"url", "connect_args", "echo", "echo_pool", "max_overflow", "pool_pre_ping", "pool_recycle", "pool_size",
		"pool_timeout", "pool_use_lifo", "isolation_level", "hide_parameters", "execution_options"},
	"server.cors": {"enabled", "allow_origins", "allow_methods", "allow_headers", "allow_credentials",
		"allow_origin_regex", "expose_headers", "max_age"},
	"server.monitoring": {"enabled", "labels", "skip_paths", "skip_methods", "group_paths", "filter_unhandled_paths",
		"app_name", "prefix", "buckets", "always_use_int_status", "optional_metrics", "exemplars"},
	"server.session": {"enabled", "secret_key", "session_cookie", "max_age", "same_site", "path", "https_only", "domain"},
}
