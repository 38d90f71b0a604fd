// Command bench measures syncmaster-setup beside what it replaces: the first start (start), what is typed every day (day),
// an upgrade (upgrade), backup and restore (backup) and the migrations (migrate). docs/performance.md describes the
// methods. A goal that is missed is printed and is no failure; the exit status is 1 where something did not run.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait for the cleaning
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// options of one run of the bench.
type options struct {
	rounds  int
	wanted  []string // methods of start, day and upgrade; none for all
	binary  string
	compose string
	amount  amount
}

// subjects are what can be measured.
var subjects = map[string]func(*bench, context.Context) error{
	"start":   (*bench).starts,
	"day":     (*bench).day,
	"upgrade": (*bench).upgrades,
	"backup":  (*bench).backups,
	"migrate": (*bench).migrations,
}

// amount is how many rows are made; 0 for what is usual for a subject.
type amount struct{ transfers, connections, runs int }

func (a amount) or(usual amount) amount {
	for _, n := range []struct{ given, usual *int }{
		{&a.transfers, &usual.transfers}, {&a.connections, &usual.connections}, {&a.runs, &usual.runs},
	} {
		if *n.given == 0 {
			*n.given = *n.usual
		}
	}
	return a
}

func readOptions(args []string) (options, error) {
	o := options{}
	flags := flag.NewFlagSet("bench [start|day|upgrade|backup|migrate]", flag.ContinueOnError)
	flags.IntVar(&o.rounds, "rounds", 3, "how often each method takes its turn")
	flags.StringVar(&o.binary, "binary", "bin/syncmaster-setup", "syncmaster-setup")
	flags.StringVar(&o.compose, "compose", ".cache/tools/docker-compose", "docker compose as a program of its own")
	flags.IntVar(&o.amount.transfers, "transfers", 0, "how many rows the table has (default: what the subject needs)")
	flags.IntVar(&o.amount.connections, "connections", 0, "the same")
	flags.IntVar(&o.amount.runs, "runs", 0, "the same; 1,000,000 runs are about 2.3 GB")
	methods := flags.String("methods", "", "methods of start, day or upgrade to measure, with commas between (default: all)")
	err := flags.Parse(args)
	if *methods != "" {
		o.wanted = strings.Split(*methods, ",")
	}
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("%q stands behind the options", flags.Arg(0))
	}
	return o, err
}

func run(ctx context.Context, args []string) (err error) {
	subject := "start"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		subject, args = args[0], args[1:]
	}
	measure, known := subjects[subject]
	if !known {
		return fmt.Errorf("%q cannot be measured: known are start, day, upgrade, backup and migrate", subject)
	}
	o, err := readOptions(args)
	if err != nil {
		return err
	}
	b, err := newBench(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = b.close(ctx, err) }()
	return measure(b, ctx)
}
