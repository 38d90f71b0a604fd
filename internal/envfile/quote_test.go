package envfile

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
)

// nasty holds what parsers of env files, YAML, shells and templates treat specially.
var nasty = []string{"$", "$$", "${", "}", "${A}", "$A", "${A:-b}", "${A:?no}", "%", "%%", "%s", "'", "''", `"`, `\`, `\\`, `\'`, `\"`, `\$`, `\n`,
	`\0101`, `\x41`, `\r`, "#", " #", "# ", " ", "  ", "\t", "\n", "\n\n", "\r", "\r\n", "\v", "\f", "=", ":", ";", "&", "|", "<", ">", "(", ")",
	"`", "!", "*", "?", "[", "]", "{", "~", "^", ",", "@", "export ", "KEY=x", "\nK=x", `{"a":["b"]}`, "é", "Ж", "漢", "😀", "\u00a0", "\u0085",
	"\u2028", "\ufeff", "\x01", "\x1b[0m", "\x7f", "a", "Z", "0", "_", "-", ".", "/", "+", "true", "null"}

func randomValues(n int) []string {
	random := rand.New(rand.NewPCG(1, 2))
	values := []string{"", " ", "'", `"`, `\`, `\\`, `'\`, `\'`, "#", " # x", "$", "a b ", " a", "\n", "export A=1"}
	values = append(values, nasty...)
	for len(values) < n {
		var b strings.Builder
		for range random.IntN(9) {
			b.WriteString(nasty[random.IntN(len(nasty))])
		}
		values = append(values, b.String())
	}
	return values
}

func TestQuoteForms(t *testing.T) {
	for value, want := range map[string]string{
		"":                         "",
		"plain-1.2_3/x:y@z%+=":     "plain-1.2_3/x:y@z%+=",
		"a b":                      "'a b'",
		`["https://h"]`:            `'["https://h"]'`,
		"$x":                       "'$x'",
		`a\b`:                      `'a\b'`,
		"two\nlines":               "'two\nlines'",
		"it's $5":                  `"it's \$5"`,
		`ends with \`:              `"ends with \\"`,
		"cr\r":                     `"cr\r"`,
		`'"`:                       `"'\""`,
		"ключ":                     "'ключ'",
		"~/x":                      "'~/x'",
		"https://l/{{ run.id }}#x": "'https://l/{{ run.id }}#x'",
	} {
		if got, err := Quote(value); err != nil || got != want {
			t.Errorf("Quote(%q) = %s, %v; want %s", value, got, err, want)
		}
	}
	for _, value := range []string{"a\x00", "\xff", "a\xc3"} {
		if got, err := Quote(value); err == nil {
			t.Errorf("Quote(%q) = %s", value, got)
		} else if _, err := forceQuotes(value); err == nil {
			t.Errorf("forceQuotes(%q) takes it", value)
		}
	}
}

// TestComposeReadsValuesBack is invariant 11: 10,000 values go through compose-go's loader as env_file of a service and
// as .env that is interpolated into the environment of a service.
func TestComposeReadsValuesBack(t *testing.T) {
	values := randomValues(10_000)
	dir := t.TempDir()
	var dotenv, envFile, compose strings.Builder
	compose.WriteString("services:\n  one:\n    image: x\n    env_file: service.env\n  two:\n    image: x\n    environment:\n")
	for i, value := range values {
		quoted, err := Quote(value)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&dotenv, "D%d=%s\n", i, quoted)
		fmt.Fprintf(&envFile, "E%d=%s\n", i, quoted)
		fmt.Fprintf(&compose, "      D%d: ${D%d}\n", i, i)
	}
	write(t, dir, ".env", dotenv.String())
	write(t, dir, "service.env", envFile.String())
	write(t, dir, "compose.yaml", compose.String())

	options, err := cli.NewProjectOptions([]string{filepath.Join(dir, "compose.yaml")}, cli.WithWorkingDirectory(dir), cli.WithName("envfile"),
		cli.WithEnvFiles(filepath.Join(dir, ".env")), cli.WithDotEnv)
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	failures := 0
	for i, value := range values {
		for _, where := range []struct{ service, key string }{{"one", fmt.Sprintf("E%d", i)}, {"two", fmt.Sprintf("D%d", i)}} {
			got := project.Services[where.service].Environment[where.key]
			if got == nil || *got != value {
				failures++
				if failures < 20 {
					t.Errorf("%s: %q came back as %v", where.key, value, show(got))
				}
			}
		}
	}
	file, err := Parse(dotenv.String())
	if err != nil {
		t.Fatal(err)
	}
	for i, value := range values {
		if got, ok := file.Get(fmt.Sprintf("D%d", i)); !ok || got != value {
			t.Errorf("Get: %q came back as %q", value, got)
		}
	}
}

// TestShellReadsPlainValues sources a file with generated secrets and settings in sh.
func TestShellReadsPlainValues(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-="
	file, err := Parse("")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"JSON": `["https://ui.example.com", "$x"]`, "URL": "amqp://u:p@h:5672/%2f?x=1"}
	for i := range 300 {
		var b strings.Builder
		for range random.IntN(50) {
			b.WriteByte(alphabet[random.IntN(len(alphabet))])
		}
		want[fmt.Sprintf("S%d", i)] = b.String()
	}
	for key, value := range want {
		if err := file.Set(key, value); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	write(t, dir, "file", file.String())
	command := exec.Command("sh", "-c", "set -a; . ./file; env -0")
	command.Dir = dir
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for line := range bytes.SplitSeq(out, []byte{0}) {
		key, value, _ := strings.Cut(string(line), "=")
		got[key] = value
	}
	for key, value := range want {
		if read, ok := got[key]; !ok || read != value {
			t.Errorf("%s: %q became %q", key, value, read)
		}
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func show(value *string) string {
	if value == nil {
		return "nothing"
	}
	return fmt.Sprintf("%q", *value)
}
