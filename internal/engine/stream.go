package engine

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"
)

// Stream runs a command in the running container of a service, feeds it in and hands what it writes to out, as fast as
// both can. A nil in is an empty one, a nil out is dropped. What the command writes to its standard error is returned
// with its exit code; a code other than 0 is no error. When Stream returns, in is no longer read.
func (e *Engine) Stream(ctx context.Context, project, service string, cmd []string, in io.Reader, out io.Writer) (Exit, error) {
	c, err := e.inspect(ctx, project, service)
	if err != nil {
		return Exit{}, err
	}
	doing := cmd[0] + " in the container of service " + service
	created, err := e.api.ExecCreate(ctx, c.ID, client.ExecCreateOptions{
		Cmd: cmd, AttachStdin: in != nil, AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		return Exit{}, daemonError(err, "preparing %s", doing)
	}
	attached, err := e.api.ExecAttach(ctx, created.ID, client.ExecAttachOptions{})
	if err != nil {
		return Exit{}, daemonError(err, "running %s", doing)
	}
	defer attached.Close()
	stop := context.AfterFunc(ctx, attached.Close) // the hijacked connection knows no context
	defer stop()
	fed := make(chan error, 1)
	go func() { fed <- feed(attached, in) }()
	if out == nil {
		out = io.Discard
	}
	var said tail
	_, err = stdcopy.StdCopy(out, &said, attached.Reader)
	attached.Close() // ends the feeding of a command that has left its input
	cause := <-fed
	switch {
	case ctx.Err() != nil:
		return Exit{}, fmt.Errorf("running %s: %w", doing, context.Cause(ctx))
	case cause != nil:
		return Exit{}, fmt.Errorf("feeding %s: %w", doing, cause)
	case err != nil:
		return Exit{}, fmt.Errorf("running %s: %w", doing, err)
	}
	code, err := e.execCode(ctx, created.ID)
	if err != nil {
		return Exit{}, daemonError(err, "reading the exit code of %s", doing)
	}
	return Exit{Code: code, Tail: said.String()}, nil
}

// feed copies in to the command and ends its input. A command may end without reading all of it, and is judged by its
// code; but a source that fails ends the command, since what it has read is not all.
func feed(attached client.ExecAttachResult, in io.Reader) error {
	if in == nil {
		return nil
	}
	reader := &source{in: in}
	_, _ = io.CopyBuffer(struct{ io.Writer }{attached.Conn}, reader, make([]byte, 1<<20))
	if reader.err != nil {
		attached.Close()
		return reader.err
	}
	_ = attached.CloseWrite() // the command has ended where this fails
	return nil
}

// source remembers the error of a reader.
type source struct {
	in  io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.in.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}
