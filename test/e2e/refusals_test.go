package e2e_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/moby/client"
)

const (
	badInput = 3
	refused  = 4
)

// mustRefuse runs init, as text and as JSON, and fails the test unless it is refused with a code, says each text, and
// leaves folder, containers, volumes and networks as they were.
func (s *stack) mustRefuse(code int, args []string, texts ...string) {
	s.t.Helper()
	before := s.snapshot()
	s.init(args...).is(s.t, code).says(s.t, texts...).says(s.t, "Nothing was changed.")
	mustEqual(s.t, before, s.snapshot())

	got := s.init(append(args, "--output", "json")...).is(s.t, code)
	object := got.object(s.t)
	if object.Result != "error" || object.ExitCode != code || len(object.Problems) == 0 {
		s.t.Errorf("the result object is %+v", object)
	}
	var said strings.Builder
	for _, problem := range object.Problems {
		said.WriteString(problem.What + "\n" + problem.Hint + "\n")
	}
	for _, text := range texts {
		if !strings.Contains(said.String(), text) {
			s.t.Errorf("the result object does not say %q: %s", text, said.String())
		}
	}
	mustEqual(s.t, before, s.snapshot())
}

// TestRefusesInput gives init what it cannot use.
func TestRefusesInput(t *testing.T) {
	for name, c := range map[string]struct {
		args, texts []string
	}{
		"unknown version":   {[]string{"--version", "0.1.9"}, []string{"--version", "0.1.9"}},
		"unknown setting":   {[]string{"--set", "SYNCMASTER__SERVER__DEBGU=true"}, []string{"SYNCMASTER__SERVER__DEBGU", "SYNCMASTER__SERVER__DEBUG"}},
		"old setting":       {[]string{"--version", "0.3.2", "--set", "SYNCMASTER__AUTH__KEYCLOAK__SERVER_URL=https://k"}, []string{"SYNCMASTER__AUTH__KEYCLOAK__API_URL"}},
		"setting too new":   {[]string{"--version", "0.2.0", "--set", "SYNCMASTER__WORKER__SPARK_SESSION_DEFAULT_CONFIG={}"}, []string{"0.3.0"}},
		"wrong type":        {[]string{"--set", "SYNCMASTER__SERVER__DEBUG=perhaps"}, []string{"SYNCMASTER__SERVER__DEBUG", "perhaps"}},
		"no key":            {[]string{"--set", "SYNCMASTER__ENCRYPTION__SECRET_KEY=short"}, []string{"SYNCMASTER__ENCRYPTION__SECRET_KEY", "Fernet"}},
		"unset variable":    {[]string{"--set", "SYNCMASTER__SERVER__DEBUG"}, []string{"neither a value nor a variable", "export"}},
		"port too high":     {[]string{"--server-port", "65536"}, []string{"--server-port", "65535"}},
		"port zero":         {[]string{"--ui-port", "0"}, []string{"--ui-port"}},
		"port is no number": {[]string{"--db-port", "54x"}, []string{"--db-port"}},
		"port twice":        {[]string{"--db-port", "7777", "--broker-port", "7777"}, []string{"--db-port", "--broker-port", "7777"}},
		"project name":      {[]string{"--project-name", "Sync Master"}, []string{"--project-name", "lower case"}},
		"profile":           {[]string{"--profile", "everything"}, []string{"--profile", "scheduler"}},
		"queue":             {[]string{"--queue", "etl"}, []string{"--queue", "slug"}},
		"login":             {[]string{"--auth", "ldap"}, []string{"--auth", "ldap"}},
		"bind":              {[]string{"--bind", "localhost"}, []string{"--bind", "127.0.0.1"}},
		"database address":  {[]string{"--database-url", "mysql://u:p@h/d"}, []string{"database"}},
		"broker address":    {[]string{"--broker-url", "http://h"}, []string{"broker"}},
		"wait":              {[]string{"--wait-timeout", "1ms"}, []string{"--wait-timeout"}},
		"unknown option":    {[]string{"--no-such-option"}, []string{"no-such-option", "--help"}},
		"argument":          {[]string{"somewhere"}, []string{"somewhere", "--name value"}},
		"several at once": {
			[]string{"--profile", "everything", "--queue", "etl", "--bind", "x", "--set", "SYNCMASTER__SERVER__DEBUG=perhaps"},
			[]string{"--profile", "--queue", "--bind", "SYNCMASTER__SERVER__DEBUG"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t)
			if name == "unknown option" || name == "argument" { // the options are not read, --output neither
				before := s.snapshot()
				s.init(c.args...).is(t, badInput).says(t, c.texts...)
				mustEqual(t, before, s.snapshot())
				return
			}
			s.mustRefuse(badInput, c.args, c.texts...)
		})
	}
}

