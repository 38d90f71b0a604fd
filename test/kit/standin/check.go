package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"syncmaster-setup/test/kit/facts"
)

const providers = "syncmaster.server.providers.auth."

// check validates the tree for a component, as the release's settings classes do: every problem in one error.
func (s settings) check(component string) error {
	var problems []string
	for _, r := range rulesOf(s.release, component) {
		value, ok := s.get(r.path()...)
		if !ok {
			if slices.Contains(r.requiredBy, component) && s.applies(r.when) {
				problems = append(problems, location(r)+"\n  Field required [type=missing, input_value={}, input_type=dict]")
			}
			continue
		}
		if text, ok := value.(string); ok && (r.kind == "list" || r.kind == "dict") && !json.Valid([]byte(text)) {
			return fmt.Errorf("pydantic_settings.exceptions.SettingsError: error parsing value for field %q from source "+
				"\"EnvSettingsSource\" (%s)", r.path()[0], location(r))
		}
		if problem := misfit(r, value); problem != "" {
			problems = append(problems, location(r)+"\n  "+problem)
		}
	}
	problems = append(problems, s.extras(component)...)
	if len(problems) > 0 {
		return fmt.Errorf("pydantic_core._pydantic_core.ValidationError: %d validation error(s) for %sAppSettings\n%s",
			len(problems), strings.ToUpper(component[:1])+component[1:], strings.Join(problems, "\n"))
	}
	return s.unknown(component)
}

// applies reports whether the condition of a requirement holds.
func (s settings) applies(when []string) bool {
	provider := s.text("dummy_provider.DummyAuthProvider", "auth", "provider")
	for _, w := range when {
		switch {
		case w == "dummy" && strings.HasSuffix(provider, ".DummyAuthProvider"),
			w == "dummy" && provider == "dummy_provider.DummyAuthProvider",
			w == "keycloak" && strings.HasSuffix(provider, ".KeycloakAuthProvider"),
			w == "gateway" && strings.HasSuffix(provider, ".OAuth2GatewayProvider"),
			w == "hwm" && s.flag(false, "hwm_store", "enabled"):
			return true
		}
	}
	return len(when) == 0
}

// extras lists the names that the closed sections of 0.2.x refuse.
func (s settings) extras(component string) []string {
	if !s.release.Old() || component != facts.Worker && component != facts.Scheduler {
		return nil
	}
	section, _ := s.get(component)
	var names []string
	for name := range asMap(section) {
		isRule := func(r rule) bool { return strings.EqualFold(r.name, component+"__"+name) }
		if !slices.ContainsFunc(rulesOf(s.release, component), isRule) {
			names = append(names, strings.ToLower(name)+"\n  Extra inputs are not permitted [type=extra_forbidden]")
		}
	}
	slices.Sort(names)
	return names
}

// unknown refuses names in the server's open sections that the library behind them does not take.
func (s settings) unknown(component string) error {
	if component != facts.Server {
		return nil
	}
	for _, path := range []string{"database", "server.cors", "server.monitoring", "server.session"} {
		if path == "server.session" && !s.release.Old() {
			continue
		}
		section, _ := s.get(strings.Split(path, ".")...)
		for name := range asMap(section) {
			if !slices.Contains(known[path], name) {
				return fmt.Errorf("TypeError: %s: got an unexpected keyword argument '%s'", path, name)
			}
		}
	}
	return nil
}

var importPath = regexp.MustCompile(`^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$`)

// misfit says what is wrong with a value, in pydantic's words, or nothing.
func misfit(r rule, value any) string {
	switch kind, choices, _ := strings.Cut(r.kind, ":"); kind {
	case "bool":
		if _, ok := asBool(value); !ok {
			return "Input should be a valid boolean, unable to interpret input [type=bool_parsing]"
		}
	case "int":
		if _, err := strconv.Atoi(strings.TrimSpace(fmt.Sprint(value))); err != nil {
			return "Input should be a valid integer, unable to parse string as an integer [type=int_parsing]"
		}
	case "list":
		if _, ok := asList(value); !ok {
			return "Input should be a valid list [type=list_type]"
		}
	case "dict":
		if !isDict(value) {
			return "Input should be a valid dictionary [type=dict_type]"
		}
	case "enum":
		if !slices.Contains(strings.Split(choices, "|"), fmt.Sprint(value)) {
			return "Input should be one of " + choices + " [type=enum]"
		}
	case "url":
		if u, err := url.Parse(fmt.Sprint(value)); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return "Input should be a valid URL [type=url_parsing]"
		}
	case "import":
		return badImport(r, fmt.Sprint(value))
	case "path":
		if _, err := os.Stat(fmt.Sprint(value)); err != nil && r.name == "LOGGING__CUSTOM_CONFIG_PATH" {
			return "Path does not point to a file [type=path_not_file]"
		}
	default:
		if !isText(value) {
			return "Input should be a valid string [type=string_type]"
		}
	}
	return ""
}

// badImport refuses what the image could not import. Of a Spark session function only the form can be judged.
func badImport(r rule, value string) string {
	names := []string{"dummy_provider.DummyAuthProvider", "keycloak_provider.KeycloakAuthProvider"}
	if r.kind == "import" && !importPath.MatchString(value) {
		return "Invalid python path: No module named '" + value + "' [type=import_error]"
	}
	if release, ok := facts.Find(os.Getenv(facts.ReleaseVariable)); ok && !release.Old() {
		names = append(names, "oauth2_gateway_provider.OAuth2GatewayProvider")
	}
	if r.name == "AUTH__PROVIDER" && !slices.Contains(names, strings.TrimPrefix(value, providers)) {
		return "Invalid python path: No module named '" + value + "' [type=import_error]"
	}
	return ""
}

func location(r rule) string { return strings.Join(r.path(), ".") }

func isText(value any) bool { _, ok := value.(string); return ok }

func isDict(value any) bool {
	if text, ok := value.(string); ok {
		return json.Unmarshal([]byte(text), &map[string]any{}) == nil && text != "null"
	}
	_, ok := value.(map[string]any)
	return ok
}

func asMap(value any) map[string]any {
	m, _ := value.(map[string]any)
	return m
}

// asBool takes what pydantic takes for a boolean.
func asBool(value any) (value2, ok bool) {
	switch strings.ToLower(fmt.Sprint(value)) {
	case "1", "true", "t", "yes", "y", "on":
		return true, true
	case "0", "false", "f", "no", "n", "off":
		return false, true
	}
	return false, false
}

// asList takes a list of texts, or its JSON.
func asList(value any) ([]string, bool) {
	if text, ok := value.(string); ok {
		var items []string
		err := json.Unmarshal([]byte(text), &items)
		return items, err == nil && items != nil
	}
	items, ok := value.([]any)
	texts := make([]string, len(items))
	for i, item := range items {
		texts[i] = fmt.Sprint(item)
	}
	return texts, ok
}
