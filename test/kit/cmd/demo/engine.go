package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"syncmaster-setup/internal/engine"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/probe"
)

// startLimit is how long a freshly installed engine may take to answer.
const startLimit = 2 * time.Minute

// engineLog is where an engine writes that no service manager started.
const engineLog = "/var/log/dockerd.log"

// ensureEngine makes sure that a Docker Engine answers. Where none runs, on Debian and Ubuntu as root, it installs and
// starts the distribution's own.
func ensureEngine(ctx context.Context) error {
	err := connect(ctx)
	if !errors.Is(err, engine.ErrNoEngine) {
		return err
	}
	if os.Getenv("DOCKER_HOST") != "" || os.Geteuid() != 0 || !isDebian() {
		return fault.New(fault.Refused, err, fault.HintOf(err)+
			" (as root on Debian or Ubuntu, without DOCKER_HOST, this command installs one by itself)")
	}
	say("no Docker Engine answers: installing this distribution's own (docker.io), this takes a minute or two")
	for _, command := range [][]string{
		{"apt-get", "update", "-qq"},
		{"apt-get", "install", "-y", "-qq", "--no-install-recommends", "docker.io", "iptables", "ca-certificates"},
	} {
		if err := run(ctx, command...); err != nil {
			return fmt.Errorf("installing docker.io: %w", err)
		}
	}
	return startEngine(ctx)
}

// startEngine starts the engine by the machine's own means, or on its own where these fail, as they may in a container,
// and waits until it answers.
func startEngine(ctx context.Context) error {
	say("starting the Docker Engine")
	start := []string{"service", "docker", "start"}
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		start = []string{"systemctl", "start", "docker"}
	}
	if err := run(ctx, start...); err != nil {
		say(fmt.Sprintf("%v failed (%v): starting dockerd directly, its log is %s", start, err, engineLog))
		// a session of its own, so that it outlives this command; its output must not hold this command's streams open
		if err := run(ctx, "sh", "-c", "setsid dockerd >"+engineLog+" 2>&1 </dev/null &"); err != nil {
			return fmt.Errorf("starting dockerd: %w", err)
		}
	}
	return probe.Wait(ctx, probe.Options{What: "the Docker Engine", Limit: startLimit}, connect)
}

// connect tries the engine once.
func connect(ctx context.Context) error {
	e, err := engine.New(ctx, engine.Options{})
	if err != nil {
		return err
	}
	return e.Close()
}

func isDebian() bool {
	release, err := os.ReadFile("/etc/os-release")
	return err == nil && (strings.Contains(string(release), "ID=debian") || strings.Contains(string(release), "ID=ubuntu"))
}

// run runs a command and shows what it says.
func run(ctx context.Context, command ...string) error {
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	c.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	c.Stdout, c.Stderr = os.Stderr, os.Stderr
	return c.Run()
}
