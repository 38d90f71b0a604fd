package docs_test

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"syncmaster-setup/test/jsonschema"
)

// TestFieldsAreDescribed wants a word on each field of docs/output.schema.json in docs/output.md or docs/migrations.md.
func TestFieldsAreDescribed(t *testing.T) {
	schema, err := jsonschema.Read(filepath.Join(root, "docs", "output.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	described := text(t, "docs/output.md") + text(t, "docs/migrations.md")
	for _, name := range slices.Sorted(maps.Keys(schema.Defs)) {
		for _, field := range fields(schema.Defs[name]) {
			if !strings.Contains(described, "`"+field+"`") {
				t.Errorf("neither docs/output.md nor docs/migrations.md describes %s of %s", field, name)
			}
		}
	}
}

// fields returns the names of the fields in a part of a schema.
func fields(part *jsonschema.Schema) []string {
	if part == nil {
		return nil
	}
	list := append(fields(part.Items), fields(part.Values)...)
	for name, below := range part.Properties {
		list = append(append(list, name), fields(below)...)
	}
	for _, one := range part.AnyOf {
		list = append(list, fields(one)...)
	}
	return list
}
