package database

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"syncmaster-setup/migrations"
)

// catalog is the structure of schema public, as fingerprints/catalog.sql prints it.
type catalog struct {
	Tables     []table    `json:"tables"`
	Indexes    []string   `json:"indexes"` // definitions
	Sequences  []sequence `json:"sequences"`
	Extensions []string   `json:"extensions"`
}

type table struct {
	Name        string       `json:"name"`
	Columns     []tableField `json:"columns"`
	Constraints []constraint `json:"constraints"`
}

type tableField struct {
	Name      string  `json:"name"`
	Type      string  `json:"type"`
	Default   *string `json:"default"`
	Identity  string  `json:"identity"`
	NotNull   bool    `json:"not_null"`
	Generated string  `json:"generated"`
}

type constraint struct {
	Name       string `json:"name"`
	Definition string `json:"definition"`
}

type sequence struct {
	Name      string  `json:"name"`
	Type      string  `json:"type"`
	Start     int64   `json:"start"`
	OwnedBy   *string `json:"owned_by"`
	Increment int64   `json:"increment"`
}

var catalogQuery = sync.OnceValues(func() (string, error) {
	text, err := migrations.FS.ReadFile("fingerprints/catalog.sql")
	if err != nil {
		return "", fmt.Errorf("reading the embedded catalogue query: %w", err)
	}
	return string(text), nil
})

// readCatalog returns the structure of schema public, parsed and as JSON without insignificant white space.
func (db *DB) readCatalog(ctx context.Context) (catalog, []byte, error) {
	query, err := catalogQuery()
	if err != nil {
		return catalog{}, nil, err
	}
	results, err := db.conn.PgConn().Exec(ctx, query).ReadAll()
	if err != nil {
		return catalog{}, nil, fmt.Errorf("reading the catalogue: %w", err)
	}
	return parseCatalog([]byte(firstValue(results)))
}

// fingerprint returns what the catalogue must be at a revision; at none, nothing.
func fingerprint(revision string) (catalog, []byte, error) {
	if revision == "" {
		return catalog{}, []byte(`{"tables":[],"indexes":[],"sequences":[],"extensions":[]}`), nil
	}
	return fingerprintFile(migrations.FS, revision)
}

func fingerprintFile(files fs.FS, name string) (catalog, []byte, error) {
	text, err := fs.ReadFile(files, "fingerprints/"+name+".json")
	if err != nil {
		return catalog{}, nil, fmt.Errorf("reading the embedded fingerprint: %w", err)
	}
	return parseCatalog(text)
}

func parseCatalog(text []byte) (catalog, []byte, error) {
	var c catalog
	var compact bytes.Buffer
	if err := json.Unmarshal(text, &c); err != nil {
		return catalog{}, nil, fmt.Errorf("parsing the catalogue: %w", err)
	}
	if err := json.Compact(&compact, text); err != nil {
		return catalog{}, nil, fmt.Errorf("parsing the catalogue: %w", err)
	}
	return c, compact.Bytes(), nil
}

// object is one thing of a catalogue that can be compared: what it is, how it is defined, and SQL to make and remove it.
type object struct {
	kind, name string
	definition string
	create     string
	drop       string
}

// key identifies the object in another catalogue.
func (o object) key() string { return o.kind + " " + o.name }

// objects flattens a catalogue. A table's columns and constraints are objects of their own, so that a difference
// names the column and not the table.
func (c catalog) objects() []object {
	var all []object
	for _, t := range c.Tables {
		name := quoteName(t.Name)
		all = append(all, object{kind: "table", name: t.Name, create: t.create(), drop: "DROP TABLE public." + name + ";"})
		for _, f := range t.Columns {
			all = append(all, object{
				kind: "column", name: t.Name + "." + f.Name, definition: f.definition(),
				create: fmt.Sprintf("ALTER TABLE public.%s ADD COLUMN %s %s;", name, quoteName(f.Name), f.definition()),
				drop:   fmt.Sprintf("ALTER TABLE public.%s DROP COLUMN %s;", name, quoteName(f.Name)),
			})
		}
		for _, k := range t.Constraints {
			all = append(all, object{
				kind: "constraint", name: t.Name + "." + k.Name, definition: k.Definition,
				create: fmt.Sprintf("ALTER TABLE public.%s ADD CONSTRAINT %s %s;", name, quoteName(k.Name), k.Definition),
				drop:   fmt.Sprintf("ALTER TABLE public.%s DROP CONSTRAINT %s;", name, quoteName(k.Name)),
			})
		}
	}
	return append(all, c.otherObjects()...)
}

func (c catalog) otherObjects() []object {
	var all []object
	for _, definition := range c.Indexes {
		before, _, _ := strings.Cut(definition, " ON ")
		_, name, found := strings.Cut(before, "INDEX ")
		if !found { // null: dropped by another session while the catalogue was read
			continue
		}
		all = append(all, object{
			kind: "index", name: strings.Trim(name, `"`), definition: definition,
			create: definition + ";", drop: "DROP INDEX public." + name + ";",
		})
	}
	for _, s := range c.Sequences {
		name := quoteName(s.Name)
		definition := fmt.Sprintf("%s starting at %d by %d", s.Type, s.Start, s.Increment)
		owned := ""
		if s.OwnedBy != nil {
			definition += ", owned by " + *s.OwnedBy
			owned = " OWNED BY " + *s.OwnedBy
		}
		all = append(all, object{
			kind: "sequence", name: s.Name, definition: definition,
			create: fmt.Sprintf("CREATE SEQUENCE public.%s AS %s START %d INCREMENT %d%s;", name, s.Type, s.Start, s.Increment, owned),
			drop:   "DROP SEQUENCE public." + name + ";",
		})
	}
	for _, name := range c.Extensions {
		all = append(all, object{
			kind: "extension", name: name,
			create: "CREATE EXTENSION " + quoteName(name) + ";", drop: "DROP EXTENSION " + quoteName(name) + ";",
		})
	}
	return all
}

// create returns the table's statement, constraints included.
func (t table) create() string {
	var parts []string
	for _, f := range t.Columns {
		parts = append(parts, quoteName(f.Name)+" "+f.definition())
	}
	for _, k := range t.Constraints {
		parts = append(parts, "CONSTRAINT "+quoteName(k.Name)+" "+k.Definition)
	}
	return fmt.Sprintf("CREATE TABLE public.%s (\n    %s\n);", quoteName(t.Name), strings.Join(parts, ",\n    "))
}

// definition returns what follows the column's name in SQL.
func (f tableField) definition() string {
	text := f.Type
	switch {
	case f.Generated == "s":
		text += " GENERATED ALWAYS AS (" + *f.Default + ") STORED"
	case f.Generated != "":
		text += " GENERATED ALWAYS AS (" + *f.Default + ") VIRTUAL"
	case f.Identity != "":
		text += " GENERATED AS IDENTITY"
	case f.Default != nil:
		text += " DEFAULT " + *f.Default
	}
	if f.NotNull {
		text += " NOT NULL"
	}
	return text
}

func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