// TestRefusesEngine has no engine that init could work with.
func TestRefusesEngine(t *testing.T) {
	t.Run("none", func(t *testing.T) {
		s := newStack(t)
		missing := filepath.Join(openFolder(t), "docker.sock")
		s.env = []string{"DOCKER_HOST=unix://" + missing}
		s.mustRefuse(refused, nil, "no Docker Engine", missing, "systemctl start docker")
	})
	t.Run("nobody listens", func(t *testing.T) {
		s := newStack(t)
		socket := filepath.Join(openFolder(t), "docker.sock")
		listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		listener.SetUnlinkOnClose(false)
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
		s.env = []string{"DOCKER_HOST=unix://" + socket}
		s.mustRefuse(refused, nil, "nothing listens", "systemctl start docker")
	})
	t.Run("no permission", func(t *testing.T) {
		s := newStack(t)
		p := newProxy(t)
		if err := os.Chmod(p.socket, 0); err != nil {
			t.Fatal(err)
		}
		s.env, s.wrap = []string{"DOCKER_HOST=" + p.host()}, asNobody
		s.mustRefuse(refused, nil, "permission", p.socket, "usermod")
	})
	t.Run("old", func(t *testing.T) {
		s := newStack(t)
		socket := filepath.Join(openFolder(t), "docker.sock")
		listener, err := net.Listen("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		old := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Api-Version", "1.39")
			if strings.HasSuffix(r.URL.Path, "/version") {
				w.Header().Set("Content-Type", "application/json")
				_, _ = fmt.Fprint(w, `{"Version": "18.09.9", "ApiVersion": "1.39"}`) // the client may be gone
				return
			}
			_, _ = fmt.Fprint(w, "OK") // as above
		})}
		go func() { _ = old.Serve(listener) }() // until Close
		t.Cleanup(func() { _ = old.Close() })   // nothing to lose
		s.env = []string{"DOCKER_HOST=unix://" + socket}
		s.mustRefuse(refused, nil, "18.09.9", "1.39", "20.10")
	})
}

// TestRefusesBusyPorts finds ports that were asked for in other hands.
func TestRefusesBusyPorts(t *testing.T) {
	t.Run("process", func(t *testing.T) {
		s := newStack(t)
		hold(t, s.ports.server)
		s.mustRefuse(refused, nil, strconv.Itoa(s.ports.server), fmt.Sprintf("process %d", os.Getpid()), "--server-port")
	})
	t.Run("container", func(t *testing.T) {
		s := newStack(t)
		holder := runContainer(t, "mtsrus/syncmaster-ui:0.3.2", s.ports.ui, 3000)
		s.mustRefuse(refused, nil, strconv.Itoa(s.ports.ui), "container "+holder, "--ui-port")
	})
	t.Run("several at once", func(t *testing.T) {
		s := newStack(t)
		hold(t, s.ports.server)
		hold(t, s.ports.db)
		write(t, filepath.Join(s.dir, ".env"), "A=1\n")
		s.mustRefuse(refused, nil, "--server-port", "--db-port", ".env exists")
	})
}

