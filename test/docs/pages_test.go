package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestPackagesAreDescribed wants every package of the program in docs/architecture.md and docs/design.md.
func TestPackagesAreDescribed(t *testing.T) {
	list, err := os.ReadDir(filepath.Join(root, "internal"))
	if err != nil {
		t.Fatal(err)
	}
	architecture, design := text(t, "docs/architecture.md"), text(t, "docs/design.md")
	for _, entry := range list {
		if !strings.Contains(architecture, "`"+entry.Name()+"`") {
			t.Errorf("docs/architecture.md does not name the package %s", entry.Name())
		}
		if !regexp.MustCompile(`(?m)^ +` + entry.Name() + `/ `).MatchString(design) {
			t.Errorf("docs/design.md does not name the package %s", entry.Name())
		}
	}
}

// TestLinks follows the links from one document to another.
func TestLinks(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`\]\(([^):#]+)[^):]*\)`)
	for _, path := range append(paths, filepath.Join(root, "README.md")) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(data), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
}
