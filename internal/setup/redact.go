package setup

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

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

// redactor returns what removes the secrets of the install from text: those in the folder's env files, and those of the
// last generation, which a container may still run with. A file that cannot be read is an error: what is not known
// cannot be hidden.
func (w world) redactor() (*secret.Redactor, error) {
	var known []secret.Text
	for _, texts := range []map[string]string{w.texts, w.last} {
		list, err := secretsIn(texts)
		if err != nil {
			return nil, fault.New(fault.Refused, fmt.Errorf("reading the secrets to hide: %w", err), "correct that line")
		}
		known = append(known, list...)
	}
	return secret.NewRedactor(known...), nil
}

// hide removes the secrets of the install from text of our own, as far as its files can be read.
func (w world) hide(text string) string {
	return secret.NewRedactor(append(readable(w.texts), readable(w.last)...)...).String(text)
}

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
	if !secretSetting(name) {
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
