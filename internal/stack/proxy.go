package stack

import (
	"maps"
	"slices"
	"strings"
)

// Proxies returns the names of the variables that send programs to a proxy, and what those ask directly all the same.
// The values may hold credentials and stay behind.
func Proxies(env map[string]string) (names []string, noProxy string) {
	var direct []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		switch value := env[name]; strings.ToUpper(name) {
		case "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY":
			if value != "" {
				names = append(names, name)
			}
		case "NO_PROXY":
			direct = append(direct, value)
		}
	}
	return names, strings.Join(direct, ",")
}

// Proxied returns those hosts that a program asks through its proxy with this list of exceptions.
func Proxied(noProxy string, hosts []string) []string {
	direct := strings.FieldsFunc(strings.ToLower(noProxy), func(r rune) bool { return r == ',' || r == ' ' })
	if slices.Contains(direct, "*") {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(hosts), func(host string) bool {
		return slices.ContainsFunc(direct, func(d string) bool { return strings.TrimPrefix(d, ".") == host })
	})
}
