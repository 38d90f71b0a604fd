package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"syncmaster-setup/test/kit/facts"
)

// migrations is the component of the one-off container; the others are the roles of the images.
const migrations = "migrations"

const prefix = "syncmaster__"

// settings are the merged values of a component: strings from the environment, any type from config.yml.
type settings struct {
	release facts.Release
	tree    map[string]any
}

// loadSettings reads and checks what a component reads: the environment and, from 0.3.0, config.yml below it.
func loadSettings(release facts.Release, component string) (settings, error) {
	s := settings{release: release, tree: map[string]any{}}
	if !release.Old() {
		if err := s.readFile(); err != nil {
			return s, err
		}
	}
	if err := s.readEnvironment(); err != nil {
		return s, err
	}
	return s, s.check(component)
}

// readFile reads config.yml. A missing file is silently ignored, as is a folder; broken YAML is not.
func (s settings) readFile() error {
	path := os.Getenv("SYNCMASTER_CONFIG_FILE")
	if path == "" {
		path = "config.yml"
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if info, statErr := os.Stat(path); statErr == nil && info.IsDir() {
		return nil
	}
	if err != nil {
		return fmt.Errorf("PermissionError: %w", err)
	}
	var tree map[string]any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		return fmt.Errorf("yaml.scanner.ScannerError: %w", err)
	}
	maps.Copy(s.tree, tree)
	return nil
}

// readEnvironment lays SYNCMASTER__A__B=value over the tree, a shorter name before a longer one.
func (s settings) readEnvironment() error {
	env := os.Environ()
	slices.Sort(env)
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		if len(name) <= len(prefix) || !strings.EqualFold(name[:len(prefix)], prefix) {
			continue
		}
		if err := s.put(strings.Split(strings.ToLower(name[len(prefix):]), "__"), value); err != nil {
			return err
		}
	}
	return nil
}

func (s settings) put(path []string, value string) error {
	if path[0] == "scheduler" {
		for i := 1; i < len(path); i++ {
			path[i] = strings.ToUpper(path[i])
		}
	}
	node := s.tree
	for _, key := range path[:len(path)-1] {
		next, ok := node[key].(map[string]any)
		if !ok {
			next = map[string]any{}
			node[key] = next
		}
		node = next
	}
	// A section given as a whole is JSON; it is merged below its own variables.
	if len(path) == 1 && isSection(path[0]) {
		var section map[string]any
		if err := json.Unmarshal([]byte(value), &section); err != nil {
			return fmt.Errorf("pydantic_settings.exceptions.SettingsError: error parsing value for field %q from source "+
				"\"EnvSettingsSource\"", path[0])
		}
		if old, ok := node[path[0]].(map[string]any); ok {
			maps.Copy(old, section)
			return nil
		}
		node[path[0]] = section
		return nil
	}
	node[path[len(path)-1]] = value
	return nil
}

func isSection(name string) bool {
	return slices.Contains([]string{"database", "broker", "encryption", "server", "auth", "worker", "scheduler",
		"hwm_store", "logging", "ui"}, name)
}

// get returns a value by its path and whether it is set.
func (s settings) get(path ...string) (any, bool) {
	var node any = s.tree
	for _, key := range path {
		section, ok := node.(map[string]any)
		if !ok {
			return nil, false
		}
		if node, ok = section[key]; !ok {
			return nil, false
		}
	}
	return node, true
}

// text returns a value as text, or the default where it is not set.
func (s settings) text(fallback string, path ...string) string {
	value, ok := s.get(path...)
	if !ok || value == nil {
		return fallback
	}
	return fmt.Sprint(value)
}

// flag returns a boolean value; check has refused anything else.
func (s settings) flag(fallback bool, path ...string) bool {
	value, ok := s.get(path...)
	if !ok {
		return fallback
	}
	b, _ := asBool(value)
	return b
}

// list returns a list of texts; check has refused anything else.
func (s settings) list(fallback []string, path ...string) []string {
	value, ok := s.get(path...)
	if !ok {
		return fallback
	}
	items, _ := asList(value)
	return items
}
