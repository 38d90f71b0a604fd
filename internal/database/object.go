package database

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// object is one thing of a catalogue that can be compared: what it is, how it is defined, and SQL to make and remove it.
type object struct {
	kind, name string
	definition string
	create     string
	drop       string
	part       string // key of the object without which this one is not, and with which it is made; empty for none
	table      string // that it goes with
	field      *tableField
	foreign    bool // a foreign key, which is made after all tables
}

// key identifies the object in another catalogue.
func (o object) key() string { return o.kind + " " + o.name }

// rank orders what is made: each object after those that it needs.
func (o object) rank() int {
	switch o.kind {
	case "extension":
		return 0
	case "sequence":
		return 1
	case "table":
		return 2
	case "column":
		return 3
	case "constraint":
		if o.foreign {
			return 5
		}
		return 4
	}
	return 6
}

// objects flattens a catalogue. A table's columns and constraints are objects of their own, so that a difference
// names the column and not the table.
func (c catalog) objects() []object {
	var all []object
	for _, t := range c.Tables {
		table := object{kind: "table", name: t.Name, create: c.createTable(t), drop: "DROP TABLE public." + quoteName(t.Name) + ";"}
		all = append(all, table)
		alter := "ALTER TABLE public." + quoteName(t.Name)
		for i, f := range t.Columns {
			before, after := c.sequencesOf(t.Name, f.Name)
			all = append(all, object{
				kind: "column", name: t.Name + "." + f.Name, definition: f.definition(), part: table.key(), table: t.Name, field: &t.Columns[i],
				create: lines(before, fmt.Sprintf("%s ADD COLUMN %s %s;", alter, quoteName(f.Name), f.definition()), after),
				drop:   fmt.Sprintf("%s DROP COLUMN %s;", alter, quoteName(f.Name)),
			})
		}
		for _, k := range t.Constraints {
			o := object{
				kind: "constraint", name: t.Name + "." + k.Name, definition: k.Definition, table: t.Name, foreign: k.foreign(),
				create: fmt.Sprintf("%s ADD CONSTRAINT %s %s;", alter, quoteName(k.Name), k.Definition),
				drop:   fmt.Sprintf("%s DROP CONSTRAINT %s;", alter, quoteName(k.Name)),
			}
			if !o.foreign {
				o.part = table.key()
			}
			all = append(all, o)
		}
	}
	return append(all, c.otherObjects()...)
}

func (c catalog) otherObjects() []object {
	var all []object
	for _, definition := range c.Indexes {
		if o, found := c.index(definition); found {
			all = append(all, o)
		}
	}
	for _, s := range c.Sequences {
		definition := fmt.Sprintf("%s starting at %d by %d", s.Type, s.Start, s.Increment)
		o := object{kind: "sequence", name: s.Name, create: s.create(), drop: "DROP SEQUENCE public." + quoteName(s.Name) + ";"}
		if s.OwnedBy != nil {
			definition += ", owned by " + *s.OwnedBy
			o.table, _ = s.owner()
			o.part = "column " + strings.ReplaceAll(*s.OwnedBy, `"`, "")
			o.create = s.renew()
		}
		o.definition = definition
		all = append(all, o)
	}
	for _, name := range c.Extensions {
		all = append(all, object{
			kind: "extension", name: name,
			create: "CREATE EXTENSION " + quoteName(name) + ";", drop: "DROP EXTENSION " + quoteName(name) + ";",
		})
	}
	return all
}

var indexPattern = regexp.MustCompile(`^CREATE (?:UNIQUE )?INDEX ("(?:[^"]|"")+"|\S+) ON (?:ONLY )?public\.("(?:[^"]|"")+"|\S+) `)

// index reads an index's definition; null stands for one that another session dropped while the catalogue was read. The
// index of a constraint has its name and comes with it.
func (c catalog) index(definition string) (object, bool) {
	parts := indexPattern.FindStringSubmatch(definition)
	if parts == nil {
		return object{}, false
	}
	name, table := unquoteName(parts[1]), unquoteName(parts[2])
	o := object{
		kind: "index", name: name, definition: definition, table: table,
		create: definition + ";", drop: "DROP INDEX public." + quoteName(name) + ";",
	}
	for _, t := range c.Tables {
		if t.Name == table && slices.ContainsFunc(t.Constraints, func(k constraint) bool { return k.Name == name }) {
			o.part = "constraint " + table + "." + name
		}
	}
	return o, true
}

