package cli_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"syncmaster-setup/internal/cli"
	"syncmaster-setup/test/jsonschema"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"syncmaster-setup": func() {
			streams, written := cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, strings.Builder{}
			if jsonschema.Asked(os.Args) {
				streams.Out = io.MultiWriter(os.Stdout, &written)
			}
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM) // as main does
			code := cli.Main(ctx, os.Args, streams)
			stop()
			if err := conforms(written.String()); err != nil {
				_, _ = fmt.Fprintln(os.Stderr, err) // the exit code fails the script
				code = 99
			}
			os.Exit(code)
		},
	})
}

// conforms holds the output of this process to docs/output.schema.json.
func conforms(stdout string) error {
	schema, err := jsonschema.Read(os.Getenv("SCHEMA"))
	if err != nil {
		return err
	}
	return schema.Output(os.Args[1:], stdout)
}

func schemaPath(env *testscript.Env) error {
	path, err := filepath.Abs("../../docs/output.schema.json")
	env.Setenv("SCHEMA", path)
	return err
}

// The scripts need no engine: they point DOCKER_HOST at nothing. UPDATE=1 writes their expected outputs anew (a library
// of the program has taken the usual -update flag).
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", UpdateScripts: os.Getenv("UPDATE") != "", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
			return schemaPath(env)
		},
	})
}
