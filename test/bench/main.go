// Command bench measures the first start of SyncMaster: by syncmaster-setup, by hand in the ideal order, and by docker
// compose on the sample files; and how small the program is. docs/performance.md describes the method. A goal that is
// missed is printed and is no failure; the exit status is 1 where something did not run.
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
	if err := run(ctx, readOptions()); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// options of one run of the bench.
type options struct {
	rounds  int
	methods []string
	binary  string
	compose string
}

func readOptions() options {
	o := options{}
	flag.IntVar(&o.rounds, "rounds", 3, "how often each method starts the stack")
	flag.StringVar(&o.binary, "binary", "bin/syncmaster-setup", "syncmaster-setup")
	flag.StringVar(&o.compose, "compose", ".cache/tools/docker-compose", "docker compose as a program of its own")
	methods := flag.String("methods", "init,floor,compose", "what to measure")
	flag.Parse()
	o.methods = strings.Split(*methods, ",")
	return o
}

func run(ctx context.Context, o options) (err error) {
	b, err := newBench(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = b.close(ctx, err) }()
	if err := b.play(ctx); err != nil {
		return err
	}
	small, err := b.measureProgram(ctx)
	if err != nil {
		return err
	}
	b.print(os.Stdout, small)
	return nil
}
