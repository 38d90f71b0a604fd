package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"
)

// exec runs a command in a container, feeds it in and hands what it writes to out, both of which may be nil.
func (b *bench) exec(ctx context.Context, id string, cmd []string, in io.Reader, out io.Writer) error {
	made, err := b.api.ExecCreate(ctx, id, client.ExecCreateOptions{Cmd: cmd, AttachStdin: in != nil, AttachStdout: true, AttachStderr: true})
	if err != nil {
		return fmt.Errorf("preparing %s: %w", cmd[0], err)
	}
	session, err := b.api.ExecAttach(ctx, made.ID, client.ExecAttachOptions{})
	if err != nil {
		return fmt.Errorf("starting %s: %w", cmd[0], err)
	}
	defer session.Close()
	defer context.AfterFunc(ctx, session.Close)()
	if in != nil {
		go func() {
			_, _ = io.Copy(session.Conn, in) // the command is judged by its exit code
			_ = session.CloseWrite()
		}()
	}
	if out == nil {
		out = io.Discard
	}
	var said bytes.Buffer
	if _, err := stdcopy.StdCopy(out, &said, session.Reader); err != nil {
		return fmt.Errorf("reading from %s: %w", cmd[0], err)
	}
	code := 0
	err = until(ctx, cmd[0], func(ctx context.Context) error {
		seen, err := b.api.ExecInspect(ctx, made.ID, client.ExecInspectOptions{})
		if err == nil && seen.Running {
			err = errors.New("it has not ended")
		}
		code = seen.ExitCode
		return err
	})
	if err == nil && code != 0 {
		err = fmt.Errorf("running %s: it ended with %d: %s", cmd[0], code, said.String())
	}
	return err
}

// maintenance is the database that every server has.
const maintenance = "postgres"

// psql is the command that runs SQL in the database's container, over its own socket.
func psql(database string) []string {
	return []string{"psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", user, "-d", database}
}

// sql runs statements one by one and returns what the last one says.
func (b *bench) sql(ctx context.Context, id, database string, statements ...string) (string, error) {
	command := psql(database)
	for _, s := range statements {
		command = append(command, "-c", s)
	}
	var out strings.Builder
	if err := b.exec(ctx, id, command, nil, &out); err != nil {
		return "", err
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	return lines[len(lines)-1], nil
}
