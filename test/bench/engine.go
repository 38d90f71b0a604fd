package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"syncmaster-setup/test/kit"
)

// pause between two attempts of a check.
const pause = 50 * time.Millisecond

// ports are the published ones of one start.
type ports struct{ server, ui, database, broker uint16 }

// images that the stacks of the releases run, as init names them.
func (b *bench) images() []string {
	list := []string{kit.Prefix + "/postgres:17", kit.Prefix + "/rabbitmq:4", kit.Prefix + "/rabbitmq:4.2"}
	for _, release := range []string{versionBefore, version} {
		for _, role := range []string{"server", "scheduler", "worker", "ui"} {
			list = append(list, kit.Prefix+"/mtsrus/syncmaster-"+role+":"+release)
		}
	}
	return list
}

// checkEngine makes sure that no image has to be pulled or built.
func (b *bench) checkEngine(ctx context.Context) error {
	found, err := b.api.ServerVersion(ctx, client.ServerVersionOptions{})
	if err != nil {
		return fmt.Errorf("asking the engine: %w", err)
	}
	b.engine = found.Version
	for _, ref := range b.images() {
		if _, err := b.api.ImageInspect(ctx, ref); err != nil {
			return fmt.Errorf("looking for an image, which make kit builds: %w", err)
		}
	}
	return nil
}

// clean removes every container, network and volume of the bench, also after an interruption.
func (b *bench) clean(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanLimit)
	defer cancel()
	named := make(client.Filters).Add("name", prefix)
	containers, err := b.api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: named})
	if err != nil {
		return fmt.Errorf("listing what to remove: %w", err)
	}
	var errs []error
	for _, c := range containers.Items {
		if len(c.Names) > 0 && strings.HasPrefix(c.Names[0], "/"+prefix) {
			_, err := b.api.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
			errs = append(errs, unlessGone(err))
		}
	}
	networks, err := b.api.NetworkList(ctx, client.NetworkListOptions{Filters: named})
	errs = append(errs, err)
	for _, n := range networks.Items {
		if strings.HasPrefix(n.Name, prefix) {
			_, err := b.api.NetworkRemove(ctx, n.ID, client.NetworkRemoveOptions{})
			errs = append(errs, unlessGone(err))
		}
	}
	volumes, err := b.api.VolumeList(ctx, client.VolumeListOptions{Filters: named})
	errs = append(errs, err)
	for _, v := range volumes.Items {
		if strings.HasPrefix(v.Name, prefix) {
			_, err := b.api.VolumeRemove(ctx, v.Name, client.VolumeRemoveOptions{})
			errs = append(errs, unlessGone(err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("removing what the bench made: %w", err)
	}
	return nil
}

func unlessGone(err error) error {
	if errdefs.IsNotFound(err) {
		return nil
	}
	return err
}

// observe reads from the engine when each container of a start began, and when database and broker wrote that they
// serve. It is asked after the end, so that it costs the start nothing.
func (b *bench) observe(ctx context.Context, s *site) ([]mark, error) {
	list, err := b.containers(ctx, s)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errors.New("looking for the containers: there are none")
	}
	var marks []mark
	var made []time.Duration
	for service, c := range list {
		created, err := time.Parse(time.RFC3339Nano, c.Created)
		if err != nil {
			return nil, fmt.Errorf("reading when %s was made: %w", service, err)
		}
		made = append(made, created.Sub(s.began))
		began, err := time.Parse(time.RFC3339Nano, c.State.StartedAt)
		if err != nil {
			return nil, fmt.Errorf("reading when %s began: %w", service, err)
		}
		marks = append(marks, mark{service + " container runs", began.Sub(s.began)})
		if service == "db-migrations" {
			ended, err := time.Parse(time.RFC3339Nano, c.State.FinishedAt)
			if err != nil {
				return nil, fmt.Errorf("reading when %s ended: %w", service, err)
			}
			marks = append(marks, mark{markSchema, ended.Sub(s.began)})
		}
	}
	marks = append(marks, mark{"first container is being made", slices.Min(made)}, mark{"last container is being made", slices.Max(made)})
	for _, said := range []struct{ service, text, mark string }{
		{"db", "database system is ready to accept connections", markDatabaseSays},
		{"rabbitmq", "started TCP listener on", markBrokerSays},
	} {
		at, err := b.said(ctx, list[said.service].ID, said.text)
		if err != nil {
			return nil, err
		}
		marks = append(marks, mark{said.mark, at.Sub(s.began)})
	}
	return marks, nil
}

// containers of a start by service.
func (b *bench) containers(ctx context.Context, s *site) (map[string]container.InspectResponse, error) {
	list, err := b.api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: make(client.Filters).Add("name", s.project+"-")})
	if err != nil {
		return nil, fmt.Errorf("listing the containers: %w", err)
	}
	found := map[string]container.InspectResponse{}
	for _, c := range list.Items {
		seen, err := b.api.ContainerInspect(ctx, c.ID, client.ContainerInspectOptions{})
		if err != nil {
			return nil, fmt.Errorf("inspecting a container: %w", err)
		}
		name := strings.TrimPrefix(seen.Container.Name, "/"+s.project+"-")
		found[strings.TrimSuffix(name, "-1")] = seen.Container
	}
	return found, nil
}

// said returns when a container wrote a text last.
func (b *bench) said(ctx context.Context, id, text string) (time.Time, error) {
	lines, err := b.log(ctx, id, "all")
	if err != nil {
		return time.Time{}, err
	}
	var at time.Time
	for scanner := bufio.NewScanner(lines); scanner.Scan(); {
		stamp, line, _ := strings.Cut(scanner.Text(), " ")
		if strings.Contains(line, text) {
			if at, err = time.Parse(time.RFC3339Nano, stamp); err != nil {
				return time.Time{}, fmt.Errorf("reading a log: %w", err)
			}
		}
	}
	if at.IsZero() {
		return time.Time{}, fmt.Errorf("reading a log: nothing says %q", text)
	}
	return at, nil
}

// lastWords are the ends of the logs of a start that failed.
func (b *bench) lastWords(ctx context.Context, s *site) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanLimit)
	defer cancel()
	list, err := b.containers(ctx, s)
	errs := []error{err}
	for service, c := range list {
		lines, err := b.log(ctx, c.ID, "3")
		if err == nil {
			err = fmt.Errorf("%s is %s, its log ends with:\n%s", service, c.State.Status, lines)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (b *bench) log(ctx context.Context, id, tail string) (*bytes.Buffer, error) {
	stream, err := b.api.ContainerLogs(ctx, id, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Timestamps: true, Tail: tail})
	if err != nil {
		return nil, fmt.Errorf("opening a log: %w", err)
	}
	var out bytes.Buffer
	_, err = stdcopy.StdCopy(&out, &out, stream)
	if err = errors.Join(err, stream.Close()); err != nil {
		return nil, fmt.Errorf("reading a log: %w", err)
	}
	return &out, nil
}

// freePorts finds one for each service.
func freePorts() (p ports, err error) {
	for _, port := range []*uint16{&p.server, &p.ui, &p.database, &p.broker} {
		if *port, err = kit.FreePort(); err != nil {
			return ports{}, err
		}
	}
	return p, nil
}

// until repeats a check every 50 ms until it passes; the context limits it.
func until(ctx context.Context, what string, check func(context.Context) error) error {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w: last: %w", what, context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}
