// Package engine is the Docker adapter: the Compose SDK and the Engine client are known here only. The SDK creates
// networks, volumes and containers, so that any `docker compose` adopts them; order and readiness are the caller's.
//
// Every call takes a context and ends with it. Errors name what was attempted on which object; those that the user can
// act on carry a hint (package fault) and one of the sentinel errors of this package.
package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/docker/cli/cli/command"
	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/configfile"
	"github.com/docker/cli/cli/flags"
	"github.com/docker/compose/v5/pkg/api"
	"github.com/docker/compose/v5/pkg/compose"
	"github.com/moby/moby/client"
	"github.com/sirupsen/logrus"
	"github.com/spf13/pflag"

	"syncmaster-setup/internal/fault"
)

// MinAPIVersion is the oldest Engine API that works: Engine 20.10 (design.md, section 5).
const MinAPIVersion = "1.41"

// composeVersion is the label value that containers get; it must name the SDK's version (compose-sdk.md, pitfall 7).
const composeVersion = "5.6.0"

// connectLimit bounds the first exchange with the engine, so that a hung socket is a message and not a hang.
const connectLimit = 15 * time.Second

// Options of a connection.
type Options struct {
	// Host replaces DOCKER_HOST and the current docker context, as `docker --host` does. Empty for neither.
	Host string
}

// Engine is a connection to one Docker Engine. Its methods may be called concurrently.
type Engine struct {
	api     client.APIClient
	compose api.Compose
	config  *configfile.ConfigFile
}

// New connects to the engine that the docker command would use: DOCKER_HOST, DOCKER_CONTEXT, the current context of
// the client's config.json, or the default socket, with the TLS variables of the docker command. It fails with a
// refusal and a hint where nothing answers, the socket is not ours to open, the engine is older than [MinAPIVersion]
// or a remote engine cannot be reached.
func New(ctx context.Context, options Options) (*Engine, error) {
	silence()
	dockerGlobals.Lock()
	opts := clientOptions(options.Host)
	// An unreadable config.json is no config.json, as for the docker command.
	cfg := config.LoadDefaultConfigFile(io.Discard)
	apiClient, err := command.NewAPIClientFromFlags(opts, cfg)
	dockerGlobals.Unlock()
	if err != nil {
		return nil, fault.New(fault.Refused, fmt.Errorf("finding the Docker Engine: %w", err),
			"check DOCKER_HOST, DOCKER_CONTEXT and `docker context ls`")
	}
	if err := greet(ctx, apiClient); err != nil {
		return nil, errors.Join(err, apiClient.Close())
	}
	service, err := newCompose(opts, apiClient)
	if err != nil {
		return nil, errors.Join(err, apiClient.Close())
	}
	return &Engine{api: apiClient, compose: service, config: cfg}, nil
}

// Close releases the connections.
func (e *Engine) Close() error {
	if err := e.api.Close(); err != nil {
		return fmt.Errorf("closing the connection to the Docker Engine: %w", err)
	}
	return nil
}

// dockerGlobals guards the variables of the Docker CLI's packages that making a client sets, such as the folder of
// config.json.
var dockerGlobals sync.Mutex

func newCompose(opts *flags.ClientOptions, apiClient client.APIClient) (api.Compose, error) {
	dockerGlobals.Lock()
	defer dockerGlobals.Unlock()
	cli, err := command.NewDockerCli(
		command.WithAPIClient(apiClient),
		command.WithInputStream(io.NopCloser(strings.NewReader(""))),
		command.WithOutputStream(io.Discard),
		command.WithErrorStream(io.Discard),
	)
	if err != nil {
		return nil, fmt.Errorf("preparing the Docker client: %w", err)
	}
	if err := cli.Initialize(opts); err != nil {
		return nil, fmt.Errorf("preparing the Docker client: %w", err)
	}
	service, err := compose.NewComposeService(cli, compose.WithPrompt(refuse))
	if err != nil {
		return nil, fmt.Errorf("preparing the Compose SDK: %w", err)
	}
	return service, nil
}

// refuse answers every question of the SDK: all of them ask whether to delete data.
func refuse(question string, _ bool) (bool, error) {
	return false, fault.New(fault.Refused, fmt.Errorf("%w: %s", ErrDataLoss, question),
		"undo the change of the volume's definition in the compose files, or move the data yourself")
}

// clientOptions are the docker command's own, taken from its environment variables.
func clientOptions(host string) *flags.ClientOptions {
	opts := flags.NewClientOptions()
	set := pflag.NewFlagSet("docker", pflag.ContinueOnError)
	opts.InstallFlags(set)
	opts.LogLevel = "panic"
	opts.SetDefaultOptions(set)
	if host != "" {
		opts.Hosts = []string{host}
	}
	return opts
}

// silence keeps the SDK from writing to our streams: only its returned errors are trusted (compose-sdk.md, pitfalls
// 5 and 6). It also sets the version label, which the SDK leaves empty unless it is linked with a flag.
var silence = sync.OnceFunc(func() {
	logrus.SetOutput(io.Discard)
	api.ComposeVersion = composeVersion
})
