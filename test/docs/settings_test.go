package docs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"syncmaster-setup/internal/release"
	"syncmaster-setup/templates"
)

// TestDocs compares docs/settings.md with the catalogue of settings; UPDATE=1 writes it ("make docs").
func TestDocs(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Settings of SyncMaster\n\nWritten by `make docs` from what the program knows of each release: every variable that a " +
		"release reads from\n`.env.docker`, or from `.env` for the frontend. Those that `init` writes are in [files.md](files.md).\n\n" +
		"| setting | releases | type | default | read by | |\n|---|---|---|---|---|---|\n")
	for _, name := range settingNames() {
		fmt.Fprintln(&b, row(name))
	}
	path := filepath.Join(root, "docs", "settings.md")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if text(t, "docs/settings.md") != b.String() {
		t.Errorf("%s is not what the program knows; write it with: make docs", path)
	}
}

// settingNames returns the names of all releases, sorted.
func settingNames() []string {
	var names []string
	for _, r := range release.Known() {
		for _, s := range r.Settings() {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// row describes a setting as the newest release that has it reads it.
func row(name string) string {
	var s release.Setting
	for _, r := range release.Known() {
		if found, has := r.Setting(name); has && !found.Open {
			s = found
		}
	}
	kind := string(s.Type)
	if len(s.Values) > 0 {
		kind = strings.Join(s.Values, ", ")
	}
	value := "`" + s.Default + "`"
	switch {
	case s.Required && s.When != release.Always:
		value = "required where " + string(s.When)
	case s.Required:
		value = "required"
	case !s.HasDefault || s.Default == "":
		value = "none"
	case s.Secret:
		value = "secret"
	}
	var readers []string
	for _, c := range s.Components {
		readers = append(readers, string(c))
	}
	help := s.Help
	if s.RenamedTo != "" {
		help += "; later `" + s.RenamedTo + "`"
	}
	if s.Caveat != "" {
		help += ". " + s.Caveat
	}
	cells := []string{"`" + name + "`", releasesOf(s), kind, value, strings.Join(readers, ", "), help}
	for i := range cells {
		cells[i] = strings.ReplaceAll(cells[i], "|", `\|`)
	}
	return "| " + strings.Join(cells, " | ") + " |"
}

func releasesOf(s release.Setting) string {
	switch first := release.Known()[0].Version; {
	case s.Until != "":
		return s.Since + " – " + s.Until
	case s.Since != first:
		return "from " + s.Since
	}
	return "all"
}

var (
	cellNames = regexp.MustCompile("`([A-Z…_]+)`")
	variable  = regexp.MustCompile(`\{\{env "([A-Z_]+)"\}\}`)
)

// TestFilesNameEveryVariable compares the tables of docs/files.md with the templates and the catalogue: the names, and the
// releases that they are of.
func TestFilesNameEveryVariable(t *testing.T) {
	_, rest, _ := strings.Cut(text(t, "docs/files.md"), "\n## Variables in .env\n")
	env, rest, _ := strings.Cut(rest, "\n## Variables in .env.docker\n")
	app, _, _ := strings.Cut(rest, "\n## ")

	template, err := templates.FS.ReadFile("env.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	var written []string
	for _, m := range variable.FindAllStringSubmatch(string(template), -1) {
		written = append(written, m[1])
	}
	if documented := variables(env); !equal(documented, written) {
		t.Errorf(".env has\n%q\nand docs/files.md\n%q", written, documented)
	}

	if template, err = templates.FS.ReadFile("env.docker.tmpl"); err != nil {
		t.Fatal(err)
	}
	documented := variables(app)
	for _, name := range settingNames() {
		if regexp.MustCompile(`\b`+name+`\b`).Match(template) && !slices.Contains(documented, name) {
			t.Errorf(".env.docker has %s, and docs/files.md has not", name)
		}
	}
	for line := range strings.Lines(app) {
		cells := strings.Split(line, " | ")
		for _, name := range variables(line) {
			if got := strings.TrimSpace(cells[1]); got != minors(name) {
				t.Errorf("docs/files.md says that %s is of the releases %s, and it is of %q", name, got, minors(name))
			}
		}
	}
}

// variables returns the names in the first cells of a table; … stands for what the name before begins with.
func variables(table string) []string {
	var list []string
	for line := range strings.Lines(table) {
		cell, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		before := ""
		for _, m := range cellNames.FindAllStringSubmatch(cell, -1) {
			name, short := strings.CutPrefix(m[1], "…")
			if short {
				name = before[:strings.LastIndex(before, "__")] + name
			}
			list = append(list, name)
			before = name
		}
	}
	return list
}

// minors tells which releases read a setting as docs/files.md does: all, 0.2, 0.3, or none.
func minors(name string) string {
	var with, without []string
	for _, r := range release.Known() {
		minor := r.Version[:min(3, len(r.Version))]
		if r.Floating { // as the newest ones
			continue
		}
		if s, has := r.Setting(name); has && !s.Open {
			with = append(with, minor)
		} else {
			without = append(without, minor)
		}
	}
	with = slices.Compact(with)
	if len(without) == 0 {
		return "all"
	}
	return strings.Join(with, ", ")
}

func equal(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}
