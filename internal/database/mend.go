package database

import (
	"fmt"
	"strings"
)

// mend returns the SQL that makes of a different object what it must be; c is the catalogue that it is in now.
func (c catalog) mend(want, got object, wanted catalog) string {
	switch {
	case want.field != nil:
		return c.mendColumn(want, *got.field, wanted)
	case want.kind == "sequence":
		for _, s := range wanted.Sequences {
			if s.Name == want.name {
				return lines(fmt.Sprintf("ALTER SEQUENCE public.%s AS %s START %d INCREMENT %d;", quoteName(s.Name), s.Type, s.Start, s.Increment), s.own())
			}
		}
	}
	return lines(got.drop, want.create)
}

// mendColumn changes what differs of a column. A generated column is made anew, with the indexes that go with it; the
// columns that are generated from one whose type changes are taken away before and made anew after.
func (c catalog) mendColumn(want object, got tableField, wanted catalog) string {
	tableName, _, _ := strings.Cut(want.name, ".")
	table, column, field := "ALTER TABLE public."+quoteName(tableName), quoteName(want.field.Name), *want.field
	if field.Generated != "" || (got.Generated != "" && got.Generated != "s") {
		_, indexes := wanted.dependents(tableName, field.Name)
		sql := fmt.Sprintf("%s DROP COLUMN %s, ADD COLUMN %s %s;", table, column, column, field.definition())
		return lines(append([]string{sql}, creates(indexes)...)...)
	}
	alter := func(what string, args ...any) string {
		return fmt.Sprintf("%s ALTER COLUMN %s %s;", table, column, fmt.Sprintf(what, args...))
	}
	var sql []string
	typed := field.Type != got.Type
	if got.Generated != "" {
		got.Default = nil
		sql = append(sql, alter("DROP EXPRESSION"))
	}
	if got.Identity != "" { // its sequence goes with it
		sql = append(sql, alter("DROP IDENTITY"))
		for _, s := range wanted.Sequences {
			if t, f := s.owner(); t == tableName && f == field.Name {
				sql = append(sql, s.renew())
			}
		}
	}
	if got.Default != nil && (typed || field.Default == nil) {
		sql = append(sql, alter("DROP DEFAULT"))
	}
	if typed {
		sql = append(sql, c.retype(want, alter("TYPE %s%s", field.Type, using(field)), wanted)...)
	}
	if field.Default != nil && (typed || got.Default == nil || normal(*got.Default) != normal(*field.Default)) {
		sql = append(sql, alter("SET DEFAULT %s", *field.Default))
	}
	switch {
	case field.NotNull && !got.NotNull:
		sql = append(sql, alter("SET NOT NULL"))
	case !field.NotNull && got.NotNull:
		sql = append(sql, alter("DROP NOT NULL"))
	}
	return lines(sql...)
}

// retype puts the generated columns that are made of a column out of the way of its new type: PostgreSQL refuses it.
func (c catalog) retype(want object, sql string, wanted catalog) []string {
	tableName, column, _ := strings.Cut(want.name, ".")
	table := "ALTER TABLE public." + quoteName(tableName)
	blocking, _ := c.dependents(tableName, column)
	if len(blocking) == 0 {
		return []string{sql}
	}
	var list []string
	for _, f := range blocking {
		list = append(list, table+" DROP COLUMN "+quoteName(f.Name)+";")
	}
	list = append(list, sql)
	generated, _ := wanted.dependents(tableName, column)
	for _, f := range generated {
		list = append(list, table+" ADD COLUMN "+quoteName(f.Name)+" "+f.definition()+";")
		_, indexes := wanted.dependents(tableName, f.Name)
		list = append(list, creates(indexes)...)
	}
	return list
}

// using returns the conversion to a type that PostgreSQL does not convert to by itself. Text is left to it: what is too
// long for a column is then an error, where a conversion would cut it off.
func using(f tableField) string {
	if strings.HasPrefix(f.Type, "character") || f.Type == "text" {
		return ""
	}
	return " USING " + quoteName(f.Name) + "::" + f.Type
}

func creates(objects []object) []string {
	var list []string
	for _, o := range objects {
		list = append(list, o.create)
	}
	return list
}
