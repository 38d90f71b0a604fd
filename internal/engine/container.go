package engine

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/compose/v5/pkg/api"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"syncmaster-setup/internal/stack"
)

// tailBytes bounds the output that is kept of a command, so that a chatty one costs no memory.
const tailBytes = 64 << 10

// Exit is how a program ended.
type Exit struct {
	Code int
	Tail string // the end of its output, both streams in the order they came
}

// Inspect returns the container of a service. With several containers it is the oldest. [ErrNoContainer] where there is
// none.
func (e *Engine) Inspect(ctx context.Context, project, service string) (stack.Container, error) {
	inspected, err := e.inspect(ctx, project, service)
	if err != nil {
		return stack.Container{}, err
	}
	return e.seen(ctx, inspected), nil
}

// Logs returns the last lines that a container wrote to both of its streams.
func (e *Engine) Logs(ctx context.Context, containerID string, lines int) (string, error) {
	inspected, err := e.api.ContainerInspect(ctx, containerID, client.ContainerInspectOptions{})
	if err != nil {
		return "", daemonError(err, "inspecting container %s", short(containerID))
	}
	stream, err := e.api.ContainerLogs(ctx, containerID, client.ContainerLogsOptions{
		ShowStdout: true, ShowStderr: true, Tail: strconv.Itoa(lines),
	})
	if err != nil {
		return "", daemonError(err, "reading the logs of container %s", short(containerID))
	}
	defer func() { _ = stream.Close() }() // read only: the copy below reports what matters
	var out tail
	tty := inspected.Container.Config != nil && inspected.Container.Config.Tty
	if err := demultiplex(&out, stream, tty); err != nil {
		return "", daemonError(err, "reading the logs of container %s", short(containerID))
	}
	return out.String(), nil
}

