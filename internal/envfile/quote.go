package envfile

import (
	"errors"
	"regexp"
	"strings"
	"unicode/utf8"
)

// plain values need no quotes, neither for Compose nor for a shell that sources the file.
var plain = regexp.MustCompile(`^[A-Za-z0-9_./:@%+=,-]*$`)

// inDouble escapes what Compose's parser interprets between double quotes. A carriage return is escaped because older
// Compose versions rewrite line ends before they parse.
var inDouble = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "\r", `\r`)

// Quote returns the shortest form of a value that Compose reads back unchanged, in an env_file of a service and in
// .env, and that a shell reads the same where it is plain or single-quoted. A value with a NUL byte or with bytes that
// are not UTF-8 is an error: no container can be given the former, and the engine's API changes the latter.
func Quote(value string) (string, error) {
	if plain.MatchString(value) {
		return value, checkValue(value)
	}
	return forceQuotes(value)
}

// forceQuotes is Quote with quotes around any value.
func forceQuotes(value string) (string, error) {
	if err := checkValue(value); err != nil {
		return "", err
	}
	// before the closing quote a backslash would escape it
	if !strings.ContainsAny(value, "'\r") && !strings.HasSuffix(value, `\`) {
		return "'" + value + "'", nil
	}
	return `"` + inDouble.Replace(value) + `"`, nil
}

func checkValue(value string) error {
	if strings.ContainsRune(value, 0) {
		return errors.New("a value with a NUL byte cannot be written into an env file")
	}
	if !utf8.ValidString(value) {
		return errors.New("a value that is not UTF-8 cannot be written into an env file")
	}
	return nil
}
