package cli_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rogpeppe/go-internal/testscript"

	"syncmaster-setup/internal/probe"
)

const (
	testServer = "SYNCMASTER_TEST_POSTGRES"
	planted    = "planted-s3cret"
	sqlLimit   = 30 * time.Second
)

// The scripts run against a real PostgreSQL, each in a database of its own. They have these commands more:
//
//	database             a fresh database, owned by a role of its own, in SYNCMASTER__DATABASE__URL
//	sql FILE|STATEMENT   runs SQL in it as its owner
//	session NAME SQL     opens a session that runs SQL and stays; session NAME ends it
//	await FILE TEXT      waits until a file holds a text
//	plain SRC DST        writes SRC (or stdout, stderr) to DST without what differs from run to run; the password must not be in it
func TestMigrateScripts(t *testing.T) {
	server := os.Getenv(testServer)
	if server == "" {
		t.Fatalf("%s is not set: it must be the URL of a superuser on a PostgreSQL server that tests may use; test/run does that", testServer)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/migrate", UpdateScripts: os.Getenv("UPDATE") != "", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
			env.Setenv(testServer, server)
			env.Values[sessionsKey{}] = map[string]*pgx.Conn{}
			return schemaPath(env)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"database": makeDatabase, "sql": runStatement, "session": holdSession, "plain": writePlain,
			"await": awaitText,
		},
	})
}

type sessionsKey struct{}

func makeDatabase(ts *testscript.TestScript, _ bool, _ []string) {
	name := "smmig_cli_" + strings.ToLower(rand.Text()[:12])
	for _, statement := range []string{
		"CREATE ROLE " + name + " LOGIN PASSWORD '" + planted + "'",
		"CREATE DATABASE " + name + " OWNER " + name + " TEMPLATE template0",
	} {
		execAt(ts, ts.Getenv(testServer), statement)
	}
	ts.Defer(func() {
		execAt(ts, ts.Getenv(testServer), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
		execAt(ts, ts.Getenv(testServer), "DROP ROLE "+name)
	})
	u, err := url.Parse(ts.Getenv(testServer))
	ts.Check(err)
	u.Path = "/" + name
	ts.Setenv("ADMIN", u.String())
	u.User = url.UserPassword(name, planted)
	u.Scheme = "postgresql+asyncpg"
	ts.Setenv("SYNCMASTER__DATABASE__URL", u.String())
	ts.Setenv("DB", u.String())
	ts.Setenv("NAME", name)
	ts.Setenv("HOSTPORT", u.Host)
}

func runStatement(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: sql FILE|STATEMENT")
	}
	statement := args[0]
	if !strings.Contains(statement, " ") {
		statement = ts.ReadFile(statement)
	}
	execAt(ts, ts.Getenv("ADMIN")+"?role="+ts.Getenv("NAME"), statement)
}

func holdSession(ts *testscript.TestScript, _ bool, args []string) {
	sessions, ok := ts.Value(sessionsKey{}).(map[string]*pgx.Conn)
	if !ok || len(args) == 0 {
		ts.Fatalf("usage: session NAME [SQL]")
	}
	ctx, cancel := context.WithTimeout(context.Background(), sqlLimit)
	defer cancel()
	if conn := sessions[args[0]]; conn != nil {
		ts.Check(conn.Close(ctx))
		delete(sessions, args[0])
		return
	}
	config, err := pgx.ParseConfig(ts.Getenv("ADMIN"))
	ts.Check(err)
	config.RuntimeParams["application_name"] = args[0]
	conn, err := pgx.ConnectConfig(ctx, config)
	ts.Check(err)
	sessions[args[0]] = conn
	ts.Defer(func() {
		if !conn.IsClosed() {
			ts.Check(conn.Close(context.Background()))
		}
	})
	_, err = conn.PgConn().Exec(ctx, args[1]).ReadAll()
	ts.Check(err)
}

func awaitText(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: await FILE TEXT")
	}
	err := probe.Wait(context.Background(), probe.Options{What: args[1], Limit: sqlLimit}, func(context.Context) error {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && !strings.Contains(string(text), args[1]) {
			err = fmt.Errorf("%s holds %q", args[0], text)
		}
		return err
	})
	ts.Check(err)
}

var (
	durations = regexp.MustCompile(`\b[0-9]+\.[0-9]s\b|(for )[0-9]+s\b`)
	seconds   = regexp.MustCompile(`"seconds":[0-9.e-]+`)
	processes = regexp.MustCompile(`process [0-9]+`)
	sizes     = regexp.MustCompile(`[0-9.]+ (KiB|MiB)|"(disk_)?bytes":[0-9]+`)
	versions  = regexp.MustCompile(`PostgreSQL [0-9.]+|"server_version":"[0-9.]+"`)
)

func writePlain(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: plain SRC DST")
	}
	text := ts.ReadFile(args[0])
	if strings.Contains(text, planted) {
		ts.Fatalf("the password is in %s:\n%s", args[0], text)
	}
	text = strings.ReplaceAll(text, ts.Getenv("WORK"), "$WORK")
	if name := ts.Getenv("NAME"); name != "" {
		text = strings.NewReplacer(ts.Getenv("HOSTPORT"), "HOST:5432", name, "NAME").Replace(text)
	}
	text = durations.ReplaceAllString(text, "${1}Ns")
	text = seconds.ReplaceAllString(text, `"seconds":N`)
	text = processes.ReplaceAllString(text, "process N")
	text = sizes.ReplaceAllString(text, "SIZE")
	text = versions.ReplaceAllString(text, "PostgreSQL N")
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o600))
}

func execAt(ts *testscript.TestScript, server, statement string) {
	ctx, cancel := context.WithTimeout(context.Background(), sqlLimit)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	ts.Check(err)
	_, err = conn.PgConn().Exec(ctx, statement).ReadAll()
	ts.Check(err)
	ts.Check(conn.Close(ctx))
}
