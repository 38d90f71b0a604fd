package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

const (
	// stopLimit bounds the stop of a job whose context has ended.
	stopLimit = 30 * time.Second
	// jobLines is how much of a job's output is kept in [Exit].
	jobLines = 200
)

// RunOneOff runs a service whose program does its work and ends, such as db-migrations, and returns how it ended. Its
// container is created or replaced as needed, whatever the profile, and stays there afterwards, finished, as
// `docker compose up` leaves it. What it depends on is created where missing but neither started nor waited for. A code
// other than 0 is no error. When ctx ends first, the program is stopped.
func (e *Engine) RunOneOff(ctx context.Context, project *types.Project, service string) (Exit, error) {
	job, err := e.createJob(ctx, project, service)
	if err != nil {
		return Exit{}, err
	}
	before, err := e.inspect(ctx, project.Name, service)
	if err != nil {
		return Exit{}, err
	}
	if before.State != nil && before.State.Running {
		return Exit{}, fmt.Errorf("running service %s: it is running already, in container %s", service, short(before.ID))
	}
	// The wait must be in place before the start, or a fast program ends unseen.
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := e.api.ContainerWait(waiting, before.ID, client.ContainerWaitOptions{Condition: container.WaitConditionNextExit})
	if err := e.startOne(ctx, job, service); err != nil {
		if ctx.Err() != nil {
			return Exit{}, e.abandon(ctx, before.ID, service) // the engine may have started it nevertheless
		}
		return Exit{}, err
	}
	select {
	case result := <-ended.Result:
		if result.Error != nil && result.Error.Message != "" {
			return Exit{}, daemonError(errors.New(result.Error.Message), "waiting for service %s", service)
		}
		return e.exit(ctx, before.ID, int(result.StatusCode))
	case err := <-ended.Error:
		if ctx.Err() == nil {
			return Exit{}, daemonError(err, "waiting for service %s", service)
		}
		return Exit{}, e.abandon(ctx, before.ID, service)
	case <-ctx.Done():
		return Exit{}, e.abandon(ctx, before.ID, service)
	}
}

// createJob converges the service and creates what it needs, and nothing else of the project.
func (e *Engine) createJob(ctx context.Context, project *types.Project, service string) (*types.Project, error) {
	enabled, err := enable(project, service)
	if err != nil {
		return nil, err
	}
	job, err := enabled.WithSelectedServices([]string{service}, types.IncludeDependencies)
	if err != nil {
		return nil, fmt.Errorf("selecting service %s: %w", service, err)
	}
	if err := e.Create(ctx, job, CreateOptions{Services: []string{service}}); err != nil {
		return nil, err
	}
	return job, nil
}

func (e *Engine) exit(ctx context.Context, containerID string, code int) (Exit, error) {
	logs, err := e.Logs(ctx, containerID, jobLines)
	if err != nil {
		return Exit{}, err
	}
	return Exit{Code: code, Tail: logs}, nil
}

// abandon stops a job whose context has ended; the context of the stop is another one.
func (e *Engine) abandon(ctx context.Context, containerID, service string) error {
	err := fmt.Errorf("running service %s: %w", service, context.Cause(ctx))
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	if _, stopErr := e.api.ContainerStop(stopping, containerID, client.ContainerStopOptions{}); stopErr != nil {
		return errors.Join(err, daemonError(stopErr, "stopping service %s", service))
	}
	return err
}
