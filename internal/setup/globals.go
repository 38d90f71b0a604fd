package setup

import (
	"context"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"

	"syncmaster-setup/internal/backup"
	"syncmaster-setup/internal/report"
)

// A dump of a database has neither the roles that its rights are granted to, nor, for pg_restore without --create, the
// settings of the database itself. Both are brought along here.

// dumpRoles writes the server's roles as pg_dumpall does: with their passwords where the user may read them.
func (r *run) dumpRoles(ctx context.Context, at server, out io.Writer) error {
	var text strings.Builder
	command := []string{"pg_dumpall", "--roles-only", "--database=" + at.name}
	if r.tool(ctx, at, command, nil, &text) != nil {
		text.Reset()
		if err := r.tool(ctx, at, append(command, "--no-role-passwords"), nil, &text); err != nil {
			return err
		}
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// bringRoles makes those roles of a backup that the server does not have. Those that it has stay as they are.
func (r *run) bringRoles(ctx context.Context, at server, m backup.Manifest) error {
	if _, has := m.Files[backup.Roles]; !has { // of an older program
		return nil
	}
	text, err := backup.In(r.Dir.File(backups)).Text(m, backup.Roles)
	if err != nil {
		return err
	}
	known, err := r.answer(ctx, at, maintenance, "SELECT quote_ident(rolname) FROM pg_roles")
	if err != nil {
		return err
	}
	statements, made := missingRoles(text, strings.Split(known, "\n"))
	if len(made) == 0 {
		return nil
	}
	r.Report.Report(report.Event{Kind: report.Progress, Text: "making the roles " + strings.Join(made, ", ")})
	return r.sql(ctx, at, slices.Concat([]string{"BEGIN;"}, statements, []string{"COMMIT;"})...)
}

var (
	aboutRole  = regexp.MustCompile(`^(?:CREATE ROLE|ALTER ROLE|COMMENT ON ROLE) ("(?:[^"]|"")+"|[^\s;"]+)`)
	membership = regexp.MustCompile(`^GRANT ("(?:[^"]|"")+"|[^\s;"]+) TO ("(?:[^"]|"")+"|[^\s;"]+)`)
)

// missingRoles returns those statements of pg_dumpall that are about roles other than the known ones, as SQL quotes
// them, and the names of the roles that they make.
func missingRoles(text string, known []string) (statements, made []string) {
	for _, s := range statementsOf(text) {
		names := aboutRole.FindStringSubmatch(s)
		if names == nil {
			names = membership.FindStringSubmatch(s)
		}
		if names == nil || !slices.ContainsFunc(names[1:], func(name string) bool { return !slices.Contains(known, name) }) {
			continue
		}
		statements = append(statements, s)
		if strings.HasPrefix(s, "CREATE ROLE ") {
			made = append(made, names[1])
		}
	}
	return statements, made
}

// statementsOf splits what PostgreSQL's dump programs write: a statement ends with a line. Comments and what is for psql
// alone are left out.
func statementsOf(text string) []string {
	var all []string
	open := ""
	for _, line := range strings.Split(text, "\n") {
		if open == "" && (strings.TrimSpace(line) == "" || strings.HasPrefix(line, "--") || strings.HasPrefix(line, `\`)) {
			continue
		}
		if open += line; strings.HasSuffix(line, ";") {
			all, open = append(all, open), ""
			continue
		}
		open += "\n"
	}
	return all
}

// settingsOf returns the statements that give a database the settings, rights and comment that it had in a backup.
func (r *run) settingsOf(ctx context.Context, at server, m backup.Manifest) ([]string, error) {
	dump, err := backup.In(r.Dir.File(backups)).Open(m, backup.Dump)
	if err != nil {
		return nil, err
	}
	// what belongs to the database is chosen by --create alone, and all the rest by being such a table
	command := []string{"pg_restore", "--create", "--schema-only", "--table=of this name there is none", "--file=-"}
	var text strings.Builder
	err = r.tool(ctx, server{container: at.container, project: at.project}, command, dump, &text)
	if err = errors.Join(err, dump.Close()); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(statementsOf(text.String()), func(s string) bool { return strings.HasPrefix(s, "CREATE DATABASE ") }), nil
}
