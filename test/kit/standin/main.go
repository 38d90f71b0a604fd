// Command standin stands for every program in SyncMaster's four images, told apart by the name it is called by: the
// entry points, `python -m …`, curl for the health checks, and a little of a shell. It behaves as contract.md says of
// the release that the image names in its environment: it refuses what that release refuses, ignores what it ignores
// and speaks PostgreSQL, AMQP and HTTP for real. It copies no data.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"syncmaster-setup/test/kit/facts"
)

// program is what a name stands for; it returns the exit status.
type program func(r facts.Release, args []string) int

func main() {
	release, ok := facts.Find(os.Getenv(facts.ReleaseVariable))
	if !ok {
		fmt.Fprintf(os.Stderr, "standin: %s names no known release\n", facts.ReleaseVariable)
		os.Exit(126)
	}
	os.Exit(call(release, os.Args))
}

func programs() map[string]program {
	return map[string]program{
		"entrypoint.sh": entrypoint, "python": python, "python3": python, "curl": curl,
		"nginx": nginx, "sh": shell, "cat": cat, "env": environment,
		"true":  func(facts.Release, []string) int { return 0 },
		"false": func(facts.Release, []string) int { return 1 },
	}
}

// call runs the program that args[0] names. 127 is the status of a missing command.
func call(r facts.Release, args []string) int {
	p, ok := programs()[filepath.Base(args[0])]
	if !ok {
		fmt.Fprintf(os.Stderr, "%s: not found\n", args[0])
		return 127
	}
	return p(r, args[1:])
}

// entrypoint is the image's own entry point, by role.
func entrypoint(r facts.Release, args []string) int {
	switch os.Getenv(facts.RoleVariable) {
	case facts.Server:
		return serverEntrypoint(r, args)
	case facts.Scheduler:
		return scheduler(r, args)
	case facts.Worker:
		return workerEntrypoint(r, args)
	case facts.UI:
		return uiEntrypoint(r, args)
	}
	return fail("standin: %s names no role", facts.RoleVariable)
}

// python answers `python -m MODULE ARGS` for the modules that an image of the role contains.
func python(r facts.Release, args []string) int {
	if len(args) < 2 || args[0] != "-m" {
		return fail("standin: only `python -m MODULE` works in a stand-in")
	}
	role, module, rest := os.Getenv(facts.RoleVariable), args[1], args[2:]
	switch {
	case module == "syncmaster.db.migrations" && role == facts.Server:
		return migrate(r, rest)
	case module == "syncmaster.server" && role == facts.Server:
		return server(r, rest)
	case module == "syncmaster.server.scripts.manage_superusers" && role == facts.Server:
		return manageSuperusers(r, rest)
	case module == "syncmaster.scheduler" && role == facts.Scheduler:
		return scheduler(r, rest)
	case module == "celery" && role == facts.Worker:
		return celery(r, rest)
	}
	return fail("/usr/local/bin/python: No module named %s", strings.ReplaceAll(module, ".__main__", ""))
}

// fail prints one line on stderr and returns the status of an uncaught Python exception.
func fail(format string, args ...any) int {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	return 1
}

// quiet is set where leftover logging settings switch the release's own log off.
var quiet bool

// logf writes a line as the releases' default logging does: on stdout.
func logf(format string, args ...any) {
	if !quiet {
		fmt.Printf(format+"\n", args...)
	}
}
