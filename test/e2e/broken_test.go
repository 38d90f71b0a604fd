package e2e_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/moby/moby/client"

	"syncmaster-setup/test/kit"
)

// undone is the exit code of an operation that failed and was taken back; notUndone where that failed, too.
const (
	undone    = 5
	notUndone = 6
)

// registry is a registry name of a test's own that holds the kit's images under other tags, so that the test can break
// a release for itself alone.
type privateRegistry struct {
	t    *testing.T
	name string
}

// newPrivateRegistry tags what stacks of some releases need under a name.
func newPrivateRegistry(t *testing.T, name string, releases ...string) privateRegistry {
	t.Helper()
	p := privateRegistry{t, name}
	for _, image := range []string{"postgres:17", "rabbitmq:4.2"} {
		p.tag(kit.Prefix+"/"+image, image)
	}
	for _, r := range releases {
		for _, role := range []string{"server", "worker", "scheduler", "ui"} {
			p.mend(role, r)
		}
	}
	return p
}

// uniqueName is a registry name that nobody else has.
func uniqueName() string { return "sme2e-" + strings.ToLower(rand.Text()[:8]) + ".localhost" }

// tag gives an image a name in the registry, until the end of the test.
func (p privateRegistry) tag(source, image string) {
	p.t.Helper()
	target := p.name + "/" + image
	if _, err := docker.ImageTag(p.t.Context(), client.ImageTagOptions{Source: source, Target: target}); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { p.untag(image) })
}

// untag takes a name away; one that is gone already is fine.
func (p privateRegistry) untag(image string) {
	_, _ = docker.ImageRemove(context.WithoutCancel(p.t.Context()), p.name+"/"+image, client.ImageRemoveOptions{Force: true}) // see above
}

// mend makes a role of a release what it is.
func (p privateRegistry) mend(role, release string) {
	p.t.Helper()
	image := imageOf(role, release)
	p.tag(kit.Prefix+"/"+image, image)
}

// breakImage gives a role of a release another entry point.
func (p privateRegistry) breakImage(role, release string, entrypoint ...string) {
	p.t.Helper()
	image := imageOf(role, release)
	words, err := json.Marshal(entrypoint)
	if err != nil {
		p.t.Fatal(err)
	}
	name := createContainer(p.t, image, 0, 8000)
	committed, err := docker.ContainerCommit(p.t.Context(), name, client.ContainerCommitOptions{
		Reference: p.name + "/" + image, Changes: []string{"ENTRYPOINT " + string(words), "CMD []"},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := docker.ContainerRemove(p.t.Context(), name, client.ContainerRemoveOptions{Force: true}); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { // behind the stack, which is removed first
		_, _ = docker.ImageRemove(context.Background(), committed.ID, client.ImageRemoveOptions{Force: true}) // as untag
	})
}

func imageOf(role, release string) string { return "mtsrus/syncmaster-" + role + ":" + release }

// within is the same stack in a part of its test.
func (s *stack) within(t *testing.T) *stack {
	part := *s
	part.t = t
	return &part
}

// stand is what must be the same after an operation was taken back: the release, the rows, the files and the key.
func (s *stack) stand() map[string]string {
	s.t.Helper()
	seen := map[string]string{"rows": s.query(allRows), "running": strings.Join(s.running(), ", ")}
	for _, name := range []string{".env", ".env.docker", "docker-compose.yml", ".syncmaster-setup/state.json"} {
		seen[name] = read(s.t, filepath.Join(s.dir, name))
	}
	for service, c := range s.containers() {
		seen["image of "+service] = c.Config.Image + " " + c.Image
	}
	for name := range s.files() {
		if strings.Contains(name, "/generations/") || strings.Contains(name, "/backups/.") {
			seen[name] = "there"
		}
	}
	if slices.Contains(s.running(), "server") {
		var api struct{ Info struct{ Version string } }
		s.call(http.MethodGet, "/openapi.json", nil, "", &api)
		seen["release of the server"] = api.Info.Version
	}
	return seen
}

// allRows is every row of every table, as one checksum a table. The superusers step touches a time at each start.
const allRows = `SELECT string_agg(table_name || ' ' || md5(query_to_xml(format(
		'SELECT to_jsonb(t) - ''updated_at'' AS r FROM public.%I t ORDER BY 1', table_name), true, false, '')::text), E'\n' ORDER BY table_name)
	FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`

// mustBeBack fails the test unless an operation has failed with a code and everything is as it was, and healthy.
func (s *stack) mustBeBack(r result, code int, before map[string]string) result {
	s.t.Helper()
	r.is(s.t, code)
	mustEqual(s.t, before, s.stand())
	s.mustBeHealthy(strings.Split(before["running"], ", ")...)
	return r
}

// session opens a session in the database of the stack.
func (s *stack) session() *pgx.Conn {
	s.t.Helper()
	conn, err := pgx.Connect(s.t.Context(), s.databaseAddress())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close(context.Background()) }) // closed already, as a rule
	return conn
}

// lockYoung holds a lock on a table until it is released, by one short transaction after another, as traffic does. It
// stays with the last one as soon as somebody waits for the table.
func (s *stack) lockYoung(table, mode string) (release func()) {
	s.t.Helper()
	ctx, end := context.WithCancel(s.t.Context())
	var renewing sync.WaitGroup
	take := func() (*pgx.Conn, error) {
		conn, err := pgx.Connect(ctx, s.databaseAddress())
		if err != nil {
			return nil, err
		}
		if _, err := conn.Exec(ctx, "SET lock_timeout = 200; BEGIN; LOCK TABLE "+table+" IN "+mode+" MODE"); err != nil {
			return nil, errors.Join(err, conn.Close(ctx))
		}
		return conn, nil
	}
	held, err := take()
	if err != nil {
		s.t.Fatal(err)
	}
	renewing.Go(func() {
		for pause(ctx, 500*time.Millisecond) {
			next, err := take()
			if err != nil {
				return
			}
			_ = held.Close(ctx) // the lock ends with the session either way
			held = next
		}
	})
	release = func() {
		end()
		renewing.Wait()
		_ = held.Close(context.Background())
	}
	s.t.Cleanup(release)
	return release
}

// pause reports whether ctx goes on after a while.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// lock takes a lock on a table until it is released.
func (s *stack) lock(table, mode string) (release func()) {
	s.t.Helper()
	conn := s.session()
	if _, err := conn.Exec(s.t.Context(), "BEGIN; LOCK TABLE "+table+" IN "+mode+" MODE"); err != nil {
		s.t.Fatal(err)
	}
	return func() {
		s.t.Helper()
		_ = conn.Close(s.t.Context()) // some tests end the session by the server
	}
}
