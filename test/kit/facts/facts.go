// Package facts lists the SyncMaster releases that the kit imitates, and what differs between them
// (contract.md, sections 1, 2 and 7). The program behind the stand-ins and the builder of their images share it.
// It is written apart from the product's own release catalogue, so that neither can hide a mistake of the other.
package facts

// Release is one tag of the four SyncMaster images.
type Release struct {
	Tag    string // image tag
	Number int    // order among the releases: 0.2.5 is 205
	API    string // info.version of the server's openapi.json; 0.2.0 does not say its own
	Head   string // last Alembic revision the server image carries
}

// Releases are all imitated releases, oldest first. The tag develop is the state of 2026-04-30; 0.4.0 stands for a
// release newer than anything the product knows, and behaves as develop does.
var Releases = []Release{
	{"0.2.0", 200, "0.1.0", "0011"},
	{"0.2.1", 201, "0.2.1", "0011"},
	{"0.2.2", 202, "0.2.2", "0011"},
	{"0.2.3", 203, "0.2.3", "0011"},
	{"0.2.4", 204, "0.2.4", "0011"},
	{"0.2.5", 205, "0.2.5", "0012"},
	{"0.3.0", 300, "0.3.0", "0012"},
	{"0.3.1", 301, "0.3.1", "0012"},
	{"0.3.2", 302, "0.3.2", "0012"},
	{"develop", 303, "0.3.3", "0013"},
	{"0.4.0", 400, "0.4.0", "0013"},
}

// Roles of the stand-ins; the image of a role is mtsrus/syncmaster-ROLE.
const (
	Server    = "server"
	Scheduler = "scheduler"
	Worker    = "worker"
	UI        = "ui"
)

// Variables baked into an image. They tell the program which container it is.
const (
	ReleaseVariable = "SYNCMASTER_KIT_RELEASE"
	RoleVariable    = "SYNCMASTER_KIT_ROLE"
)

// Find returns the release of an image tag.
func Find(tag string) (Release, bool) {
	for _, r := range Releases {
		if r.Tag == tag {
			return r, true
		}
	}
	return Release{}, false
}

// Old reports whether r is one of 0.2.0 to 0.2.5: settings from the environment only, old worker command.
func (r Release) Old() bool { return r.Number < 300 }

// Hardened reports whether r runs as an ordinary user and declares health checks: from 0.2.1.
func (r Release) Hardened() bool { return r.Number >= 201 }
