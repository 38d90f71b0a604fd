package setup

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"syncmaster-setup/internal/envfile"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/secret"
	"syncmaster-setup/internal/workdir"
)

// secretName tells variables that hold a secret, whoever has added them, by their name.
var secretName = regexp.MustCompile(`(?i)(passw|passphrase|secret|token|credential|private|api_?key|access_?key|_key$|^key$|_pass$|dsn|database_url$|broker_url$)`)

// looksSecret tells by its name whether a variable that no release describes may hold a secret.
func looksSecret(name string) bool { return secretName.MatchString(name) }

// hidden returns the secrets of the install as far as its files can be read: those in the folder's env files, those of
// the last generation, which a container may still run with, and those that services and containers have from elsewhere,
// such as the override file. project is nil where Compose cannot load it.
func (w world) hidden(project *types.Project) []secret.Text {
	list := append(readable(w.texts), readable(w.last)...)
	for _, c := range w.observed.Containers {
		for _, variable := range c.Environment {
			name, value, _ := strings.Cut(variable, "=")
			list = append(list, secretOf(name, value)...)
		}
	}
	if project == nil {
		return list
	}
	for _, service := range project.AllServices() {
		for name, value := range service.Environment {
			if value != nil {
				list = append(list, secretOf(name, *value)...)
			}
		}
		for name, value := range service.Labels {
			list = append(list, secretOf(name, value)...)
		}
	}
	return list
}

// redactor removes the secrets of the install from what its containers have written. An env file that cannot be read is
// an error: what is not known cannot be hidden.
func (w world) redactor(project *types.Project) (*secret.Redactor, error) {
	for _, texts := range []map[string]string{w.texts, w.last} {
		if _, err := secretsIn(texts); err != nil {
			return nil, fault.New(fault.Refused, fmt.Errorf("reading the secrets to hide: %w", err), "correct that line")
		}
	}
	return secret.NewRedactor(w.hidden(project)...), nil
}

// hide removes the secrets of the install from text of our own.
func (w world) hide(text string) string { return secret.NewRedactor(w.hidden(nil)...).String(text) }

// readable returns the secrets of those files that can be read.
func readable(texts map[string]string) []secret.Text {
	list, _ := secretsIn(texts)
	return list
}

// secretsIn returns every value of env files that may be a secret, of all files that can be read.
func secretsIn(texts map[string]string) ([]secret.Text, error) {
	var known []secret.Text
	var errs []error
	for _, name := range []string{workdir.EnvFile, workdir.AppEnvFile} {
		file, err := envfile.Parse(texts[name])
		if err != nil {
			errs = append(errs, fmt.Errorf("reading %s: %w", name, err))
			continue
		}
		for key, value := range file.Map() {
			known = append(known, secretOf(key, value)...)
		}
	}
	return known, errors.Join(errs...)
}

// shortestSecret is below what is looked for in texts line by line: a shorter line is part of innocent words.
const shortestSecret = 6

// secretSetting reports whether the value of a variable must not be shown.
func secretSetting(name string) bool {
	if definition, described := release.Newest().Setting(name); described && !definition.Open {
		return definition.Secret
	}
	return looksSecret(name)
}

// secretOf returns the secrets in a variable: all of it, each of its lines, which a log shows apart, or the password in
// a URL, as it is and as it is written there.
func secretOf(name, value string) []secret.Text {
	known := []secret.Text{passwordOf(secret.NewText(value))}
	if _, rest, isURL := strings.Cut(value, "://"); isURL {
		if user, _, has := strings.Cut(rest, "@"); has {
			_, written, _ := strings.Cut(user, ":")
			known = append(known, secret.NewText(written))
		}
	}
	if _, err := strconv.ParseBool(value); err == nil || !secretSetting(name) { // a switch is no secret, and its value in many texts
		return known
	}
	known = append(known, secret.NewText(value))
	for line := range strings.Lines(value) {
		if line = strings.TrimSpace(line); len(line) >= shortestSecret {
			known = append(known, secret.NewText(line))
		}
	}
	return known
}