// createTable returns the table's statements, with the sequences of its columns and without its foreign keys.
func (c catalog) createTable(t table) string {
	var parts, before, after []string
	for _, f := range t.Columns {
		parts = append(parts, quoteName(f.Name)+" "+f.definition())
		sequence, owned := c.sequencesOf(t.Name, f.Name)
		before, after = append(before, sequence), append(after, owned)
	}
	for _, k := range t.Constraints {
		if !k.foreign() {
			parts = append(parts, "CONSTRAINT "+quoteName(k.Name)+" "+k.Definition)
		}
	}
	create := fmt.Sprintf("CREATE TABLE public.%s (\n    %s\n);", quoteName(t.Name), strings.Join(parts, ",\n    "))
	return lines(append(append(before, create), after...)...)
}

// sequencesOf returns what makes the sequence that a column owns, before the column and after it.
func (c catalog) sequencesOf(table, column string) (before, after string) {
	for _, s := range c.Sequences {
		if t, f := s.owner(); s.OwnedBy != nil && t == table && f == column {
			return s.create(), s.own()
		}
	}
	return "", ""
}

// dependents returns, for a column, the table's generated columns that are made of it and the indexes on any of these
// and on the column itself, with the constraints' own left out.
func (c catalog) dependents(tableName, column string) (generated []tableField, indexes []object) {
	names := []string{column}
	for _, t := range c.Tables {
		for _, f := range t.Columns {
			if t.Name == tableName && f.Generated != "" && mentions(*f.Default, column) {
				generated, names = append(generated, f), append(names, f.Name)
			}
		}
	}
	for _, definition := range c.Indexes {
		o, found := c.index(definition)
		_, on, _ := strings.Cut(definition, " ON public.")
		table, columns, _ := strings.Cut(on, " ")
		if found && o.part == "" && unquoteName(table) == tableName &&
			slices.ContainsFunc(names, func(name string) bool { return mentions(columns, name) }) {
			indexes = append(indexes, o)
		}
	}
	return generated, indexes
}

// mentions reports whether an expression names a column.
func mentions(expression, column string) bool {
	return regexp.MustCompile(`(^|[^A-Za-z0-9_$'])` + regexp.QuoteMeta(column) + `($|[^A-Za-z0-9_$'])`).MatchString(expression)
}

func (k constraint) foreign() bool { return strings.HasPrefix(k.Definition, "FOREIGN KEY ") }

func (s sequence) create() string {
	return fmt.Sprintf("CREATE SEQUENCE IF NOT EXISTS public.%s AS %s START %d INCREMENT %d;", quoteName(s.Name), s.Type, s.Start, s.Increment)
}

// renew makes the sequence for a column that is there, with the next number after those that the column holds.
func (s sequence) renew() string {
	table, column := s.owner()
	return lines(s.create(), s.own(), fmt.Sprintf("SELECT setval('public.%s', coalesce(max(%s), 0) + 1, false) FROM public.%s;",
		quoteName(s.Name), quoteName(column), quoteName(table)))
}

// own returns the statement that gives the sequence to its column.
func (s sequence) own() string {
	owner := "NONE"
	if s.OwnedBy != nil {
		table, column := s.owner()
		owner = "public." + quoteName(table) + "." + quoteName(column)
	}
	return fmt.Sprintf("ALTER SEQUENCE public.%s OWNED BY %s;", quoteName(s.Name), owner)
}

// owner returns the column that the sequence belongs to.
func (s sequence) owner() (table, column string) {
	if s.OwnedBy == nil {
		return "", ""
	}
	at := strings.LastIndex(*s.OwnedBy, ".")
	return unquoteName((*s.OwnedBy)[:at]), (*s.OwnedBy)[at+1:]
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

// unquoteName reads a name as PostgreSQL prints it.
func unquoteName(name string) string {
	if inner, quoted := strings.CutPrefix(name, `"`); quoted {
		return strings.ReplaceAll(strings.TrimSuffix(inner, `"`), `""`, `"`)
	}
	return name
}

// lines joins what is not empty.
func lines(list ...string) string {
	return strings.Join(slices.DeleteFunc(list, func(s string) bool { return s == "" }), "\n")
}
