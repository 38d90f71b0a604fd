// Package setup holds the use cases: what init does with an install folder, an engine and a database. It decides from
// one observation, and acts through the ports below.
package setup

import (
	"context"
	"io"
	"net/netip"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"syncmaster-setup/internal/report"
	"syncmaster-setup/internal/secret"
	"syncmaster-setup/internal/stack"
	"syncmaster-setup/internal/workdir"
)

// Engine is what the use cases need of a Docker Engine. Errors carry hints for the user.
type Engine interface {
	Host(ctx context.Context) (Host, error)
	Observe(ctx context.Context, project string, images []string) (stack.Observed, error)
	// CheckPull reports why an image cannot be pulled for a platform, or nil.
	CheckPull(ctx context.Context, ref, platform string) error
	Pull(ctx context.Context, refs []string, platform string, progress func(done, total int64)) error
	// Create makes the services' containers equal to the project, replacing those that differ; it starts none.
	Create(ctx context.Context, project *types.Project, services ...string) error
	// Start starts the services at once and waits for none of them.
	Start(ctx context.Context, project *types.Project, services ...string) error
	RunOneOff(ctx context.Context, project *types.Project, service string) (code int, tail string, err error)
	Inspect(ctx context.Context, project, service string) (stack.Container, error)
	Logs(ctx context.Context, containerID string, lines int) (string, error)
	ContainerAddress(ctx context.Context, project, service string) (netip.Addr, error)
	// Load reads the project of a folder as docker compose does: compose file, override file and env files.
	Load(ctx context.Context, dir string, profiles []string) (*types.Project, error)
	// Check reports why Compose would refuse a compose file and .env that are not written yet, or nil. An override
	// file in dir is read with them.
	Check(ctx context.Context, dir, compose, env string) error
}

// Host is what the engine says about itself and the machine it runs on.
type Host struct {
	OS, Arch       string   // of the containers, as GOOS and GOARCH
	Memory         int64    // bytes
	RootDir        string   // of images and volumes
	Local          bool     // the engine runs on this machine
	ProxyVariables []string // names of the variables that the docker client puts into every container
	NoProxy        string
}

// Databases opens PostgreSQL databases.
type Databases interface {
	// Open tries once. url is SyncMaster's; address, host:port, replaces the one in it unless it is empty.
	Open(ctx context.Context, url secret.Text, address string) (Database, error)
	// Retryable reports whether an error of Open may pass by waiting: the server is not up yet.
	Retryable(err error) bool
}

// DatabaseFacts are what an observation of a database tells.
type DatabaseFacts struct {
	SystemIdentifier string
	Revision         string // of alembic_version, empty for none
}

// Database is one open database.
type Database interface {
	Observe(ctx context.Context) (DatabaseFacts, error)
	// Migrate brings the schema to a revision and returns the revisions it applied.
	Migrate(ctx context.Context, revision string, progress func(string)) ([]string, error)
	// Tokens returns up to n stored credentials in their encrypted form.
	Tokens(ctx context.Context, n int) ([]string, error)
	// SessionsFrom counts the client sessions from an address.
	SessionsFrom(ctx context.Context, address netip.Addr) (int, error)
	Close(ctx context.Context) error
}

// System is the machine the program itself runs on.
type System interface {
	FreeBytes(path string) (uint64, error)
	// PortFree reports whether address:port can be bound, and who holds it if that can be told.
	PortFree(address string, port uint16) (free bool, holder string)
	Getenv(name string) string
}

// Setup runs the use cases on one install folder.
type Setup struct {
	Dir       workdir.Dir
	Connect   func(ctx context.Context) (Engine, error)
	Databases Databases
	System    System
	Random    io.Reader
	Now       func() time.Time
	Report    report.Reporter
}
