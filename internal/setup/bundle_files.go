package setup

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"syncmaster-setup/internal/envfile"
	"syncmaster-setup/internal/workdir"
)

const (
	// runsBundled is how many of the newest files in the folder of the logs are put into a bundle.
	runsBundled = 30
	// longRun is the length from which the beginning of such a file is left out.
	longRun = 1 << 20
)

// bundledFiles are the files of the install, those with settings by names.
func (v *sight) bundledFiles() []bundleFile {
	var files []bundleFile
	add := func(name, text string) { files = append(files, bundleFile{"files/" + name, text}) }
	for _, name := range []string{workdir.EnvFile, workdir.AppEnvFile} {
		if text, exists := v.texts[name]; exists {
			add(strings.TrimPrefix(name, "."), v.namesOf(text))
		}
	}
	for _, name := range append([]string{workdir.ComposeFile}, workdir.Override...) {
		text, exists, err := v.setup.Dir.Read(name)
		switch {
		case err != nil || !exists:
		case v.project == nil && text != v.last[name]:
			add(name, "# left out: Compose cannot load it, so its secrets cannot be told from the rest\n")
		default:
			add(name, v.scrub(withoutValues(text)))
		}
	}
	for _, name := range []string{"state.json", "journal.json"} {
		if text, exists, err := v.setup.Dir.Read(workdir.StateDir + "/" + name); err == nil && exists {
			add(name, v.scrub(text))
		}
	}
	return files
}

// namesOf writes the settings of an env file without its comments, where an old password may stand, and with the
// values of those alone that are known to be harmless.
func (v *sight) namesOf(text string) string {
	parsed, err := envfile.Parse(text)
	if err != nil {
		return "# not readable: " + v.words(err) + "\n"
	}
	var b strings.Builder
	for _, name := range parsed.Keys() {
		value, _ := parsed.Get(name)
		definition, known := v.release.Setting(name)
		switch {
		case value == "":
		case known && definition.Secret, !known && !v.written(name), secretSetting(name):
			value = "****"
		default:
			value = strings.ReplaceAll(v.scrub(value), "\n", `\n`)
		}
		fmt.Fprintf(&b, "%s=%s\n", name, value)
	}
	return b.String()
}

// written reports whether a variable of .env is one that we write: its value is none of the user's secrets.
func (v *sight) written(name string) bool {
	parsed, err := envfile.Parse(v.last[workdir.EnvFile])
	if err != nil {
		return false
	}
	_, has := parsed.Get(name)
	return has
}

// recallGenerations makes the secrets of all generations known: an old log may have an old one.
func (v *sight) recallGenerations() {
	for n := 1; n <= v.lastGen; n++ {
		if texts, err := v.setup.Dir.Generation(n); err == nil { // what cannot be read was not read by the run that logged, either
			v.older = append(v.older, texts)
		}
	}
	v.redaction = v.redactor()
}

// bundledRuns are the logs of the last runs, and the newest plan in them.
func (v *sight) bundledRuns() []bundleFile {
	names, err := v.setup.Dir.Runs(runsBundled)
	if err != nil {
		return []bundleFile{{"runs/not-readable.txt", v.words(err) + "\n"}}
	}
	var files []bundleFile
	plan := ""
	for _, name := range names {
		text, _, err := v.setup.Dir.Read(name)
		if err != nil {
			text = "not readable: " + err.Error() + "\n"
		}
		if found := planOf(text); found != "" {
			plan = fmt.Sprintf("%s\n%s\n", filepath.Base(name), found)
		}
		if len(text) > longRun {
			_, text, _ = strings.Cut(text[len(text)-longRun:], "\n") // half a line may hold half a secret
		}
		files = append(files, bundleFile{"runs/" + filepath.Base(name), v.scrub(text)})
	}
	if plan != "" {
		files = append(files, bundleFile{"plan.txt", v.scrub(plan)})
	}
	return files
}

// planOf returns the plan in the log of a run, fit for reading; empty where there is none.
func planOf(log string) string {
	for line := range strings.Lines(log) {
		var l struct {
			Event string
			Text  string
			Plan  json.RawMessage
		}
		if !strings.Contains(line, `"event":"`+planEvent+`"`) || json.Unmarshal([]byte(line), &l) != nil {
			continue
		}
		var indented bytes.Buffer
		if l.Plan == nil || json.Indent(&indented, l.Plan, "", "  ") != nil {
			return l.Text
		}
		return indented.String()
	}
	return ""
}
