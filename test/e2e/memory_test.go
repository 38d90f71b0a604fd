package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/moby/client"
)

// TestRefusesLittleMemory stands between the program and the real engine, and tells of a smaller machine.
func TestRefusesLittleMemory(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.env = []string{"DOCKER_HOST=unix://" + smallEngine(t, 512<<20)}
	s.mustRefuse(refused, nil, "the engine has 512.0 MiB of memory, SyncMaster needs at least 1.0 GiB")
}

// smallEngine returns a socket where the real engine answers, but for the size of its memory.
func smallEngine(t *testing.T, memory int64) string {
	t.Helper()
	engine := strings.TrimPrefix(docker.DaemonHost(), "unix://")
	if engine == docker.DaemonHost() {
		engine = strings.TrimPrefix(client.DefaultDockerHost, "unix://")
	}
	front := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "engine"})
	front.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", engine)
	}}
	front.ModifyResponse = func(r *http.Response) error {
		if !strings.HasSuffix(r.Request.URL.Path, "/info") {
			return nil
		}
		info := map[string]any{}
		if err := json.NewDecoder(r.Body).Decode(&info); err != nil {
			return err
		}
		info["MemTotal"] = memory
		body, err := json.Marshal(info)
		if err != nil {
			return err
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Length", strconv.Itoa(len(body)))
		return nil
	}
	socket := filepath.Join(openFolder(t), "docker.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: front}
	t.Cleanup(func() { _ = server.Close() }) // its connections end with the test
	go func() { _ = server.Serve(listener) }()
	return socket
}
