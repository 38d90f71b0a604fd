// Command syncmaster-setup installs, upgrades and looks after Data.SyncMaster on a Docker host.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"syncmaster-setup/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process as usual
	os.Exit(cli.Main(ctx, os.Args, cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
