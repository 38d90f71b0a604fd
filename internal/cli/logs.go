package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/setup"
)

const logsExitCodes = `EXIT STATUS:
   0    all was shown, or every container that was followed has ended
   1    failed, for example because the engine went away
   3    bad input
   4    refused: no engine, or nothing was started yet
   130  ended by Ctrl-C`

func (p *program) logsCommand() *cli.Command {
	return &cli.Command{
		Name:      "logs",
		Usage:     "show what the services have written, in the order of time",
		ArgsUsage: "[SERVICE...]",
		Flags: append(p.sharedFlags(),
			&cli.StringFlag{Name: "since", Usage: "lines of that time and later, as 10m or 2026-01-01T00:00:00Z"},
			&cli.IntFlag{Name: "tail", Usage: "the last N lines of each service (default: all)"},
			&cli.StringFlag{Name: "grep", Usage: "lines that this regular expression (RE2) fits"},
			&cli.BoolFlag{Name: "follow", Aliases: []string{"f"}, Usage: "go on with what is written from now on; Ctrl-C ends it"},
		),
		Description: `Example: syncmaster-setup logs --since 10m --grep 'ERROR|FATAL' server worker

Shows all services, or those named, run-once ones such as db-migrations with them. Secrets of the install are shown as
****, colours and other control characters are left out. --output json writes one object a line: time, service,
container, stream and text.

` + logsExitCodes,
		OnUsageError: usageError,
		Action:       p.runLogs,
	}
}

func (p *program) runLogs(c *cli.Context) error {
	if err := p.readShared(c); err != nil {
		return err
	}
	s, done, err := p.setup(c.String("dir"))
	if err != nil {
		return err
	}
	defer done()
	options, err := readLogs(c, s.Now())
	if err != nil {
		return err
	}
	log, err := s.OpenLog(c.Context, options)
	if err == nil {
		err = log.Read(c.Context, p.lineWriter(log))
	}
	if errors.Is(c.Err(), context.Canceled) {
		return silentEnd{fault.Interrupted}
	}
	return err
}

// readLogs turns the flags and arguments into options. Everything that cannot be read is reported.
func readLogs(c *cli.Context, now time.Time) (setup.LogOptions, error) {
	problems := &fault.Problems{Code: fault.BadInput}
	o := setup.LogOptions{Services: c.Args().Slice(), Follow: c.Bool("follow"), Tail: -1}
	problems.Merge(misplacedOption(c, o.Services))
	var err error
	if o.Since, err = readSince(c.String("since"), now); err != nil {
		problems.Merge(err)
	}
	if c.IsSet("tail") {
		if o.Tail = c.Int("tail"); o.Tail < 0 {
			problems.Add(fmt.Sprintf("--tail %d is no number of lines", o.Tail), "")
		}
	}
	if text := c.String("grep"); text != "" {
		if o.Grep, err = regexp.Compile(text); err != nil {
			problems.Add(fmt.Sprintf("--grep: %v", err), "put a backslash before a sign that is meant as it is")
		}
	}
	return o, problems.Err()
}

// readSince reads a time, or how long ago it was; empty is the zero time.
func readSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fault.New(fault.BadInput, fmt.Errorf("--since %q is neither a time nor a duration", text),
			"write it as 10m, 2h30m or 2026-01-01T00:00:00Z")
	}
	return at, nil
}

// serviceColours tell services apart on a terminal; red is left to errors.
var serviceColours = []int{36, 33, 32, 35, 34, 96, 93, 92, 95, 94}

// lineWriter returns what prints a line: as JSON, or behind the name of its service.
func (p *program) lineWriter(log *setup.Log) func(setup.LogLine) error {
	if p.json {
		return func(line setup.LogLine) error { return printJSON(p.streams.Out, line) }
	}
	labels := log.Labels()
	width := 0
	for _, label := range labels {
		width = max(width, len(label))
	}
	prefixes := map[string]string{}
	for i, container := range slices.Sorted(maps.Keys(labels)) {
		prefixes[container] = fmt.Sprintf("%-*s |", width, labels[container])
		if redraws(p.streams.Out) && !p.noColor {
			prefixes[container] = fmt.Sprintf("\x1b[%dm%s\x1b[0m", serviceColours[i%len(serviceColours)], prefixes[container])
		}
	}
	return func(line setup.LogLine) error { return p.print("%s %s\n", prefixes[line.Container], line.Text) }
}
