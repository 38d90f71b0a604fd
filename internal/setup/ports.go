// Package setup holds the use cases: what init does with an install folder, an engine and a database. It decides from
// one observation, and acts through the ports below.
package setup

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"syncmaster-setup/internal/report"
	"syncmaster-setup/internal/secret"
	"syncmaster-setup/internal/stack"
	"syncmaster-setup/internal/workdir"
)

// ErrPortInUse is found in an error of [Engine.Start] where somebody else holds a host port.
var ErrPortInUse = errors.New("port in use")

// Engine is what the use cases need of a Docker Engine. Errors carry hints for the user.
type Engine interface {
	Host(ctx context.Context) (Host, error)
	Observe(ctx context.Context, project string, images []string) (stack.Observed, error)
	// Containers returns those of a project, but not of some services.
	Containers(ctx context.Context, project string, except ...string) ([]stack.Container, error)
	// CheckPull returns the digest of an image in its registry, or why it cannot be pulled for a platform.
	CheckPull(ctx context.Context, ref, platform string) (digest string, err error)
	// DownloadBytes returns what pulling images downloads at most, by reference; digests are those of CheckPull. What
	// their registries do not tell soon is left out.
	DownloadBytes(ctx context.Context, digests map[string]string, platform string) map[string]int64
	Pull(ctx context.Context, refs []string, platform string, progress func(done, total int64)) error
	// Builds reads how the images of services are built from a checkout; what cannot be built is bad input.
	Builds(ctx context.Context, source string, services ...string) (map[string]types.BuildConfig, error)
	// Build builds an image that gets labels and no name. The folder hidden is not sent to the engine. said is what a step
	// that failed has written.
	Build(ctx context.Context, section types.BuildConfig, labels map[string]string, hidden string, progress func(step string)) (id, said string, err error)
	// Tag gives an image a name, and takes it away from the one that had it.
	Tag(ctx context.Context, imageID, ref string) error
	// RemoveUnused removes those of some images that have neither a name nor a container.
	RemoveUnused(ctx context.Context, imageIDs []string) error
	// Create makes the services' containers equal to the project, replacing those that differ; it starts none.
	Create(ctx context.Context, project *types.Project, services ...string) error
	// Start starts the services at once and waits for none of them.
	Start(ctx context.Context, project *types.Project, services ...string) error
	// Stop stops services and waits for their ends; limit 0 means what each declares as its stop_grace_period.
	Stop(ctx context.Context, project *types.Project, services []string, limit time.Duration) error
	// End stops a service and returns when its program has ended; rest waits until the engine is done with it.
	End(ctx context.Context, project *types.Project, service string) (rest func() error, err error)
	RunOneOff(ctx context.Context, project *types.Project, service string) (code int, tail string, err error)
	// Stream runs a command in the running container of a service. said is what it writes to its standard error.
	Stream(ctx context.Context, project, service string, command []string, in io.Reader, out io.Writer) (code int, said string, err error)
	Inspect(ctx context.Context, project, service string) (stack.Container, error)
	// RemoveProject removes the containers and networks of a project whose folder is dir, and its volumes where that is
	// asked for. It returns their names; a project of another folder is refused.
	RemoveProject(ctx context.Context, project, dir string, volumes bool) ([]string, error)
	Logs(ctx context.Context, containerID string, lines int) (string, error)
	// ReadLog calls each for every line of a container's log, and ends with the first error of each.
	ReadLog(ctx context.Context, containerID string, o stack.LogOptions, each func(stack.LogLine) error) error
	ContainerAddress(ctx context.Context, project, service string) (netip.Addr, error)
	// Check reports why Compose would refuse a compose file and .env that are not written yet, or nil. An override
	// file in dir is read with them.
	Check(ctx context.Context, dir, compose, env string) error
	// Hashes returns the label that Compose would give each enabled service's container.
	Hashes(project *types.Project) (map[string]string, error)
	// VolumeBytes returns what volumes take on the disk; those that cannot be told are left out.
	VolumeBytes(ctx context.Context, names []string) (map[string]int64, error)
	// Peers lists the running containers of a project and those that share a network with it.
	Peers(ctx context.Context, project string) ([]stack.Peer, error)
}

// Host is what the engine says about itself and the machine it runs on.
type Host struct {
	Version        string // of the engine
	CPUs           int
	Clock          time.Time // on the engine's machine
	OS, Arch       string    // of the containers, as GOOS and GOARCH
	Memory         int64     // bytes
	RootDir        string    // of images and volumes
	Local          bool      // the engine runs on this machine
	ProxyVariables []string  // names of the variables that the docker client puts into every container
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
	Revision         string   // of alembic_version, empty for none
	ServerVersion    int      // 170002 for 17.2
	Holding          []string // sessions that have forgotten a transaction, and its locks
}

