// Command demo shows syncmaster-setup at work: "demo up" ends with a healthy stack, "demo down" removes it, "demo
// engine" only makes sure that a Docker Engine runs. It runs the binary that "make build" made.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"

	"github.com/moby/moby/client"

	"syncmaster-setup/internal/engine"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/test/kit"
)

const (
	project = "syncmaster-demo"
	folder  = ".cache/demo"
	binary  = "bin/syncmaster-setup"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := demo(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		if hint := fault.HintOf(err); hint != "" {
			fmt.Fprintln(os.Stderr, "      ", hint)
		}
		os.Exit(int(fault.CodeOf(err)))
	}
}

func demo(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: demo up|down|engine")
	}
	switch args[0] {
	case "engine":
		return ensureEngine(ctx)
	case "up":
		return up(ctx)
	case "down":
		return down(ctx)
	}
	return fmt.Errorf("unknown command %q", args[0])
}

// up runs init with SyncMaster's own images where they can be pulled, otherwise with the kit's.
func up(ctx context.Context) error {
	if err := ensureEngine(ctx); err != nil {
		return err
	}
	standIns := false
	options := []string{"init", "--dir", folder, "--project-name", project, "--yes"}
	if pulled := exec.CommandContext(ctx, binary, append(options, "--dry-run", "--quiet")...).Run(); pulled != nil {
		say("SyncMaster's images cannot be pulled here: making stand-ins, which takes a few minutes the first time")
		if err := kit.Build(ctx, os.Stderr); err != nil {
			return err
		}
		options, standIns = append(options, "--registry", kit.Prefix), true
	}
	command := exec.CommandContext(ctx, binary, options...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("running %s init: %w", binary, err)
	}
	if standIns {
		say("PostgreSQL and RabbitMQ are real here; SyncMaster itself is a stand-in that behaves like it")
	}
	return nil
}

// down removes the demo's containers, networks, volumes and files, and nothing else.
func down(ctx context.Context) error {
	e, err := engine.New(ctx, engine.Options{})
	if err != nil {
		return err
	}
	if err := errors.Join(e.Remove(ctx, project), e.Close(), removeVolumes(ctx)); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.FromSlash(folder)); err != nil {
		return fmt.Errorf("removing the demo's files: %w", err)
	}
	say("removed the demo")
	return nil
}

func removeVolumes(ctx context.Context) error {
	docker, err := client.New(client.FromEnv)
	if err != nil {
		return fmt.Errorf("connecting to the engine: %w", err)
	}
	filters := client.Filters{}.Add("label", "com.docker.compose.project="+project)
	volumes, err := docker.VolumeList(ctx, client.VolumeListOptions{Filters: filters})
	if err != nil {
		return errors.Join(fmt.Errorf("listing the demo's volumes: %w", err), docker.Close())
	}
	var errs []error
	for _, v := range volumes.Items {
		if _, err := docker.VolumeRemove(ctx, v.Name, client.VolumeRemoveOptions{}); err != nil {
			errs = append(errs, fmt.Errorf("removing volume %s: %w", v.Name, err))
		}
	}
	return errors.Join(append(errs, docker.Close())...)
}

func say(text string) { fmt.Fprintln(os.Stderr, "demo:", text) }
