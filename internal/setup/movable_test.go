package setup

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"syncmaster-setup/internal/config"
	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/stack"
	"syncmaster-setup/internal/workdir"
)

// movable is an install of one release that runs, before its move to another one.
func movable(t *testing.T, from, to string) *upgrade {
	t.Helper()
	first := fresh(t, config.Options{Version: from})
	d, err := first.decide(random(), first.preflight())
	if err != nil {
		t.Fatal(err)
	}
	w := fresh(t, config.Options{Version: from})
	w.installed, w.lastGen = true, 1
	w.texts, w.last = textsOf(d.files), textsOf(d.files)
	w.state = workdir.State{Phase: workdir.Installed, Version: from, Project: w.options.Project, Generation: 1, Options: w.options, Database: "7"}
	if err := w.recall(config.Options{}); err != nil {
		t.Fatal(err)
	}
	u := &upgrade{world: w, present: applicationOrder, running: applicationOrder, facts: DatabaseFacts{SystemIdentifier: "7", Revision: w.release.Head}}
	if u.target, err = release.Lookup(to); err != nil {
		t.Fatal(err)
	}
	for id := range max(0, number(u.target.Head)-number(u.facts.Revision)) {
		r := Revision{ID: fmt.Sprintf("%04d", number(u.facts.Revision)+id+1)}
		if r.ID == "0012" {
			r.Tables = []string{"transfer", "connection"}
		}
		u.forecast.Revisions = append(u.forecast.Revisions, r)
	}
	u.forecast.Reversible = true
	for _, service := range applicationOrder {
		u.observed.Containers = append(u.observed.Containers, stack.Container{Service: service, ID: service, State: "running"})
		u.observed.Images[u.targetImage(service)] = stack.Image{ID: "sha256:" + service, OS: "linux", Architecture: "amd64"}
	}
	return u
}

func number(revision string) int {
	n, _ := strconv.Atoi(revision) // empty for a release that is not known
	return n
}

// merged merges the files as an upgrade does.
func (u *upgrade) merged(t *testing.T, o UpgradeOptions) error {
	t.Helper()
	var err error
	u.merge, err = u.mergeFiles(random(), o)
	return err
}

func setupAt(t *testing.T) *Setup {
	t.Helper()
	dir, err := workdir.At(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &Setup{Dir: dir, Random: random(), Now: func() time.Time { return time.Unix(1e9, 0) }}
}