// Exec runs a command in a running container and waits for it. A command that ends with a code other than 0 is no
// error; one that cannot be started has code 126 or 127, as in a shell.
func (e *Engine) Exec(ctx context.Context, containerID string, cmd []string) (Exit, error) {
	created, err := e.api.ExecCreate(ctx, containerID, client.ExecCreateOptions{
		Cmd: cmd, AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		return Exit{}, daemonError(err, "preparing a command in container %s", short(containerID))
	}
	attached, err := e.api.ExecAttach(ctx, created.ID, client.ExecAttachOptions{})
	if err != nil {
		return Exit{}, daemonError(err, "running a command in container %s", short(containerID))
	}
	defer attached.Close()
	// The hijacked connection knows no context.
	stop := context.AfterFunc(ctx, attached.Close)
	defer stop()
	var out tail
	err = demultiplex(&out, attached.Reader, false)
	if ctx.Err() != nil {
		return Exit{}, fmt.Errorf("running a command in container %s: %w", short(containerID), context.Cause(ctx))
	}
	if err != nil {
		return Exit{}, daemonError(err, "reading the output of a command in container %s", short(containerID))
	}
	code, err := e.execCode(ctx, created.ID)
	if err != nil {
		return Exit{}, daemonError(err, "reading the exit code of a command in container %s", short(containerID))
	}
	return Exit{Code: code, Tail: out.String()}, nil
}

// HealthCommand returns the command of a container's health check, declared by its service or its image, ready for
// [Engine.Exec]. Nil where there is none.
func (e *Engine) HealthCommand(ctx context.Context, containerID string) ([]string, error) {
	inspected, err := e.api.ContainerInspect(ctx, containerID, client.ContainerInspectOptions{})
	if err != nil {
		return nil, daemonError(err, "inspecting container %s", short(containerID))
	}
	if inspected.Container.Config == nil || inspected.Container.Config.Healthcheck == nil {
		return nil, nil
	}
	shell := inspected.Container.Config.Shell
	if len(shell) == 0 {
		shell = []string{"/bin/sh", "-c"}
	}
	return healthCommand(inspected.Container.Config.Healthcheck.Test, shell), nil
}

// ContainerAddress returns the address of a service's container on a network of its project; IPv4 comes first. It is
// reachable only from the engine's own Linux host.
func (e *Engine) ContainerAddress(ctx context.Context, project, service string) (netip.Addr, error) {
	inspected, err := e.inspect(ctx, project, service)
	if err != nil {
		return netip.Addr{}, err
	}
	var addresses []netip.Addr
	if inspected.NetworkSettings != nil {
		for _, endpoint := range inspected.NetworkSettings.Networks {
			if endpoint != nil {
				addresses = append(addresses, endpoint.IPAddress, endpoint.GlobalIPv6Address)
			}
		}
	}
	addresses = slices.DeleteFunc(addresses, func(a netip.Addr) bool { return !a.IsValid() })
	if len(addresses) == 0 {
		return netip.Addr{}, fmt.Errorf("finding the address of service %s: its container is %s and has none", service, inspected.State.Status)
	}
	return slices.MinFunc(addresses, netip.Addr.Compare), nil
}

func (e *Engine) inspect(ctx context.Context, project, service string) (container.InspectResponse, error) {
	summaries, err := e.list(ctx, project, service)
	if err != nil {
		return container.InspectResponse{}, err
	}
	if len(summaries) == 0 {
		return container.InspectResponse{}, fmt.Errorf("inspecting service %s of project %s: %w", service, project, ErrNoContainer)
	}
	oldest := slices.MinFunc(summaries, func(a, b container.Summary) int { return int(a.Created - b.Created) })
	inspected, err := e.api.ContainerInspect(ctx, oldest.ID, client.ContainerInspectOptions{})
	if err != nil {
		return container.InspectResponse{}, daemonError(err, "inspecting the container of service %s", service)
	}
	return inspected.Container, nil
}

// execCode reads the exit code. The output of a command can end a moment before the engine has noted its end.
func (e *Engine) execCode(ctx context.Context, execID string) (int, error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		state, err := e.api.ExecInspect(ctx, execID, client.ExecInspectOptions{})
		if err != nil {
			return 0, err
		}
		if !state.Running {
			return state.ExitCode, nil
		}
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// healthCommand turns the test of a health check into a command: ["CMD", …], ["CMD-SHELL", line], ["NONE"] or nothing.
func healthCommand(test, shell []string) []string {
	if len(test) < 2 {
		return nil
	}
	switch test[0] {
	case "CMD":
		return test[1:]
	case "CMD-SHELL":
		return append(slices.Clone(shell), test[1])
	}
	return nil
}

// longestPause is more than the engine waits before it restarts a container again.
const longestPause = 2 * time.Minute

// seen is what is known of a container. Its inspection tells why it ended only until it is started again: after that the
// engine's events do, of which it keeps the last few hundred.
func (e *Engine) seen(ctx context.Context, inspected container.InspectResponse) stack.Container {
	c := toContainer(inspected)
	if c.State != "running" || c.Restarts == 0 {
		return c
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream
	events := e.api.Events(ctx, client.EventsListOptions{
		Since:   c.StartedAt.Add(-longestPause).Format(time.RFC3339Nano),
		Until:   c.StartedAt.Format(time.RFC3339Nano),
		Filters: make(client.Filters).Add("container", c.ID).Add("event", "oom"),
	})
	select {
	case <-events.Messages:
		c.RestartedForMemory = true
	case <-events.Err: // as a rule the end of the list
	}
	return c
}

func toContainer(c container.InspectResponse) stack.Container {
	out := stack.Container{
		ID:       c.ID,
		Name:     strings.TrimPrefix(c.Name, "/"),
		ImageID:  c.Image,
		Restarts: c.RestartCount,
	}
	if c.Config != nil {
		out.Service = c.Config.Labels[api.ServiceLabel]
		out.ConfigHash = c.Config.Labels[api.ConfigHashLabel]
		out.WorkingDir = c.Config.Labels[api.WorkingDirLabel]
		out.Image, out.Hostname, out.Command = c.Config.Image, c.Config.Hostname, c.Config.Cmd
		out.Proxies, out.NoProxy = stack.Proxies(variables(c.Config.Env))
		out.Environment = c.Config.Env
	}
	if c.State != nil {
		out.State = string(c.State.Status)
		out.ExitCode = c.State.ExitCode
		out.OOMKilled = c.State.OOMKilled
		out.StartedAt = startedAt(c.State.StartedAt)
		if c.State.Health != nil && c.State.Health.Status != container.NoHealthcheck {
			out.Health = string(c.State.Health.Status)
		}
	}
	if c.HostConfig != nil {
		out.HostPorts = hostPorts(c.HostConfig.PortBindings)
		out.Logs = stack.LogFile{Driver: c.HostConfig.LogConfig.Type, MaxSize: c.HostConfig.LogConfig.Config["max-size"], Path: c.LogPath}
	}
	return out
}

// variables returns an environment by its names.
func variables(env []string) map[string]string {
	all := make(map[string]string, len(env))
	for _, variable := range env {
		name, value, _ := strings.Cut(variable, "=")
		all[name] = value
	}
	return all
}

// hostPorts returns the fixed host ports of bindings, sorted.
func hostPorts(bindings network.PortMap) []uint16 {
	var ports []uint16
	for _, list := range bindings {
		for _, b := range list {
			if n, err := strconv.ParseUint(b.HostPort, 10, 16); err == nil && n > 0 {
				ports = append(ports, uint16(n))
			}
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// startedAt reads the engine's time. It writes year 1 for a container that never started, which is Go's zero time.
func startedAt(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}
	return t
}

// demultiplex copies a stream of the engine; without a terminal both streams of the program share it in frames.
func demultiplex(out io.Writer, stream io.Reader, tty bool) error {
	var err error
	if tty {
		_, err = io.Copy(out, stream)
	} else {
		_, err = stdcopy.StdCopy(out, out, stream)
	}
	return err
}

// tail keeps the last [tailBytes] of what is written to it.
type tail struct{ buf bytes.Buffer }

func (t *tail) Write(p []byte) (int, error) {
	n, err := t.buf.Write(p)
	if over := t.buf.Len() - tailBytes; over > tailBytes {
		t.buf.Next(over)
	}
	return n, err
}

func (t *tail) String() string {
	b := t.buf.Bytes()
	if len(b) > tailBytes {
		b = b[len(b)-tailBytes:]
	}
	return string(b)
}

// short is an object's ID as the docker command prints it.
func short(id string) string {
	const length = 12
	if len(id) > length {
		return id[:length]
	}
	return id
}