// TestBusyDefaultPortMoves takes the next free port where the default is held, and says so.
func TestBusyDefaultPortMoves(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	if listener, err := net.Listen("tcp", "127.0.0.1:8000"); err == nil { // otherwise somebody else holds it
		t.Cleanup(func() { _ = listener.Close() }) // nothing was sent
	}
	cmd := program("init", "--dir", s.dir, "--project-name", s.project, "--registry", "syncmaster-kit.localhost", "--profile", "server",
		"--db-port", strconv.Itoa(s.ports.db), "--broker-port", strconv.Itoa(s.ports.broker))
	got := finish(t, cmd).is(t, 0).says(t, "port 8000 is held by")
	var err error
	if s.ports.server, err = strconv.Atoi(s.setting(".env", "SERVER_PORT")); err != nil || s.ports.server <= 8000 {
		t.Fatalf("SERVER_PORT is %d, %v", s.ports.server, err)
	}
	got.says(t, fmt.Sprintf("the server gets %d", s.ports.server), fmt.Sprintf("http://localhost:%d", s.ports.server))
	s.mustBeHealthy("db", "rabbitmq", "server")
	if bound := s.container("server").HostConfig.PortBindings; len(bound) != 1 {
		t.Errorf("the server is published on %v", bound)
	}
}

// TestRefusesFolder has a folder that init may not use.
func TestRefusesFolder(t *testing.T) {
	t.Run("read-only for this user", func(t *testing.T) {
		s := newStack(t)
		if err := os.Chmod(filepath.Dir(s.dir), 0o555); err != nil {
			t.Fatal(err)
		}
		s.env, s.wrap = []string{"DOCKER_HOST=" + newProxy(t).host()}, asNobody
		s.mustRefuse(refused, nil, filepath.Dir(s.dir), "permission denied", "--dir")
	})
	t.Run("read-only file system", func(t *testing.T) {
		s := newStack(t)
		parent := filepath.Dir(s.dir)
		s.isolate(fmt.Sprintf("mount --bind %[1]s %[1]s\nmount -o remount,ro,bind %[1]s", parent))
		s.mustRefuse(refused, nil, parent, "read-only file system", "--dir")
	})
	t.Run("full", func(t *testing.T) {
		s := newStack(t)
		parent := filepath.Dir(s.dir)
		s.isolate(fmt.Sprintf("mount -t tmpfs -o size=64k tmpfs %[1]s\nhead -c 1m /dev/zero > %[1]s/filler 2>/dev/null || true", parent))
		s.mustRefuse(refused, nil, s.dir)
	})
	t.Run("almost full", func(t *testing.T) {
		s := newStack(t)
		s.isolate("mount -t tmpfs -o size=2m tmpfs " + filepath.Dir(s.dir))
		s.mustRefuse(refused, nil, s.dir, "free")
	})
	t.Run("is a file", func(t *testing.T) {
		s := newStack(t)
		write(t, s.dir, "here")
		s.mustRefuse(refused, nil, s.dir)
	})
	for _, name := range []string{"docker-compose.yml", ".env", ".env.docker"} {
		t.Run("foreign "+name, func(t *testing.T) {
			s := newStack(t)
			write(t, filepath.Join(s.dir, name), "")
			s.mustRefuse(refused, nil, name, "was not written by syncmaster-setup", "--dir")
		})
	}
	t.Run("key without state", func(t *testing.T) {
		s := newStack(t)
		write(t, filepath.Join(s.dir, ".env.docker"), "SYNCMASTER__ENCRYPTION__SECRET_KEY=UBgPTioFrtH2unlC4XFDiGf5sYfzbdSf_VgiUSaQc94=\n")
		s.mustRefuse(refused, nil, "holds an encryption key", "--set SYNCMASTER__ENCRYPTION__SECRET_KEY")
	})
	t.Run("half-written state", func(t *testing.T) {
		s := newStack(t)
		write(t, s.stateFile(), `{"format": 1, "phase": "inst`)
		s.mustRefuse(refused, nil, s.stateFile(), "backup")
	})
	t.Run("incomplete state", func(t *testing.T) {
		s := newStack(t)
		write(t, s.stateFile(), `{}`)
		s.mustRefuse(refused, nil, s.stateFile(), "backup")
	})
	t.Run("newer state", func(t *testing.T) {
		s := newStack(t)
		write(t, s.stateFile(), `{"format": 99, "phase": "installed", "version": "0.9.0", "project": "x"}`)
		s.mustRefuse(refused, nil, s.stateFile(), "newer")
	})
	t.Run("override that Compose refuses", func(t *testing.T) {
		s := newStack(t)
		write(t, filepath.Join(s.dir, "docker-compose.override.yml"), "services:\n  server:\n    no_such_key: 1\n")
		s.mustRefuse(refused, nil, "no_such_key", "docker-compose.override.yml")
	})
	t.Run("override that is no YAML", func(t *testing.T) {
		s := newStack(t)
		write(t, filepath.Join(s.dir, "docker-compose.override.yml"), "services: [\n")
		s.mustRefuse(refused, nil, "docker-compose.override.yml")
	})
}

