package setup

import (
	"regexp"
	"strings"

	"syncmaster-setup/internal/secret"
)

// redactor knows the secrets of the install, and of the earlier generations that were recalled.
func (v *sight) redactor() *secret.Redactor {
	known := v.hidden(v.project)
	for _, texts := range v.older {
		known = append(known, readable(texts)...)
	}
	return secret.NewRedactor(known...)
}

// clean makes text of others fit for output: without secrets.
func (v *sight) clean(text string) string { return v.redaction.String(text) }

// words returns what an error says, without secrets; empty for none.
func (v *sight) words(err error) string {
	if err == nil {
		return ""
	}
	return v.clean(err.Error())
}

// patterns fit what looks like a secret to anybody, whether or not it is one of this install's.
var patterns = []struct {
	form *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`://[^/\s:@"']*:[^/\s@"']+@`), "://****@"},
	{regexp.MustCompile(`gAAAA[\w-]{20,}={0,2}`), "****"},                            // a Fernet token
	{regexp.MustCompile(`eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*`), "****"},                  // a JSON web token
	{regexp.MustCompile(`(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}`), "$1 ****"}, // the header of a request
	{regexp.MustCompile(`(?i)([\w.-]*(?:passw|passphrase|secret|token|credential|api_?key|access_?key)[\w.-]*["']?\s*[:=]\s*)("[^"]*"|'[^']*'|[^\s,;})]+)`), `$1****`},
}

// namedLine is a line of a YAML file that gives something a name: its indentation, a dash, the name, the value.
var namedLine = regexp.MustCompile(`^((\s*)(-?)\s*["']?([\w.-]+)["']?\s*[:=])\s*(.*)$`)

// partOfSecret tells names of what belongs to a secret, and may hold it.
var partOfSecret = regexp.MustCompile(`(?i)_key|_pass`)

// withoutValues takes out of a YAML file what stands under names that look secret, on the same line or on those that go
// on with it, and comments, which may hold what was a value once.
func withoutValues(text string) string {
	var b strings.Builder
	var hidden []string // namedLine of the value that is being left out
	quoted := false     // until its quote ends
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		indent := len(line) - len(strings.TrimLeft(line, " "))
		switch {
		case hidden != nil && quoted:
			quoted = !strings.Contains(line, hidden[5][:1])
			continue
		case trimmed == "", strings.HasPrefix(trimmed, "#"):
			continue
		case hidden != nil && (indent > len(hidden[2]) || indent == len(hidden[2]) && hidden[3] == "" && strings.HasPrefix(trimmed, "-")):
			continue
		}
		hidden = namedLine.FindStringSubmatch(strings.TrimRight(line, "\r\n"))
		if hidden == nil || !secretSetting(hidden[4]) && !partOfSecret.MatchString(hidden[4]) {
			hidden = nil
			b.WriteString(line)
			continue
		}
		b.WriteString(hidden[1] + " ****\n")
		for _, quote := range []string{`"`, "'"} {
			quoted = quoted || strings.HasPrefix(hidden[5], quote) && strings.Count(hidden[5], quote)%2 == 1
		}
	}
	return b.String()
}

// scrub takes out of a text what is a secret of this install, and what looks like one.
func (v *sight) scrub(text string) string {
	text = v.clean(text)
	for _, p := range patterns {
		text = p.form.ReplaceAllString(text, p.with)
	}
	return text
}
