package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/compose/v5/pkg/api"
	"github.com/moby/moby/client"
	"golang.org/x/sync/errgroup"
)

// CreateOptions of [Engine.Create].
type CreateOptions struct {
	// Services whose containers are made, or replaced where they differ. Empty means every service. What they depend on is
	// only created where missing.
	Services []string
	// Force replaces the containers of Services even where their definition is unchanged.
	Force bool
}

// Create makes the networks, volumes and containers of a project and replaces the containers whose definition or image
// changed. Nothing is started; a running container that must be replaced is stopped and its successor left stopped, so
// the caller stops dependents first (compose-sdk.md, pitfall 3). Images must be present: nothing is pulled.
//
// Fails with [ErrNoImage] for a missing image and with [ErrDataLoss] where Compose would delete a volume whose
// definition changed.
func (e *Engine) Create(ctx context.Context, project *types.Project, options CreateOptions) error {
	// A part of the model always with its dependencies: without them it would lose its depends_on labels (pitfall 2).
	// The SDK makes every missing container of the model that it is given, whatever Services says.
	part, err := project.WithSelectedServices(options.Services)
	if err != nil {
		return fmt.Errorf("preparing project %s: %w", project.Name, err)
	}
	desired, err := offline(part)
	if err != nil {
		return fmt.Errorf("preparing project %s: %w", project.Name, err)
	}
	recreate := api.RecreateDiverged
	if options.Force {
		recreate = api.RecreateForce
	}
	others := api.RecreateNever
	if len(options.Services) == 0 {
		others = recreate
	}
	if err := e.imagesPresent(ctx, desired); err != nil {
		return err
	}
	err = e.withoutTwins(ctx, project.Name, func() error {
		return e.compose.Create(ctx, desired, api.CreateOptions{
			Services:             options.Services,
			Recreate:             recreate,
			RecreateDependencies: others,
			Inherit:              true,
			IgnoreOrphans:        true,
		})
	})
	return daemonError(err, "creating the containers of project %s", project.Name)
}

// Start starts services that [Engine.Create] made, all at once and without waiting for what they depend on. A running
// service is left alone. No services means all of the project's.
func (e *Engine) Start(ctx context.Context, project *types.Project, services ...string) error {
	if len(services) == 0 {
		services = project.ServiceNames()
	}
	return e.withoutTwins(ctx, project.Name, func() error {
		group, groupCtx := errgroup.WithContext(ctx)
		for _, name := range services {
			group.Go(func() error { return e.startOne(groupCtx, project, name) })
		}
		return group.Wait()
	})
}

// Stop stops services in the reverse order of their dependencies, those without one between them at the same time. No
// services means every container of the project, also of profiles that are off. timeout is how long a program may take
// to end before it is killed; 0 means what its service declares (stop_grace_period).
func (e *Engine) Stop(ctx context.Context, project *types.Project, services []string, timeout time.Duration) error {
	options := api.StopOptions{Services: services}
	if timeout > 0 {
		options.Timeout = &timeout
	}
	what := "the project"
	if len(services) > 0 {
		enabled, err := enable(project, services...)
		if err != nil {
			return err
		}
		options.Project = enabled
		what = strings.Join(services, ", ")
	}
	err := settled(ctx, func() error { return e.compose.Stop(ctx, project.Name, options) })
	return daemonError(err, "stopping %s of project %s", what, project.Name)
}

// Remove stops and removes every container of a project, whatever its profile, and the networks that Compose made for
// it. Volumes and images stay.
func (e *Engine) Remove(ctx context.Context, project string) error {
	err := settled(ctx, func() error { return e.compose.Down(ctx, project, api.DownOptions{RemoveOrphans: true}) })
	return daemonError(err, "removing the containers of project %s", project)
}

// startOne starts the container of one service. The SDK starts one container at a time, because the engine may hand out
// the same port of a range twice; so a plain service with fixed ports, for which the SDK adds nothing to the engine's
// own start, does not queue there.
func (e *Engine) startOne(ctx context.Context, project *types.Project, name string) error {
	service, ok := project.Services[name]
	if !ok {
		return fmt.Errorf("starting service %s: project %s has no such service, or its profile is off", name, project.Name)
	}
	if !plain(service) {
		alone, err := project.WithSelectedServices([]string{name}, types.IgnoreDependencies)
		if err != nil {
			return fmt.Errorf("starting service %s: %w", name, err)
		}
		err = e.compose.Start(ctx, project.Name, api.StartOptions{Project: alone})
		return daemonError(err, "starting service %s", name)
	}
	containers, err := e.list(ctx, project.Name, name)
	if err != nil {
		return err
	}
	if len(containers) == 0 {
		return fmt.Errorf("starting service %s: %w: it was not created", name, ErrNoContainer)
	}
	for _, c := range containers {
		if _, err := e.api.ContainerStart(ctx, c.ID, client.ContainerStartOptions{}); err != nil {
			return daemonError(err, "starting service %s", name)
		}
	}
	return nil
}

// plain reports whether starting a service is the engine's own start and nothing more: no files that the SDK copies
// into the container first, no hooks around the start, no port of a range.
func plain(service types.ServiceConfig) bool {
	if len(service.Secrets)+len(service.Configs)+len(service.PreStart)+len(service.PostStart) > 0 || service.Provider != nil {
		return false
	}
	return !slices.ContainsFunc(service.Ports, func(p types.ServicePortConfig) bool {
		return p.Published == "" || strings.Contains(p.Published, "-")
	})
}

// offline is the project as it is handed to the SDK's create: without what no enabled service uses, and never pulling.
// The pull policy is not part of the hash (compose-sdk.md, pitfall 10).
func offline(project *types.Project) (*types.Project, error) {
	return project.WithoutUnnecessaryResources().WithServicesTransform(
		func(_ string, service types.ServiceConfig) (types.ServiceConfig, error) {
			service.PullPolicy = types.PullPolicyNever
			return service, nil
		})
}

// imagesPresent names every missing image before anything is created; the SDK would stop at the first, half-way.
func (e *Engine) imagesPresent(ctx context.Context, project *types.Project) error {
	var refs []string
	for _, service := range project.Services {
		refs = append(refs, service.Image)
	}
	slices.Sort(refs)
	refs = slices.Compact(refs)
	present, err := e.images(ctx, refs)
	if err != nil {
		return err
	}
	var absent []string
	for _, ref := range refs {
		if _, ok := present[ref]; !ok {
			absent = append(absent, ref)
		}
	}
	if len(absent) == 0 {
		return nil
	}
	return daemonError(fmt.Errorf("%w: %s", errImageAbsent, strings.Join(absent, ", ")),
		"creating the containers of project %s", project.Name)
}

// enable returns the project with services switched on, whatever their profile.
func enable(project *types.Project, services ...string) (*types.Project, error) {
	enabled, err := project.WithServicesEnabled(services...)
	if err != nil {
		return nil, fmt.Errorf("enabling %s in project %s: %w", strings.Join(services, ", "), project.Name, err)
	}
	for _, name := range services {
		if _, ok := enabled.Services[name]; !ok {
			return nil, fmt.Errorf("enabling %s: project %s has no such service", name, project.Name)
		}
	}
	enabled, err = finish(enabled)
	if err != nil {
		return nil, fmt.Errorf("enabling %s in project %s: %w", strings.Join(services, ", "), project.Name, err)
	}
	return enabled, nil
}
