package docs_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"syncmaster-setup/test/docs"
)

var root = filepath.Join("..", "..")

// TestEveryLineIsExecuted wants each command line of the documents in a scenario or in elsewhere.txt, and nothing in
// those that no document has.
func TestEveryLineIsExecuted(t *testing.T) {
	lines := read(t)
	executed := map[string]string{}
	for _, s := range scenarios(t) {
		for _, step := range s.Steps {
			executed[step.Text] = "the scenario " + s.Name
		}
	}
	for _, e := range docs.ExecutedElsewhere() {
		if e.Who == "" {
			t.Errorf("elsewhere.txt does not say who executes %q", e.Line)
		}
		if twice := executed[e.Line]; twice != "" {
			t.Errorf("%q is in elsewhere.txt and in %s", e.Line, twice)
		}
		executed[e.Line] = "elsewhere.txt"
	}
	delete(executed, "")
	known := map[string]bool{}
	for _, l := range lines {
		known[l.Text] = true
		if executed[l.Text] == "" {
			t.Errorf("%s:%d: nothing executes: %s", l.File, l.Number, l.Text)
		}
	}
	for line, by := range executed {
		if !known[line] {
			t.Errorf("%s has a line that no document has: %s", by, line)
		}
	}
	if len(known) < 120 { // fewer than there are: a pattern that finds nothing would pass everything
		t.Errorf("only %d lines were found", len(known))
	}
}

// TestOrderOfOperations holds the scenario "operations" to the order in which the document's blocks are read.
func TestOrderOfOperations(t *testing.T) {
	var written, typed []string
	for _, l := range read(t) {
		if l.File == "operations.md" && l.Block {
			written = append(written, l.Text)
		}
	}
	for _, s := range scenarios(t) {
		for _, step := range s.Steps {
			if s.Name == "operations" && slices.Contains(written, step.Text) {
				typed = append(typed, step.Text)
			}
		}
	}
	if !slices.Equal(written, typed) {
		t.Errorf("the document has\n%s\nand the scenario\n%s", strings.Join(written, "\n"), strings.Join(typed, "\n"))
	}
}

// TestWhatIsExecutedElsewhere looks whether those who are said to execute a line do: .ci/run, and the Makefile's targets.
func TestWhatIsExecutedElsewhere(t *testing.T) {
	ci, makefile := text(t, ".ci/run"), text(t, "Makefile")
	for _, e := range docs.ExecutedElsewhere() {
		if e.Who == ".ci/run executes it" && !strings.Contains(ci, "\n"+e.Line) {
			t.Errorf(".ci/run does not execute %q", e.Line)
		}
		targets, is := strings.CutPrefix(e.Line, "make ")
		for _, target := range strings.Fields(targets) {
			if is && !strings.Contains(target, "=") && !strings.Contains(makefile, "\n"+target+":") {
				t.Errorf("%q: the Makefile has no target %s", e.Line, target)
			}
		}
	}
}

func read(t *testing.T) []docs.Line {
	t.Helper()
	lines, err := docs.Read(root)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func scenarios(t *testing.T) []docs.Scenario {
	t.Helper()
	list, err := docs.Scenarios()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func text(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
