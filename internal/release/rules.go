package release

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// bareNames are settings that worker and scheduler read without their prefix, too, up to 0.2.5 (contract.md, section 2).
var bareNames = map[string]string{
	"LOG_URL_TEMPLATE":                  workerSection + "LOG_URL_TEMPLATE",
	"CREATE_SPARK_SESSION_FUNCTION":     workerSection + "CREATE_SPARK_SESSION_FUNCTION",
	"TRANSFER_FETCHING_TIMEOUT_SECONDS": schedulerSection + "TRANSFER_FETCHING_TIMEOUT_SECONDS",
	"MISFIRE_GRACE_TIME_SECONDS":        schedulerSection + "MISFIRE_GRACE_TIME_SECONDS",
}

// rules are what a release changes beyond the names and forms that the table has (contract.md, sections 6 to 8).
var rules = []struct {
	version string
	apply   func(*translation)
}{
	{"0.2.2", allowPut},
	{"0.2.5", allowCredentials},
	{"0.2.5", callbackInUI},
	{"0.2.5", loginInUI},
}

// allowPut keeps a frontend on another origin working that calls PUT where it called PATCH.
func allowPut(t *translation) {
	const name = corsSection + "ALLOW_METHODS"
	methods := listOf(t.value(name))
	if !slices.Contains(methods, "PATCH") || slices.Contains(methods, "PUT") || slices.Contains(methods, "*") {
		return
	}
	if list, err := marshalList(append(methods, "PUT")); err == nil {
		t.set(name, list, "release 0.2.2 uses PUT in place of PATCH")
	}
}

// allowCredentials keeps a frontend on another origin working that sends credentials. Any origin at all is no reason to
// take them from all.
func allowCredentials(t *translation) {
	const name = corsSection + "ALLOW_CREDENTIALS"
	origins := listOf(t.value(corsSection + "ALLOW_ORIGINS"))
	if len(origins) > 0 && !slices.Contains(origins, "*") && t.spelling(name) == "" {
		t.set(name, "true", "the frontend of release 0.2.5 sends credentials")
	}
}

// callbackInUI leads browsers from Keycloak to the frontend, where its address is known.
func callbackInUI(t *translation) {
	const name, path = kcSection + "REDIRECT_URI", "/auth/callback"
	old := t.value(name)
	origin := originOfUI(t, old)
	if origin == "" || !WithKeycloak.holds(t.upper()) || !strings.HasSuffix(old, "/v1"+path) {
		return
	}
	t.set(name, origin+path, "Keycloak leads browsers back to the frontend from release 0.2.5 on; allow this address in the Keycloak client, too")
}

// originOfUI returns the address of the frontend: the one that may call the server from elsewhere, or the server's own
// where both share an origin.
func originOfUI(t *translation, callback string) string {
	if origins := listOf(t.value(corsSection + "ALLOW_ORIGINS")); len(origins) == 1 && isWebURL(origins[0]) {
		return strings.TrimRight(origins[0], "/")
	}
	u, err := url.Parse(callback)
	if err == nil && isWebURL(callback) && strings.HasPrefix(t.value(apiAddress), "/") {
		return u.Scheme + "://" + u.Host
	}
	return ""
}

// loginInUI tells the frontend the way to log in that the server has.
func loginInUI(t *translation) {
	const name = uiProvider
	provider, known := t.to.Provider(t.upper())
	s, _ := t.to.Setting(name)
	if known && provider.UIValue != "" && provider.UIValue != s.Default && t.spelling(name) == "" && t.complete(Frontend) {
		t.set(name, provider.UIValue, "the login form of the frontend must fit the server's provider")
	}
}

// adapt returns a value in the form that the release reads, and why it is another one. A value that has no such form is
// returned as it is; CheckSetting tells what is wrong with it.
func (r Release) adapt(name, value string) (adapted, why string) {
	s, read := r.Setting(name)
	if !read || expectation(s, value) == "" && name != apiAddress {
		return value, ""
	}
	switch {
	case name == apiAddress:
		if want := r.APIAddress(value); value != "" && strings.TrimRight(value, "/") != want {
			return want, fmt.Sprintf("the form of the address that the frontend of release %s needs", r)
		}
	case s.Type == List || s.Type == Set:
		if list, err := marshalList(split(value)); err == nil && !strings.ContainsAny(value, `[]{}"`) {
			return list, "a list is read as JSON only"
		}
	case s.Type == Enum:
		if i := slices.IndexFunc(s.Values, func(v string) bool { return strings.EqualFold(v, value) }); i >= 0 {
			return s.Values[i], "one of " + strings.Join(s.Values, ", ")
		}
	case s.Type == Jinja:
		if plain := strings.NewReplacer(`\{`, "{", `\}`, "}").Replace(value); isJinja(plain) {
			return plain, "backslashes before braces are an error of copies of the documentation"
		}
	}
	return value, ""
}

// split cuts text at commas and blanks, as the shell of the older server images does.
func split(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(", \t\n", r) })
}

// listOf returns the items of a JSON list of texts, nothing where it is none.
func listOf(value string) []string {
	var items []string
	if json.Unmarshal([]byte(value), &items) != nil {
		return nil
	}
	return items
}
