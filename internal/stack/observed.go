// Package stack compares the Compose project that should run with what the engine reports, and says what must
// change. It is pure: the engine adapter observes, the caller acts.
package stack

import "time"

// Observed is one snapshot of the engine, taken once before anything is decided.
type Observed struct {
	// Containers of the project's services, found by Compose's labels, one-off containers left out.
	Containers []Container
	// Volumes and Networks carry the project's label or name.
	Volumes  []Volume
	Networks []string
	// Images that are present, by the reference that was asked for.
	Images map[string]Image
	// Ports published by any running container of the engine, of this project or another.
	Ports []Port
}

// Container is one container of the project as the engine reports it.
type Container struct {
	ID         string
	Name       string
	Service    string // label com.docker.compose.service
	ConfigHash string // label com.docker.compose.config-hash
	WorkingDir string // label com.docker.compose.project.working_dir
	ImageID    string
	State      string // created, running, paused, restarting, exited, dead
	Health     string // starting, healthy, unhealthy, or empty without a health check
	ExitCode   int
	OOMKilled  bool // it, or one of its children; the engine forgets it when it starts the container again
	Restarts   int
	StartedAt  time.Time // zero where it never started
	HostPorts  []uint16  // that it publishes when it runs, also while it is only being started

	RestartedForMemory bool // its run before this one ended for lack of memory, as far as the engine remembers

	Image    string   // reference that it was made from
	Hostname string   // its own name
	Command  []string // arguments of its entrypoint
	Proxies  []string // names of its variables that send it to a proxy
	NoProxy  string   // what it asks directly all the same
	Logs     LogFile

	Environment []string // NAME=value, with secrets: it is only read to hide them
}

// LogFile is where the engine keeps what a container writes.
type LogFile struct {
	Driver  string
	MaxSize string // of one file, empty for no limit
	Path    string // on the engine's machine, empty where the driver keeps no file
}

// Peer is a running container that belongs to a project or shares a network with it.
type Peer struct {
	Name, Project, Service, Image string
}

// Volume is a named volume of the engine.
type Volume struct {
	Name    string
	Project string // label com.docker.compose.project, empty where it was not made by Compose
	Path    string // of its data, on the engine's machine
}

// Image is an image that the engine holds.
type Image struct {
	ID           string
	RepoDigests  []string // repository@sha256:…, empty for an image that was never pulled or pushed
	OS           string
	Architecture string // as in GOARCH
	Bytes        int64
}

// Port is a published host port and who holds it.
type Port struct {
	Address   string // host address, "0.0.0.0" or "::" for all
	Number    uint16
	Inside    uint16 // the container's own
	Container string
	Project   string // Compose project of the container, empty for none
}

// Container returns the container of a service, or false where there is none.
func (o Observed) Container(service string) (Container, bool) {
	for _, c := range o.Containers {
		if c.Service == service {
			return c, true
		}
	}
	return Container{}, false
}

// Alive reports whether the program in the container runs, or will again without anybody's doing.
func (c Container) Alive() bool {
	return c.State == "running" || c.State == "restarting" || c.State == "paused"
}
