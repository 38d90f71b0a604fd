package probe_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"syncmaster-setup/internal/probe"
)

func TestHTTP(t *testing.T) {
	hang := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"status":"ok"}`)) })
	mux.HandleFunc("/failing", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/ok", http.StatusFound) })
	mux.HandleFunc("/hanging", func(http.ResponseWriter, *http.Request) { <-hang })
	server := httptest.NewServer(mux)
	defer server.Close()
	defer close(hang)
	status := func(body []byte) error {
		if string(body) != `{"status":"ok"}` {
			return errors.New("not the server's answer")
		}
		return nil
	}
	tests := []struct {
		path string
		body func([]byte) error
		want string
	}{
		{"/ok", nil, ""},
		{"/ok", status, ""},
		{"/ok", func([]byte) error { return errors.New("another program") }, "another program"},
		{"/failing", nil, "status 503"},
		{"/moved", nil, "status 302"},
		{"/absent", nil, "status 404"},
		{"/hanging", nil, "deadline exceeded"},
	}
	for _, tt := range tests {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		err := probe.HTTP(server.URL+tt.path, tt.body)(ctx)
		cancel()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.path, err, tt.want)
		}
	}
}

func TestHTTPWaitsForAServerThatStarts(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	started := make(chan *http.Server, 1)
	time.AfterFunc(300*time.Millisecond, func() {
		late, err := net.Listen("tcp", address)
		if err != nil {
			close(started)
			return
		}
		server := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Second}
		server.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
		started <- server
		_ = server.Serve(late)
	})
	if err := probe.Wait(t.Context(), probe.Options{What: "the server", Limit: 20 * time.Second}, probe.HTTP("http://"+address, nil)); err != nil {
		t.Error(err)
	}
	if server := <-started; server != nil {
		_ = server.Close()
	}
}

// TestHTTPUsesNoProxy: Go never sends requests for loopback addresses to a proxy, so the address is another one that
// nobody has; with the proxy the answer would be 200.
func TestHTTPUsesNoProxy(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer proxy.Close()
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if err := probe.HTTP("http://syncmaster.invalid/", nil)(ctx); err == nil {
		t.Error("the request went through the proxy")
	}
}

func TestHTTPRefusesABadAddress(t *testing.T) {
	err := probe.Wait(t.Context(), probe.Options{What: "it", Limit: time.Minute}, probe.HTTP("http://bad host/", nil))
	if err == nil || errors.Is(err, probe.ErrGaveUp) {
		t.Errorf("error %v, want an immediate one", err)
	}
}
