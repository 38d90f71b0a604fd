package setup

import (
	"regexp"

	"syncmaster-setup/internal/envfile"
	"syncmaster-setup/internal/secret"
	"syncmaster-setup/internal/workdir"
)

// redactor knows every secret that the folder holds, now and in the last generation, and those that the project takes
// from elsewhere, such as the override file.
func (v *sight) redactor() *secret.Redactor {
	var known []secret.Text
	for _, texts := range append([]map[string]string{v.texts, v.last}, v.older...) {
		for _, name := range []string{workdir.EnvFile, workdir.AppEnvFile} {
			if parsed, err := envfile.Parse(texts[name]); err == nil {
				for key, value := range parsed.Map() {
					known = append(known, secretOf(key, value)...)
				}
			}
		}
	}
	if v.project != nil {
		for _, service := range v.project.Services {
			for key, value := range service.Environment {
				if value != nil {
					known = append(known, secretOf(key, *value)...)
				}
			}
		}
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

// secretLine is a line of a YAML file that gives something a value, under a name that looks secret.
var secretLine = regexp.MustCompile(`(?im)^(\s*(?:-\s*)?["']?[\w.-]*(?:passw|passphrase|secret|token|credential|api_?key|access_?key|_key|_pass)[\w.-]*["']?\s*[:=]).*$`)

// commentLine may hold what was a value once.
var commentLine = regexp.MustCompile(`(?m)^\s*#.*\n?`)

// scrub takes out of a text what is a secret of this install, and what looks like one.
func (v *sight) scrub(text string) string {
	text = v.clean(text)
	for _, p := range patterns {
		text = p.form.ReplaceAllString(text, p.with)
	}
	return text
}
