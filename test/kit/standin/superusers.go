package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"syncmaster-setup/test/kit/facts"
)

// superusersStep runs before the server: up to 0.2.5 where names are given, later always.
func superusersStep(r facts.Release) error {
	if !r.Old() {
		return changeSuperusers(r, "add", nil)
	}
	names := os.Getenv("SYNCMASTER__ENTRYPOINT__SUPERUSERS")
	if names == "" {
		return nil
	}
	return changeSuperusers(r, "add", strings.Fields(strings.ReplaceAll(names, ",", " ")))
}

// manageSuperusers is `python -m syncmaster.server.scripts.manage_superusers add|remove|list NAMES`. From 0.3.0 the
// command takes its names from the settings; naming them does not work.
func manageSuperusers(r facts.Release, args []string) int {
	if len(args) == 0 {
		return fail("usage: manage_superusers.py [-h] {add,remove,list} ...")
	}
	if !r.Old() && len(args) > 1 {
		return fail("pydantic_core._pydantic_core.ValidationError: superusers\n  Input should be a valid list [type=list_type]")
	}
	if err := changeSuperusers(r, args[0], args[1:]); err != nil {
		return fail("%v", err)
	}
	return 0
}

func changeSuperusers(r facts.Release, action string, names []string) error {
	component := facts.Server
	if !r.Old() {
		component = migrations // it needs the database and logging only
	}
	s, err := loadSettings(r, component)
	if err != nil {
		return err
	}
	if !r.Old() {
		if names, err = s.superusers(); err != nil {
			return err
		}
	}
	ctx := context.Background()
	conn, err := s.connect(ctx, asyncpg)
	if err != nil {
		return err
	}
	defer hangUp(conn)
	const add = `INSERT INTO "user" (username, is_superuser, is_active) VALUES ($1, true, true)
		ON CONFLICT (username) DO UPDATE SET is_superuser = true, updated_at = now()`
	const remove = `UPDATE "user" SET is_superuser = false, updated_at = now() WHERE username = $1`
	for _, name := range names {
		statement := map[string]string{"add": add, "remove": remove}[action]
		if statement == "" {
			break
		}
		if _, err := conn.Exec(ctx, statement, name); err != nil {
			return fmt.Errorf("sqlalchemy.exc.ProgrammingError: %w", err)
		}
	}
	var listed string
	const list = `SELECT coalesce(string_agg(username, ', ' ORDER BY username), '') FROM "user" WHERE is_superuser`
	if err := conn.QueryRow(ctx, list).Scan(&listed); err != nil {
		return fmt.Errorf("sqlalchemy.exc.ProgrammingError: %w", err)
	}
	logf("Superusers: %s", listed)
	return nil
}

// superusers returns the list of 0.3.x; comma text, plain text and an empty value are refused.
func (s settings) superusers() ([]string, error) {
	value, ok := s.get("superusers")
	if !ok {
		return nil, nil
	}
	names, ok := asList(value)
	if !ok {
		return nil, fmt.Errorf("pydantic_settings.exceptions.SettingsError: error parsing value for field %q from source "+
			"\"EnvSettingsSource\"", "superusers")
	}
	return names, nil
}
