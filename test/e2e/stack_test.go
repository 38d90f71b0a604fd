package e2e_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/jackc/pgx/v5"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"syncmaster-setup/test/kit"
)

// waitLimit bounds a wait for a condition that a loaded machine may take long to reach.
const waitLimit = time.Minute

// whole are the options of a stack with every service.
var whole = []string{"--profile", "all", "--queue", "1-etl"}

// all are its services, sorted.
var all = []string{"db", "frontend", "rabbitmq", "scheduler", "server", "worker"}

// ports are the host ports of a stack.
type ports struct{ server, ui, db, broker int }

// stack is one install: a folder that does not exist yet, a project and host ports of its own.
type stack struct {
	t       *testing.T
	dir     string
	project string
	ports   ports
	env     []string // beside the environment of the tests
	wrap    func(*exec.Cmd) *exec.Cmd
	engine  *client.Client

	restarts bool // its containers were restarted, and may have been too early then
}

// newStack returns a stack of which nothing exists. What init makes of it is removed with the test.
func newStack(t *testing.T) *stack {
	t.Helper()
	s := &stack{
		t: t, dir: filepath.Join(openFolder(t), "install"), project: "sme2e-" + strings.ToLower(rand.Text()[:8]),
		ports: ports{freePort(t), freePort(t), freePort(t), freePort(t)},
		wrap:  func(cmd *exec.Cmd) *exec.Cmd { return cmd }, engine: docker,
	}
	t.Cleanup(s.remove)
	return s
}

// args returns the arguments of init for this stack; args override those before them.
func (s *stack) args(args ...string) []string {
	base := []string{"init", "--dir", s.dir, "--project-name", s.project, "--registry", kit.Prefix,
		"--server-port", strconv.Itoa(s.ports.server), "--ui-port", strconv.Itoa(s.ports.ui),
		"--db-port", strconv.Itoa(s.ports.db), "--broker-port", strconv.Itoa(s.ports.broker)}
	return append(base, args...)
}

// command returns init as a command.
func (s *stack) command(args ...string) *exec.Cmd {
	cmd := program(s.args(args...)...)
	cmd.Env = append(os.Environ(), s.env...)
	return s.wrap(cmd)
}

// init runs init to its end.
func (s *stack) init(args ...string) result {
	s.t.Helper()
	return finish(s.t, s.command(args...))
}

// compose runs the real Compose CLI in the folder, as its user does, without a flag.
func (s *stack) compose(args ...string) result {
	s.t.Helper()
	cmd := exec.Command(composeCLI, args...)
	cmd.Dir = s.dir
	return finish(s.t, cmd)
}

// containers returns the containers of the project by service.
func (s *stack) containers() map[string]container.InspectResponse {
	s.t.Helper()
	ctx := s.t.Context()
	found, err := s.engine.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: s.filter()})
	if err != nil {
		s.t.Fatal(err)
	}
	list := map[string]container.InspectResponse{}
	for _, item := range found.Items {
		seen, err := s.engine.ContainerInspect(ctx, item.ID, client.ContainerInspectOptions{})
		if err != nil {
			s.t.Fatal(err)
		}
		list[item.Labels["com.docker.compose.service"]] = seen.Container
	}
	return list
}

// container returns the container of a service.
func (s *stack) container(service string) container.InspectResponse {
	s.t.Helper()
	c, exists := s.containers()[service]
	if !exists {
		s.t.Fatalf("the service %s has no container", service)
	}
	return c
}

// running returns the names of the services that run, sorted.
func (s *stack) running() []string {
	s.t.Helper()
	var list []string
	for service, c := range s.containers() {
		if c.State.Running {
			list = append(list, service)
		}
	}
	slices.Sort(list)
	return list
}

// identities tells the containers and their starts apart.
func (s *stack) identities() map[string]string {
	s.t.Helper()
	list := map[string]string{}
	for service, c := range s.containers() {
		list[service] = c.ID + " started " + c.State.StartedAt
	}
	return list
}

// setting returns a variable of an env file in the folder.
func (s *stack) setting(file, name string) string {
	s.t.Helper()
	values, err := dotenv.Read(filepath.Join(s.dir, file))
	if err != nil {
		s.t.Fatal(err)
	}
	return values[name]
}

// query runs SQL in the database of the stack and returns the first column of the first row.
func (s *stack) query(sql string) string {
	s.t.Helper()
	return query(s.t, s.databaseAddress(), sql)
}

func (s *stack) databaseAddress() string {
	s.t.Helper()
	return fmt.Sprintf("postgres://syncmaster:%s@127.0.0.1:%d/syncmaster", s.setting(".env", "POSTGRES_PASSWORD"), s.ports.db)
}

