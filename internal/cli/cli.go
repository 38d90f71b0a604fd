// Package cli is the command line: flags become options, one call does the work, the result is printed. Errors are
// printed here and nowhere else, and become exit codes.
package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"github.com/urfave/cli/v2"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/release"
)

// version is set by the linker.
var version = "devel"

const exitCodes = `EXIT STATUS:
   0    done, everything is healthy
   1    failed; run the command again to go on
   3    bad input, nothing was changed
   4    refused, nothing was changed
   11   another run is at work in the folder
   130  interrupted, can be resumed`

// printExitCodes are those of commands that only print what the program knows.
const printExitCodes = `EXIT STATUS:
   0    printed
   1    failed, for example because the output could not be written
   3    bad input`

const allCodes = `EXIT STATUS:
   0    done; of status and doctor: all is well
   1    failed; of status and doctor: something is not well
   3    bad input, nothing was changed
   4    refused, nothing was changed
   5    failed and taken back: what ran before runs
   6    failed and not taken back completely
   11   another run is at work in the folder
   130  interrupted, can be resumed`

// Streams are the three streams of the process.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Main runs the program and returns its exit code. Results go to streams.Out, everything else to streams.Err.
func Main(ctx context.Context, args []string, streams Streams) int {
	program := &program{streams: streams, json: asksForJSON(args)}
	app := program.app()
	err := app.RunContext(ctx, optionsFirst(app, args))
	if err == nil {
		return 0
	}
	if code, said := silent(err); said {
		return int(code)
	}
	program.printError(err)
	return int(fault.CodeOf(err))
}

// asksForJSON finds --output json, also where another option cannot be read and none is parsed.
func asksForJSON(args []string) bool {
	for i, word := range args {
		if strings.TrimLeft(word, "-") == "output=json" || (i > 0 && word == "json" && strings.TrimLeft(args[i-1], "-") == "output") {
			return true
		}
	}
	return false
}

// program is what the commands share.
type program struct {
	streams Streams
	json    bool
	quiet   bool
	verbose bool
	noColor bool
	lines   *bufio.Reader // of the answers, kept for what was read ahead
	asking  atomic.Bool   // a question waits for its answer
}

func (p *program) app() *cli.App {
	return &cli.App{
		Name:            "syncmaster-setup",
		Usage:           "install Data.SyncMaster on a Docker host and look after it",
		UsageText:       "syncmaster-setup init                a fresh host to a healthy stack\nsyncmaster-setup COMMAND --help      all about one command",
		Version:         fmt.Sprintf("%s (SyncMaster %s to %s)", version, release.Known()[0], release.Newest()),
		Reader:          p.streams.In,
		Writer:          p.streams.Out,
		ErrWriter:       p.streams.Err,
		HideHelpCommand: true,
		// a setting may be a list with commas in it; the flags that take names split them themselves
		DisableSliceFlagSeparator: true,
		Commands: explain([]*cli.Command{
			p.initCommand(), p.upgradeInstallCommand(), p.resumeCommand(), p.abortCommand(), p.rollbackCommand(), p.backupCommand(),
			p.statusCommand(), p.doctorCommand(), p.logsCommand(), p.runsCommand(), p.migrateCommand(), p.renderCommand(), p.devCommand(), p.releasesCommand(),
			p.completionCommand(), p.completeCommand(),
		}),
		// urfave/cli would end the process itself, past every defer, for errors with an exit code of their own.
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   usageError,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return unknownCommand(c)
			}
			return cli.ShowAppHelp(c)
		},
		CustomAppHelpTemplate: "Example: syncmaster-setup init --dir /srv/syncmaster\n\n" + cli.AppHelpTemplate + "\n" + allCodes + "\n",
	}
}

// command fills in what the commands share that change an install.
func command(c *cli.Command, description string) *cli.Command {
	return describe(c, description, exitCodes)
}

// describe fills in what all commands without arguments share.
func describe(c *cli.Command, description, codes string) *cli.Command {
	c.Description = description + "\n\n" + codes
	c.OnUsageError = usageError
	action := c.Action
	c.Action = func(ctx *cli.Context) error {
		if ctx.Args().Present() {
			return fault.New(fault.BadInput, fmt.Errorf("%s takes no arguments, and %q is one", c.Name, ctx.Args().First()),
				"write options as --name value, and nothing behind them")
		}
		return action(ctx)
	}
	return c
}

// isTerminal reports whether somebody sits at a stream.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && terminal(file)
}

// redraws reports whether a stream is a terminal that knows colours and redraws a line; a dumb one only writes.
func redraws(stream any) bool { return isTerminal(stream) && os.Getenv("TERM") != "dumb" }

// printError writes an error as text or as a JSON object: what happened, and what to type next.
func (p *program) printError(err error) {
	var problems *fault.Problems
	if !errors.As(err, &problems) {
		problems = &fault.Problems{Code: fault.CodeOf(err)}
		problems.Add(err.Error(), fault.HintOf(err))
	}
	if p.json {
		if err := printJSON(p.streams.Out, jsonError(problems)); err != nil {
			p.errorf("error: %v\n", err)
		}
		return
	}
	for _, problem := range problems.List {
		p.errorf("error: %s\n", problem.What)
		if problem.Hint != "" {
			p.errorf("       %s\n", problem.Hint)
		}
	}
	if code := problems.Code; code == fault.BadInput || code == fault.Refused {
		p.errorf("Nothing was changed.\n")
	}
}

// errorf writes to stderr; there is nowhere to tell that this failed.
func (p *program) errorf(format string, args ...any) {
	_, _ = fmt.Fprintf(p.streams.Err, format, args...)
}
