package cli

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/report"
	"syncmaster-setup/internal/setup"
	"syncmaster-setup/internal/stack"
	"syncmaster-setup/test/jsonschema"
)

// outputs are the objects that commands write, by name, with a hyphen for a blank; several where a command writes one of them.
var outputs = map[string][]any{
	"event": {report.EventJSON{}}, "error": {errorJSON{}}, "plan": {setup.MovePlan{}},
	"init": {initJSON{}}, "upgrade": {moveJSON{}}, "rollback": {moveJSON{}}, "resume": {moveJSON{}}, "abort": {moveJSON{}},
	"backup-create": {backupJSON{}}, "backup-list": {backupsJSON{}}, "backup-verify": {verifiedJSON{}}, "backup-restore": {moveJSON{}},
	"history": {historyJSON{}}, "render": {renderJSON{}}, "releases": {releaseJSON{}},
	"status": {statusJSON{}}, "doctor": {doctorJSON{}}, "logs": {setup.LogLine{}},
	"dev-up": {devJSON{}}, "dev-reset": {devJSON{}}, "dev-down": {devDownJSON{}}, "dev-env": {devEnvJSON{}},
	"migrate-upgrade":   {migratedJSON{}, migrationPlanJSON{}, sqlJSON{}},
	"migrate-downgrade": {migratedJSON{}, migrationPlanJSON{}, sqlJSON{}},
	"migrate-current":   {currentJSON{}}, "migrate-history": {revisionJSON{}}, "migrate-heads": {headsJSON{}}, "migrate-show": {shownJSON{}},
	"migrate-check": {checkedJSON{}, differenceJSON{}}, "migrate-stamp": {stampedJSON{}, differenceJSON{}}, "migrate-repair": {repairedJSON{}},
}

// few are the types that have few values.
var few = map[reflect.Type][]string{
	reflect.TypeFor[report.Kind](): texts(report.StepStarted, report.StepDone, report.StepFailed, report.Progress, report.Note, report.Warning),
	reflect.TypeFor[setup.Level](): texts(setup.Pass, setup.Warn, setup.Fail, setup.Missing),
	reflect.TypeFor[stack.State](): texts(stack.Starting, stack.Healthy, stack.Unhealthy, stack.CrashLoop, stack.OutOfMemory, stack.Paused,
		stack.Stopped, stack.NeverStarted, stack.ImageMissing, stack.Done, stack.Failed, stack.Unknown),
	reflect.TypeFor[release.ChangeKind](): texts(release.Added, release.Renamed, release.Changed, release.Dropped),
}

func texts[T ~string](values ...T) []string {
	var list []string
	for _, v := range values {
		list = append(list, string(v))
	}
	return list
}

// TestDocsOfOutput compares docs/output.schema.json with the types; UPDATE=1 writes it ("make docs"). The tests of
// scripts and of stacks hold what the program has written to it.
func TestDocsOfOutput(t *testing.T) {
	s := jsonschema.Schema{Draft: "https://json-schema.org/draft/2020-12/schema", Title: "A line that syncmaster-setup --output json writes", Defs: map[string]*jsonschema.Schema{}}
	maker := jsonschema.Maker{Enums: few, Names: map[reflect.Type]string{}}
	for _, name := range slices.Sorted(maps.Keys(outputs)) {
		if first := reflect.TypeOf(outputs[name][0]); len(outputs[name]) == 1 && maker.Names[first] == "" {
			maker.Names[first] = name
		}
	}
	for _, name := range slices.Sorted(maps.Keys(outputs)) {
		var parts []*jsonschema.Schema
		for _, value := range outputs[name] {
			kind := reflect.TypeOf(value)
			if same := maker.Names[kind]; same != "" && same != name {
				parts = append(parts, maker.Of(kind))
				continue
			}
			part := maker.Object(kind)
			if result := part.Properties["result"]; result != nil {
				result.Const = map[bool]string{true: "error", false: "ok"}[name == "error"]
			}
			parts = append(parts, part)
		}
		s.Defs[name] = parts[0]
		if len(parts) > 1 {
			s.Defs[name] = &jsonschema.Schema{AnyOf: parts}
		}
		if name != "plan" { // a file of its own
			s.AnyOf = append(s.AnyOf, &jsonschema.Schema{Ref: "#/$defs/" + name})
		}
	}
	text, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	path := filepath.Join("..", "..", "docs", "output.schema.json")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if data, err := os.ReadFile(path); err != nil || !bytes.Equal(data, text) {
		t.Errorf("%s is not what the program writes; write it with: make docs (%v)", path, err)
	}
}

// TestEveryOutputHasASchema wants one for each command that has --output.
func TestEveryOutputHasASchema(t *testing.T) {
	for _, c := range allCommands("", (&program{}).app().Commands) {
		for _, f := range c.Flags {
			if f.Names()[0] == "output" && len(c.Subcommands) == 0 && outputs[strings.ReplaceAll(c.Name, " ", "-")] == nil {
				t.Errorf("the output of %s has no schema", c.Name)
			}
		}
	}
}