// TestRefusesOtherRelease does not change the release of an install.
func TestRefusesOtherRelease(t *testing.T) {
	s := newStack(t)
	finish(t, program(append([]string{"render"}, s.args("--version", "0.3.1")[1:]...)...)).is(t, 0)
	s.mustRefuse(refused, []string{"--version", "0.3.2"}, "0.3.1", "0.3.2")
	s.mustRefuse(refused, []string{"--version", "0.2.5"}, "0.3.1", "0.2.5")
	s.mustRefuse(refused, []string{"--project-name", s.project + "-b"}, s.project, "--project-name")
}

// TestRefusesData finds data of an earlier install whose secrets are elsewhere.
func TestRefusesData(t *testing.T) {
	for _, volume := range []string{"postgres_data", "rabbitmq_data"} {
		t.Run(volume, func(t *testing.T) {
			s := newStack(t)
			name := s.project + "_" + volume
			if _, err := docker.VolumeCreate(t.Context(), client.VolumeCreateOptions{Name: name}); err != nil {
				t.Fatal(err)
			}
			s.mustRefuse(refused, nil, name, "earlier install", "--project-name")
		})
	}
}

// TestRefusesProjectOfAnotherFolder keeps two folders from sharing containers.
func TestRefusesProjectOfAnotherFolder(t *testing.T) {
	t.Parallel()
	first := newStack(t)
	first.init("--profile", "scheduler").is(t, 0)
	second := newStack(t)
	second.project = first.project
	second.mustRefuse(refused, nil, first.project, first.dir, "--project-name")
	first.mustBeHealthy("db", "rabbitmq", "scheduler")
}

// TestRefusesImages has images that are not there, or for another machine.
func TestRefusesImages(t *testing.T) {
	t.Run("not pullable", func(t *testing.T) {
		s := newStack(t)
		s.mustRefuse(refused, []string{"--registry", fmt.Sprintf("127.0.0.1:%d", freePort(t))}, "connection refused", "mtsrus/syncmaster-server:0.3.2", "--registry")
	})
	t.Run("another architecture", func(t *testing.T) {
		s := newStack(t)
		s.mustRefuse(refused, []string{"--platform", "linux/arm64"}, "mtsrus/syncmaster-server:0.3.2", "linux/arm64", "docker image rm")
	})
}

// TestRefusesFullEngine has no space for images and data. The engine itself keeps its disk.
func TestRefusesFullEngine(t *testing.T) {
	s := newStack(t)
	info, err := docker.Info(t.Context(), client.InfoOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.isolate("mount -t tmpfs -o size=16m tmpfs " + info.Info.DockerRootDir)
	s.mustRefuse(refused, nil, info.Info.DockerRootDir, "free", "docker image prune")
}

// isolate runs the program in mounts of its own.
func (s *stack) isolate(script string) { s.wrap = inMountNamespace(script) }

func (s *stack) stateFile() string { return filepath.Join(s.dir, ".syncmaster-setup", "state.json") }

// hold listens on a port of this host for the time of the test.
func hold(t *testing.T, port int) {
	t.Helper()
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() }) // nothing was sent
}