// Forecast is what bringing the schema to another revision will do.
type Forecast struct {
	Revisions  []Revision
	Bytes      int64  // that the rewriting of tables needs beside what is there, with the write-ahead log
	Reversible bool   // the way back loses nothing
	Known      string // explains a known difference of the schema, empty for none
}

// tables returns those that are rewritten, each once.
func (f Forecast) tables() []string {
	var names []string
	for _, r := range f.Revisions {
		names = append(names, r.Tables...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Migrated is what Migrate has done.
type Migrated struct {
	Revisions []string // that were applied
	Rewritten []string // tables
}

// Revision is one revision that is applied, or taken back.
type Revision struct {
	ID     string   `json:"revision"`
	Rows   int64    `json:"rows"`  // that are rewritten, estimate
	Bytes  int64    `json:"bytes"` // that are rewritten
	Tables []string `json:"-"`     // that are rewritten
}

// Transfer is a run in progress, as a plan, a result and the journal name it.
type Transfer struct {
	Run     int64     `json:"run"`
	Name    string    `json:"transfer"`
	Started time.Time `json:"started"`
}

// Row names one row of a table.
type Row struct {
	ID   int64
	Name string
}

// Database is one open database.
type Database interface {
	Observe(ctx context.Context) (DatabaseFacts, error)
	// Prepare plans the next Migrate to a revision beforehand, or returns everything that forbids it.
	Prepare(ctx context.Context, revision string) error
	// Migrate brings the schema to a revision.
	Migrate(ctx context.Context, revision string, progress func(string)) (Migrated, error)
	// Vacuum brings back what the rewriting of tables has thrown away: visibility map and statistics.
	Vacuum(ctx context.Context, tables []string) error
	// Forecast tells what Migrate would do, or everything that forbids it.
	Forecast(ctx context.Context, revision string) (Forecast, error)
	// Back takes revisions back, and refuses where that would lose rows.
	Back(ctx context.Context, revision string, progress func(string)) error
	Size(ctx context.Context) (int64, error)
	// Runs returns the runs that have begun and not ended, the oldest n, 0 for all; those of a killed worker among them.
	Runs(ctx context.Context, n int) ([]Run, error)
	// Rows returns what a query of id and name finds.
	Rows(ctx context.Context, sql string) ([]Row, error)
	// Losses names the tables whose rows the way to a revision would delete.
	Losses(ctx context.Context, revision string) ([]string, error)
	// Tokens returns up to n stored credentials in their encrypted form.
	Tokens(ctx context.Context, n int) ([]string, error)
	// TableHolders names the sessions that have held a lock on a table for longer.
	TableHolders(ctx context.Context, longer time.Duration) ([]string, error)
	// SessionsFrom counts the client sessions from an address.
	SessionsFrom(ctx context.Context, address netip.Addr) (int, error)
	// Queues returns SyncMaster's queues in the order of their slugs; none where there is no schema yet.
	Queues(ctx context.Context) ([]Queue, error)
	// Differences says in words how the schema differs from its revision, apart from additions of the user's own.
	Differences(ctx context.Context) ([]string, error)
	Close(ctx context.Context) error
}

// Queue is a queue as the database knows it.
type Queue struct {
	Name, Slug string
	Waiting    int // runs that were created and not begun
}

// Run is one run of a transfer that has begun and not ended.
type Run struct {
	ID       int64
	Transfer string
	Queue    string // slug
	Status   string
	Started  time.Time     // by the clock of its worker
	Age      time.Duration // by the clock of the database
}

// System is the machine the program itself runs on.
type System interface {
	FreeBytes(path string) (uint64, error)
	// PortFree reports whether address:port can be bound, and who holds it if that can be told.
	PortFree(address string, port uint16) (free bool, holder string)
	Getenv(name string) string
	// FileBytes returns the size of a file.
	FileBytes(path string) (int64, error)
	// NoSuchHost reports whether no host of a name is known here; false, too, where nobody can be asked.
	NoSuchHost(ctx context.Context, name string) bool
	// ReadFile returns the text of a file; of a folder it is syscall.EISDIR.
	ReadFile(path string) (string, error)
}

// Setup runs the use cases on one install folder. Connect finds the engine. Load reads the project of a folder as docker
// compose does: compose file, override file and env files; LoadAhead the one that Load will read in dir once the files in
// folder have come into place there.
type Setup struct {
	Dir       workdir.Dir
	Connect   func(ctx context.Context) (Engine, error)
	Load      func(ctx context.Context, dir string, profiles []string) (*types.Project, error)
	LoadAhead func(ctx context.Context, dir, folder string, profiles []string) (*types.Project, error)
	Databases Databases
	System    System
	Random    io.Reader
	Now       func() time.Time
	Report    report.Reporter
}
