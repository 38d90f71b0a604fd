package release

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

var (
	intForm        = regexp.MustCompile(`^[+-]?\d+(_\d+)*$`)
	importPathForm = regexp.MustCompile(`^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$`)
)

// problem says what is wrong with a value, or returns the empty string. Values of secret settings are not in it.
func (r Release) problem(s Setting, value string) string {
	if strings.ContainsRune(value, 0) {
		return "a value cannot contain a NUL character"
	}
	if value == "" && s.Required {
		return "needs a value; an empty one counts as given"
	}
	if p := namedProblem(r, s.Name, value); p != "" {
		return p
	}
	if expected := expectation(s, value); expected != "" {
		if s.Secret {
			return "expected " + expected
		}
		return fmt.Sprintf("expected %s, got %s", expected, excerpt(value))
	}
	return ""
}

// expectation returns what the type of s expects where value is not it, with an example, or the empty string.
func expectation(s Setting, value string) string {
	switch s.Type {
	case Bool:
		if _, ok := parseBool(value); !ok {
			return "true or false"
		}
	case Int:
		if !intForm.MatchString(strings.TrimSpace(value)) {
			return "a whole number, such as " + s.Default
		}
	case Enum:
		if !slices.Contains(s.Values, value) {
			return "one of " + strings.Join(s.Values, ", ")
		}
	case URL:
		if !isWebURL(value) {
			return "a URL, such as https://keycloak.example.com/"
		}
	case Path:
		if strings.TrimSpace(value) == "" {
			return "a path in the container, such as /app/config.yml"
		}
	case ImportPath:
		if !importPathForm.MatchString(value) {
			return "the import path of a Python object, such as " + s.Default
		}
	case CommaText:
		if strings.ContainsAny(value, " \t\n[]{}\"'`$*?\\") {
			return "names with commas between them and nothing else, such as admin,root"
		}
	case Jinja:
		if !isJinja(value) {
			return "text with Jinja expressions, such as https://logs.example.com/?run={{ run.id }}, without backslashes before the braces"
		}
	case List, Set:
		return jsonExpectation(value, `a JSON list of texts, such as ["one","two"]`, func(l []*string) bool {
			return slices.Contains(l, nil)
		})
	case TextDict:
		return jsonExpectation(value, `a JSON object of texts, such as {"name":"value"}`, func(m map[string]*string) bool {
			return slices.Contains(slices.Collect(maps.Values(m)), nil)
		})
	case Dict, Object:
		return jsonExpectation(value, `a JSON object, such as {"name":"value"}`, func(map[string]any) bool { return false })
	case Text, Any:
	}
	return ""
}

// namedProblem checks what the type of a setting does not say.
func namedProblem(r Release, name, value string) string {
	switch name {
	case prefix + "DATABASE__URL":
		if !strings.HasPrefix(value, "postgresql+asyncpg://") || !hasHost(value) {
			return "expected postgresql+asyncpg://user:password@host:5432/database"
		}
	case prefix + "BROKER__URL":
		if !strings.HasPrefix(value, "amqp://") && !strings.HasPrefix(value, "amqps://") || !hasHost(value) {
			return "expected amqp://user:password@host:5672/ (amqps:// for TLS)"
		}
	case kcSection + "SERVER_URL", kcSection + "REDIRECT_URI", kcSection + "UI_CALLBACK_URL", hwmSection + "URL":
		if !isWebURL(value) {
			return "expected a URL, such as https://host.example.com/path, got " + excerpt(value)
		}
	case providerSetting:
		return providerProblem(r, value)
	case apiAddress:
		return apiAddressProblem(r, value)
	}
	return ""
}

// providerProblem refuses providers of SyncMaster's own package that the release does not have; others may be the
// user's own.
func providerProblem(r Release, value string) string {
	if !strings.HasPrefix(value, strings.TrimSuffix(providerPackage, "auth.")) {
		return ""
	}
	var paths []string
	for _, p := range r.AuthProviders() {
		paths = append(paths, p.ImportPath)
	}
	if slices.Contains(paths, value) {
		return ""
	}
	return fmt.Sprintf("release %s has no provider %s; it has %s", r, excerpt(value), strings.Join(paths, ", "))
}

// apiAddressProblem checks the address that lands unescaped in a script (contract.md, section 7).
func apiAddressProblem(r Release, value string) string {
	if strings.ContainsAny(value, "\"'`\\<>\n\r\t ") {
		return "an address cannot contain quotes, backslashes, angle brackets or blanks, as it is written into a script"
	}
	if !strings.HasPrefix(value, "/") && !isWebURL(value) {
		return "expected a URL such as http://localhost:8000, or a path such as /api, got " + excerpt(value)
	}
	if want := r.APIAddress(value); strings.TrimRight(value, "/") != want {
		return fmt.Sprintf("the frontend of release %s needs %s, not %s", r, excerpt(want), excerpt(value))
	}
	return ""
}

// parseBool reads what pydantic takes for a boolean, in any case and without blanks.
func parseBool(value string) (on, ok bool) {
	switch strings.ToLower(value) {
	case "1", "true", "t", "yes", "y", "on":
		return true, true
	case "0", "false", "f", "no", "n", "off":
		return false, true
	}
	return false, false
}

// jsonExpectation returns expected where value is not JSON of type T without nulls in it.
func jsonExpectation[T any](value, expected string, hasNull func(T) bool) string {
	var target *T
	if err := json.Unmarshal([]byte(value), &target); err != nil || target == nil || hasNull(*target) {
		return expected
	}
	return ""
}

func isWebURL(value string) bool {
	u, err := url.Parse(value)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
}

// hasHost reports whether a URL names a host. The value may be a secret, so the cause is not told.
func hasHost(value string) bool {
	u, err := url.Parse(value)
	return err == nil && (u.Hostname() != "" || u.Query().Has("host"))
}

// isJinja reports whether braces are paired and unescaped.
func isJinja(value string) bool {
	if strings.Contains(value, `\{`) || strings.Contains(value, `\}`) {
		return false
	}
	for _, pair := range [][2]string{{"{{", "}}"}, {"{%", "%}"}, {"{#", "#}"}} {
		if strings.Count(value, pair[0]) != strings.Count(value, pair[1]) {
			return false
		}
	}
	return true
}

// excerpt quotes the beginning of a value that is not secret.
func excerpt(value string) string {
	const limit = 60
	if runes := []rune(value); len(runes) > limit {
		value = string(runes[:limit]) + "…"
	}
	return fmt.Sprintf("%q", value)
}
