package engine

import (
	"context"
	"sync"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/moby/client"
)

// End stops a service as [Engine.Stop] does, with the grace period that it declares, and returns as soon as its program
// has ended: what the engine does after that, most of all with the network, takes longer as a rule. rest waits for it, and
// returns why the stop failed. An engine that does not tell of the program's end in between makes this the whole stop.
func (e *Engine) End(ctx context.Context, project *types.Project, service string) (rest func() error, err error) {
	listed, err := e.list(ctx, project.Name, service)
	if err != nil {
		return nil, err
	}
	stop := sync.OnceValue(func() error { return e.Stop(ctx, project, []string{service}, 0) })
	if len(listed) != 1 || listed[0].State != "running" { // the end of one says nothing about another one's
		return func() error { return nil }, stop()
	}
	watching, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream
	events := e.api.Events(watching, client.EventsListOptions{
		Filters: make(client.Filters).Add("container", listed[0].ID).Add("event", "die"),
	})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		_ = stop() // rest tells
	}()
	select {
	case <-events.Messages:
		return stop, nil
	case <-stopped:
		return stop, stop()
	}
}