func query(t *testing.T, address, sql string) string {
	t.Helper()
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // nothing is left to write
	results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	if last := results[len(results)-1]; len(last.Rows) > 0 {
		return string(last.Rows[0][0])
	}
	return ""
}

// mustBeHealthy fails the test unless the services, and no others, run and answer for themselves.
func (s *stack) mustBeHealthy(services ...string) {
	s.t.Helper()
	if got := s.running(); !slices.Equal(got, services) {
		s.t.Fatalf("running are %v, want %v", got, services)
	}
	for service, c := range s.containers() {
		if c.RestartCount > 0 && !s.restarts {
			s.t.Errorf("%s was restarted %d times", service, c.RestartCount)
		}
	}
	if slices.Contains(services, "server") {
		if status, body := s.get(s.ports.server, "/monitoring/ping"); status != 200 || !strings.Contains(body, "ok") {
			s.t.Errorf("the server answers %d %s", status, body)
		}
	}
	if _, err := os.Stat(filepath.Join(s.dir, ".syncmaster-setup", "journal.json")); !errors.Is(err, fs.ErrNotExist) {
		s.t.Errorf("a journal is left: %v", err)
	}
}

// snapshot is everything that a refused run must leave as it was.
func (s *stack) snapshot() map[string]string {
	s.t.Helper()
	seen := s.files()
	for service, id := range s.identities() {
		seen["container "+service] = id
	}
	ctx := s.t.Context()
	volumes, err := s.engine.VolumeList(ctx, client.VolumeListOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, v := range volumes.Items {
		if strings.HasPrefix(v.Name, s.project+"_") {
			seen["volume "+v.Name] = v.CreatedAt
		}
	}
	networks, err := s.engine.NetworkList(ctx, client.NetworkListOptions{Filters: s.filter()})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, n := range networks.Items {
		seen["network "+n.Name] = n.ID
	}
	return seen
}

// files lists the folder: modes, times and contents. The lock and the runs' own logs, which every run writes, are
// left out.
func (s *stack) files() map[string]string {
	s.t.Helper()
	seen := map[string]string{}
	err := filepath.WalkDir(s.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || filepath.Base(path) == "lock" {
			return err
		}
		if entry.IsDir() && filepath.Base(path) == "logs" {
			return filepath.SkipDir
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		name := "file " + strings.TrimPrefix(path, s.dir)
		seen[name] = info.Mode().String()
		if entry.Type().IsRegular() {
			data, err := os.ReadFile(path)
			seen[name] += fmt.Sprintf(" %s %s", info.ModTime(), data)
			return err
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.t.Fatal(err)
	}
	return seen
}

// mustEqual fails the test where something has changed between two snapshots.
func mustEqual(t *testing.T, before, after map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, left := after[name]; !left {
			t.Errorf("%s is gone", name)
		} else if before[name] != after[name] {
			t.Errorf("%s has changed from\n%s\nto\n%s", name, before[name], after[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if _, known := before[name]; !known {
			t.Errorf("%s is new: %s", name, after[name])
		}
	}
}

func (s *stack) filter() client.Filters {
	return make(client.Filters).Add("label", "com.docker.compose.project="+s.project)
}

// remove takes away everything of the project that is in the engine of this machine. Another one goes away as a whole.
func (s *stack) remove() {
	if s.engine != docker {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
	defer cancel()
	var errs []error
	containers, err := s.engine.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: s.filter()})
	errs = append(errs, err)
	for _, c := range containers.Items {
		_, err := s.engine.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		errs = append(errs, err)
	}
	networks, err := s.engine.NetworkList(ctx, client.NetworkListOptions{Filters: s.filter()})
	errs = append(errs, err)
	for _, n := range networks.Items {
		_, err := s.engine.NetworkRemove(ctx, n.ID, client.NetworkRemoveOptions{})
		errs = append(errs, err)
	}
	volumes, err := s.engine.VolumeList(ctx, client.VolumeListOptions{})
	errs = append(errs, err)
	for _, v := range volumes.Items {
		if strings.HasPrefix(v.Name, s.project+"_") {
			_, err := s.engine.VolumeRemove(ctx, v.Name, client.VolumeRemoveOptions{})
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		s.t.Errorf("removing what %s has left: %v", s.project, err)
	}
}

// freePort returns a port that nobody listens on, another one each time.
func freePort(t *testing.T) int {
	t.Helper()
	port, err := kit.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return int(port)
}

// eventually repeats a check until it gives no error, and fails the test with the last one.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.Now().Add(waitLimit)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		select {
		case <-t.Context().Done():
			t.Fatal(err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
