package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"syncmaster-setup/internal/engine"
	"syncmaster-setup/internal/fault"
)

func TestHost(t *testing.T) {
	e := connect(t)
	host, err := e.Host(t.Context())
	must(t, err)
	if host.Version == "" || host.APIVersion < "1.4" || host.OS != "linux" || host.CPUs < 1 || host.Memory < 1<<20 ||
		host.RootDir == "" || host.StorageDriver == "" || !host.Local {
		t.Errorf("%+v", host)
	}
	if host.Arch != runtime.GOARCH {
		t.Errorf("architecture %s, this machine has %s", host.Arch, runtime.GOARCH)
	}
}

func TestProxyVariablesOfTheDockerClient(t *testing.T) {
	clientConfig(t, `{"proxies":{"default":{"httpProxy":"http://user:password@proxy.invalid","noProxy":"db,.local"}}}`)
	e := connect(t)
	host, err := e.Host(t.Context())
	must(t, err)
	want := []string{"HTTP_PROXY", "http_proxy"}
	if !slices.Equal(host.ProxyVariables, want) || host.NoProxy != "db,.local,db,.local" {
		t.Errorf("%+v, want the variables %v", host, want)
	}
	if strings.Contains(fmt.Sprintf("%+v", host), "password") {
		t.Error("the proxy's password is in what the host says")
	}
}

func TestRefusedConnections(t *testing.T) {
	dir := t.TempDir()
	closed := filepath.Join(dir, "closed.sock")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: closed, Net: "unix"})
	must(t, err)
	listener.SetUnlinkOnClose(false)
	must(t, listener.Close())
	tests := []struct {
		name, host string
		is         error
		text, hint string
	}{
		{"no socket", "unix://" + filepath.Join(dir, "absent.sock"), engine.ErrNoEngine, "there is no socket", "install"},
		{"nobody listens", "unix://" + closed, engine.ErrNoEngine, "nothing listens", "systemctl start docker"},
		{"old engine", serveUnix(t, dir, "old", answer("1.40", `{"Version":"19.03.15"}`)), engine.ErrOldEngine, "Docker Engine 19.03.15", "20.10"},
		{"not an engine", serveUnix(t, dir, "other", answer("", "")), engine.ErrNoEngine, "not as a Docker Engine", "DOCKER_HOST"},
		{"remote, refused", "tcp://" + freeAddress(t), engine.ErrNoEngine, "remote engine", "DOCKER_HOST"},
		{"remote, TLS", "tcp://" + tlsServer(t), engine.ErrNoEngine, "securing", "DOCKER_TLS_VERIFY"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := engine.New(t.Context(), engine.Options{Host: tt.host})
			if !errors.Is(err, tt.is) || fault.CodeOf(err) != fault.Refused {
				t.Fatalf("error %v with code %d, want %v, refused", err, fault.CodeOf(err), tt.is)
			}
			if !strings.Contains(err.Error(), tt.text) || !strings.Contains(fault.HintOf(err), tt.hint) {
				t.Errorf("error %q, hint %q, want %q and %q", err, fault.HintOf(err), tt.text, tt.hint)
			}
		})
	}
}

func TestUnknownContextIsRefused(t *testing.T) {
	t.Setenv("DOCKER_HOST", "")
	t.Setenv("DOCKER_CONTEXT", "smeng-absent")
	if _, err := engine.New(t.Context(), engine.Options{}); fault.CodeOf(err) != fault.Refused || !strings.Contains(err.Error(), "smeng-absent") {
		t.Errorf("error %v, want a refusal that names the context", err)
	}
}

func TestHangingEngineEndsWithTheContext(t *testing.T) {
	release := make(chan struct{})
	host := serveUnix(t, t.TempDir(), "hang", func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := engine.New(ctx, engine.Options{Host: host}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want the deadline", err)
	}
}

// TestNoPermission runs this test's binary as a user who may not open the socket.
func TestNoPermission(t *testing.T) {
	dir, err := os.MkdirTemp("", "smeng")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	socket := filepath.Join(dir, "private.sock")
	listener, err := net.Listen("unix", socket)
	must(t, err)
	defer func() { _ = listener.Close() }()
	must(t, os.Chmod(socket, 0))
	binary := filepath.Join(dir, "child")
	copyFile(t, os.Args[0], binary)

	child := exec.CommandContext(t.Context(), binary)
	child.Dir = dir
	child.Env = []string{childHost + "=unix://" + socket, "HOME=" + dir}
	asNobody(child)
	out, err := child.CombinedOutput()
	must(t, err)
	text := string(out)
	if !strings.Contains(text, "permission denied") || !strings.Contains(text, "usermod -aG docker") || !strings.HasSuffix(text, fmt.Sprintf("%d\n", fault.Refused)) {
		t.Errorf("the other user reads:\n%s", text)
	}
}

// answer speaks just enough of the Engine API to be asked for its version.
func answer(apiVersion, version string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if apiVersion != "" {
			w.Header().Set("Api-Version", apiVersion)
		}
		if strings.HasSuffix(r.URL.Path, "/version") {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, version)
		}
	}
}

func serveUnix(t *testing.T, dir, name string, handler http.HandlerFunc) (host string) {
	t.Helper()
	socket := filepath.Join(dir, name+".sock")
	listener, err := net.Listen("unix", socket)
	must(t, err)
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return "unix://" + socket
}

func tlsServer(t *testing.T) (address string) {
	t.Helper()
	server := httptest.NewUnstartedServer(answer("1.41", "{}"))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(to, content, 0o755))
}

// clientConfig is the docker client's config.json for the rest of the test.
func clientConfig(t *testing.T, content string) {
	t.Helper()
	dir := os.Getenv("DOCKER_CONFIG")
	must(t, os.MkdirAll(dir, 0o700))
	write(t, filepath.Join(dir, "config.json"), content)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
}
