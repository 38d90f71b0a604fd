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
	"regexp"
	"strconv"
	"testing"
)

// TestRefusesLittleMemory stands between the program and the real engine, and tells of a smaller machine.
func TestRefusesLittleMemory(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.env = []string{"DOCKER_HOST=" + engineThatSays(t, "MemTotal", 512<<20)}
	s.mustRefuse(refused, nil, "the engine has 512.0 MiB of memory, SyncMaster needs at least 1.0 GiB")
}

// engineThatSays returns the address where the real engine answers, but for one word about its host.
func engineThatSays(t *testing.T, name string, value any) string {
	t.Helper()
	return engineBehind(t, "/info", func(body []byte) ([]byte, error) {
		info := map[string]any{}
		if err := json.Unmarshal(body, &info); err != nil {
			return nil, err
		}
		info[name] = value
		return json.Marshal(info)
	})
}

// engineBehind returns the address where the real engine answers, but for a change of what it says to requests of a kind.
func engineBehind(t *testing.T, request string, change func(body []byte) ([]byte, error)) string {
	t.Helper()
	front := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "engine"})
	front.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", engineSocket())
	}}
	asked := regexp.MustCompile(request + "$")
	front.ModifyResponse = func(r *http.Response) error {
		if !asked.MatchString(r.Request.URL.Path) {
			return nil
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		if body, err = change(body); err != nil {
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
	return "unix://" + socket
}
