package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"syncmaster-setup/test/kit/facts"
)

func TestEveryLineOfTheSettingsTableIsARule(t *testing.T) {
	lines := 0
	for line := range strings.Lines(settingsTable) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		lines++
		if n := strings.Count(line, " | "); n != 6 {
			t.Errorf("%d separators in %s", n, line)
		}
	}
	oldest, newest := facts.Releases[0], facts.Releases[len(facts.Releases)-1]
	if a, b := len(rulesOf(oldest, facts.Server)), len(rulesOf(newest, facts.Server)); lines < 80 || a < 40 || b < 40 {
		t.Errorf("%d lines, %d and %d rules of a server", lines, a, b)
	}
}

func TestEnvironmentBeatsTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yml")
	const text = "database: {url: from file}\nbroker: {url: from file}\nworker: {}\nencryption: {secret_key: k}\nscheduler: {misfire_grace_time_seconds: 7}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SYNCMASTER_CONFIG_FILE", file)
	t.Setenv("syncmaster__database__URL", "from environment")
	t.Setenv(facts.ReleaseVariable, "0.3.2")
	release, _ := facts.Find("0.3.2")
	s, err := loadSettings(release, facts.Worker)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.text("", "database", "url") + ", " + s.text("", "broker", "url"); got != "from environment, from file" {
		t.Error(got)
	}
	if got := s.text("300", "scheduler", "MISFIRE_GRACE_TIME_SECONDS"); got != "300" {
		t.Errorf("a lower-case scheduler key of the file has an effect: %s", got)
	}
	old, _ := facts.Find("0.2.5")
	if _, err := loadSettings(old, facts.Worker); err == nil || !strings.Contains(err.Error(), "broker.url") {
		t.Errorf("0.2.5 reads the file: %v", err)
	}
}

func TestInterpolation(t *testing.T) {
	for in, want := range map[string]string{"a": "a", "a%%40b": "a%40b", "a%40b": "", "%": ""} {
		got, err := interpolate(in)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

func TestWorkerOptions(t *testing.T) {
	o, err := workerOptions(strings.Fields("--max-tasks-per-child=1 --loglevel=info -Q a,b --concurrency 3 -E"))
	if err != nil || !slices.Equal(o.queues, []string{"a", "b"}) || o.concurrency != 3 {
		t.Errorf("%+v, %v", o, err)
	}
	for _, line := range []string{"worker", "--no-such", "-Q", "--concurrency=x", "-l loud"} {
		if _, err := workerOptions(strings.Fields(line)); err == nil {
			t.Errorf("%s is accepted", line)
		}
	}
}

func TestShellLine(t *testing.T) {
	release := facts.Releases[0]
	for line, want := range map[string]int{
		"true": 0, "false || exit 3": 3, "true || exit 3": 0, "false && exit 4; true": 0, "exit '5'": 5, "nonsense": 127,
	} {
		if got := shell(release, []string{"-c", line}); got != want {
			t.Errorf("%s: %d, want %d", line, got, want)
		}
	}
}

func TestTokens(t *testing.T) {
	now := time.Unix(1000, 0)
	token := signToken("secret", "name", 1001)
	if name, ok := openToken("secret", token, now); !ok || name != "name" {
		t.Error("a good token is refused")
	}
	for _, bad := range []string{"", "a.b.c", token + "x", signToken("other", "name", 1001), signToken("secret", "name", 999)} {
		if _, ok := openToken("secret", bad, now); ok {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestCORSFollowsTheSettings(t *testing.T) {
	cors := map[string]any{"allow_origins": `["http://ui"]`, "allow_methods": `["*"]`, "allow_headers": `["*"]`, "allow_credentials": "True"}
	s := settings{tree: map[string]any{"server": map[string]any{"cors": cors}}}
	for origin, want := range map[string]int{"http://ui": http.StatusOK, "http://other": http.StatusBadRequest} {
		r := httptest.NewRequest(http.MethodOptions, "/v1/connections", nil)
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Method", "PUT")
		w := httptest.NewRecorder()
		newAPI(s, "").ServeHTTP(w, r)
		if w.Code != want || (w.Header().Get("Access-Control-Allow-Origin") == origin) != (want == http.StatusOK) {
			t.Errorf("%s: %d %v", origin, w.Code, w.Header())
		}
	}
}
