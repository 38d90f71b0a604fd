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
	OOMKilled  bool
	Restarts   int
	StartedAt  time.Time // zero where it never started
	HostPorts  []uint16  // that it publishes when it runs, also while it is only being started
}

// Volume is a named volume of the engine.
type Volume struct {
	Name    string
	Project string // label com.docker.compose.project, empty where it was not made by Compose
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
