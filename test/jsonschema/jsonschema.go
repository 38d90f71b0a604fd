// Package jsonschema makes a JSON Schema of Go types, and holds lines of --output json to it.
package jsonschema

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Schema is as much of JSON Schema as is needed here.
type Schema struct {
	Draft      string             `json:"$schema,omitempty"`
	Title      string             `json:"title,omitempty"`
	Ref        string             `json:"$ref,omitempty"`
	Type       string             `json:"type,omitempty"`
	Format     string             `json:"format,omitempty"`
	Const      string             `json:"const,omitempty"`
	Enum       []string           `json:"enum,omitempty"`
	Properties map[string]*Schema `json:"properties,omitempty"`
	Required   []string           `json:"required,omitempty"`
	Values     *Schema            `json:"additionalProperties,omitempty"` // of a map
	Items      *Schema            `json:"items,omitempty"`
	AnyOf      []*Schema          `json:"anyOf,omitempty"`
	Defs       map[string]*Schema `json:"$defs,omitempty"`
}

// Maker makes schemas.
type Maker struct {
	Enums map[reflect.Type][]string // the values of types that have few
	Names map[reflect.Type]string   // of types that have a definition of their own
}

// Of returns the schema of a type as encoding/json writes it.
func (m Maker) Of(t reflect.Type) *Schema {
	text := reflect.TypeFor[encoding.TextMarshaler]()
	switch {
	case m.Names[t] != "":
		return &Schema{Ref: "#/$defs/" + m.Names[t]}
	case len(m.Enums[t]) > 0:
		return &Schema{Type: "string", Enum: m.Enums[t]}
	case t == reflect.TypeFor[time.Time]():
		return &Schema{Type: "string", Format: "date-time"}
	case t.Implements(text):
		return &Schema{Type: "string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return m.Of(t.Elem())
	case reflect.Struct:
		return m.Object(t)
	case reflect.Slice, reflect.Array:
		return &Schema{Type: "array", Items: m.Of(t.Elem())}
	case reflect.Map:
		return &Schema{Type: "object", Values: m.Of(t.Elem())}
	case reflect.String:
		return &Schema{Type: "string"}
	case reflect.Bool:
		return &Schema{Type: "boolean"}
	case reflect.Float32, reflect.Float64:
		return &Schema{Type: "number"}
	default:
		return &Schema{Type: "integer"}
	}
}

// Object returns the schema of a struct, also of one that has a name.
func (m Maker) Object(t reflect.Type) *Schema {
	s := &Schema{Type: "object", Properties: map[string]*Schema{}}
	m.fields(t, s)
	return s
}

// fields adds those of a struct, and of the structs embedded in it.
func (m Maker) fields(t reflect.Type, s *Schema) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported():
		case f.Anonymous && name == "":
			m.fields(f.Type, s)
		default:
			s.Properties[name] = m.Of(f.Type)
			if !strings.Contains(options, "omit") {
				s.Required = append(s.Required, name)
			}
		}
	}
}

// Read reads a schema from its file.
func Read(path string) (*Schema, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the schema: %w", err)
	}
	s := &Schema{}
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("reading the schema: %w", err)
	}
	return s, nil
}

// Asked tells whether arguments ask for JSON.
func Asked(args []string) bool {
	for i, word := range args {
		if word == "--output=json" || word == "json" && i > 0 && args[i-1] == "--output" {
			return true
		}
	}
	return false
}

// Output holds what a run of the program has written to the schema of its command. It is stricter than the schema: a
// field that the schema does not have is an error.
func (s *Schema) Output(args []string, stdout string) error {
	command := ""
	for n := min(2, len(args)); n > 0 && command == ""; n-- {
		if name := strings.Join(args[:n], "-"); s.Defs[name] != nil {
			command = name
		}
	}
	var errs []error
	for line := range strings.Lines(stdout) {
		var value any
		if err := json.Unmarshal([]byte(line), &value); err != nil {
			return fmt.Errorf("%q is no JSON: %w", line, err)
		}
		kind := command
		if object, _ := value.(map[string]any); object["result"] == "error" {
			kind = "error"
		} else if object["event"] != nil && object["event"] != "difference" {
			kind = "event"
		}
		if s.Defs[kind] == nil {
			return fmt.Errorf("the schema knows nothing of %q", args)
		}
		if err := s.check(s.Defs[kind], value); err != nil {
			errs = append(errs, fmt.Errorf("not as %s: %w: %s", kind, err, strings.TrimSpace(line)))
		}
	}
	return errors.Join(errs...)
}

// check compares a value with a part of the schema.
func (s *Schema) check(part *Schema, value any) error {
	if part.Ref != "" {
		return s.check(s.Defs[strings.TrimPrefix(part.Ref, "#/$defs/")], value)
	}
	if len(part.AnyOf) > 0 {
		var errs []error
		for _, one := range part.AnyOf {
			err := s.check(one, value)
			if err == nil {
				return nil
			}
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	}
	switch v := value.(type) {
	case map[string]any:
		return s.object(part, v)
	case []any:
		if part.Type != "array" {
			return fmt.Errorf("a list is no %s", part.Type)
		}
		for _, item := range v {
			if err := s.check(part.Items, item); err != nil {
				return err
			}
		}
		return nil
	case string:
		if part.Type != "string" && part.Const == "" || part.Const != "" && part.Const != v || len(part.Enum) > 0 && !slices.Contains(part.Enum, v) {
			return fmt.Errorf("%q is not of %s%s%q", v, part.Type, part.Const, part.Enum)
		}
		return nil
	case float64:
		if part.Type != "number" && (part.Type != "integer" || v != float64(int64(v))) {
			return fmt.Errorf("%v is no %s", v, part.Type)
		}
		return nil
	case bool:
		if part.Type != "boolean" {
			return fmt.Errorf("%v is no %s", v, part.Type)
		}
		return nil
	}
	return errors.New("null, where there is always a value")
}

func (s *Schema) object(part *Schema, value map[string]any) error {
	if part.Type != "object" {
		return fmt.Errorf("an object is no %s", part.Type)
	}
	for _, name := range part.Required {
		if _, has := value[name]; !has {
			return fmt.Errorf("%s is missing", name)
		}
	}
	for name, field := range value {
		known := part.Properties[name]
		if known == nil {
			known = part.Values
		}
		if known == nil {
			return fmt.Errorf("%s is not in the schema", name)
		}
		if err := s.check(known, field); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
