package docs

import (
	"embed"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// Scenario is a sequence of command lines that are typed into one shell, one after the other. Its file has
//
//	CODE LINE      a line of a document, and the exit code that it must end with
//	+ LINE         what happens in between, such as an edit; no document has it
//	= OLD => NEW   what stands for a placeholder in the lines below
type Scenario struct {
	Name  string
	Steps []Step
}

// Step is one line of a scenario.
type Step struct {
	Text  string // as the document has it; empty for what happens in between
	Shell string // what is typed
	Code  int
}

// Elsewhere is a line that no scenario executes.
type Elsewhere struct{ Line, Who string }

var (
	//go:embed scenarios/*.txt
	scenarios embed.FS
	//go:embed elsewhere.txt
	elsewhere string
)

// Scenarios returns all of them.
func Scenarios() ([]Scenario, error) {
	files, err := scenarios.ReadDir("scenarios")
	if err != nil {
		return nil, fmt.Errorf("listing the scenarios: %w", err)
	}
	var list []Scenario
	for _, f := range files {
		data, err := scenarios.ReadFile(path.Join("scenarios", f.Name()))
		if err != nil {
			return nil, fmt.Errorf("reading a scenario: %w", err)
		}
		s := Scenario{Name: strings.TrimSuffix(f.Name(), ".txt")}
		if s.Steps, err = steps(string(data)); err != nil {
			return nil, fmt.Errorf("reading the scenario %s: %w", s.Name, err)
		}
		list = append(list, s)
	}
	return list, nil
}

func steps(text string) ([]Step, error) {
	var list []Step
	var placeholders []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		mark, rest, _ := strings.Cut(line, " ")
		switch mark {
		case "", "#":
		case "+":
			list = append(list, Step{Shell: rest})
		case "=":
			old, instead, is := strings.Cut(rest, " => ")
			if !is {
				return nil, fmt.Errorf("%q replaces nothing", line)
			}
			placeholders = append([]string{old, instead}, placeholders...) // the last word on it comes first
		default:
			code, err := strconv.Atoi(mark)
			if err != nil {
				return nil, fmt.Errorf("%q begins with no exit code", line)
			}
			list = append(list, Step{rest, strings.NewReplacer(placeholders...).Replace(rest), code})
		}
	}
	return list, nil
}

// ExecutedElsewhere returns the lines of elsewhere.txt, each with the comment above it.
func ExecutedElsewhere() []Elsewhere {
	var list []Elsewhere
	who := ""
	for line := range strings.Lines(elsewhere) {
		line = strings.TrimSpace(line)
		if said, is := strings.CutPrefix(line, "# "); is {
			who = said
		} else if line == "" {
			who = ""
		} else {
			list = append(list, Elsewhere{line, who})
		}
	}
	return list
}
