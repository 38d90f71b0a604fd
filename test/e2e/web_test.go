package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// ask sends a request and returns the answer's status, header and body.
func ask(t *testing.T, method, address string, header map[string]string, body string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }() // only read
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(text)
}

// get asks a published port of the stack.
func (s *stack) get(port int, path string) (int, string) {
	s.t.Helper()
	status, _, body := ask(s.t, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", port, path), nil, "")
	return status, body
}

// login returns the header of a user who has logged in by the dummy provider.
func (s *stack) login(name string) map[string]string {
	s.t.Helper()
	form := url.Values{"username": {name}, "password": {"any"}}.Encode()
	status, _, body := ask(s.t, http.MethodPost, s.api("/v1/auth/token"), map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, form)
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if status != http.StatusOK || json.Unmarshal([]byte(body), &token) != nil || token.AccessToken == "" {
		s.t.Fatalf("login answers %d %s", status, body)
	}
	return map[string]string{"Authorization": "Bearer " + token.AccessToken, "Content-Type": "application/json"}
}

// call sends a request to the API and reads its answer.
func (s *stack) call(method, path string, header map[string]string, body string, into any) {
	s.t.Helper()
	status, _, text := ask(s.t, method, s.api(path), header, body)
	if status != http.StatusOK {
		s.t.Fatalf("%s %s answers %d %s", method, path, status, text)
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		s.t.Fatalf("%s %s answers %s: %v", method, path, text, err)
	}
}

func (s *stack) api(path string) string {
	return fmt.Sprintf("http://127.0.0.1:%d%s", s.ports.server, path)
}
