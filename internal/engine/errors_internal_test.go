package engine

import (
	"context"
	"errors"
	"testing"

	"github.com/moby/moby/api/types/jsonstream"

	"syncmaster-setup/internal/fault"
)

func TestDaemonError(t *testing.T) {
	tests := []struct {
		daemon string
		kind   error
		want   string
	}{
		{
			"driver failed programming external connectivity on endpoint x: Bind for 127.0.0.1:5432 failed: port is already allocated",
			ErrPortInUse, "starting db: 127.0.0.1:5432 is in use: ",
		},
		{
			"Error starting userland proxy: listen tcp4 0.0.0.0:8000: bind: address already in use",
			ErrPortInUse, "starting db: 0.0.0.0:8000 is in use: ",
		},
		{
			"failed to bind host port for 127.0.0.1:8000:172.18.0.2:8000/tcp: address already in use",
			ErrPortInUse, "starting db: 127.0.0.1:8000 is in use: ",
		},
		{"failed to bind host port 127.0.0.1:8000/tcp: address already in use", ErrPortInUse, "starting db: 127.0.0.1:8000 is in use: "},
		{"listen tcp6 [::1]:80: bind: address already in use", ErrPortInUse, "starting db: [::1]:80 is in use: "},
		{"write /var/lib/docker/tmp/x: no space left on device", ErrNoSpace, "starting db: "},
		{"write /var/lib/docker/tmp/x: disk quota exceeded", ErrNoSpace, "starting db: "},
		{"No such image: postgres:17", ErrNoImage, "starting db: "},
		{"No such container: abc", ErrNoContainer, "starting db: "},
		{"Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?", ErrNoEngine, "starting db: "},
	}
	for _, tt := range tests {
		err := daemonError(errors.New(tt.daemon), "starting %s", "db")
		if !errors.Is(err, tt.kind) || fault.HintOf(err) == "" || fault.CodeOf(err) != fault.Failed || err.Error() != tt.want+tt.daemon {
			t.Errorf("%q: %q (kind %v), hint %q", tt.daemon, err, tt.kind, fault.HintOf(err))
		}
	}
	if err := daemonError(errors.New("strange"), "starting db"); err.Error() != "starting db: strange" || fault.HintOf(err) != "" {
		t.Errorf("an unknown failure: %q, hint %q", err, fault.HintOf(err))
	}
	if daemonError(nil, "starting db") != nil {
		t.Error("no failure is an error")
	}
	if err := daemonError(context.Canceled, "starting db"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v hides its cause", err)
	}
}

func TestRegistryError(t *testing.T) {
	tests := map[string]error{
		"manifest for x:1 not found: manifest unknown: manifest unknown":                                                                ErrNoImage,
		"pull access denied for x, repository does not exist or may require 'docker login'":                                             ErrUnauthorized,
		`Head "https://r/v2/x/manifests/1": unauthorized: authentication required`:                                                      ErrUnauthorized,
		"no matching manifest for linux/arm64/v8 in the manifest list entries":                                                          ErrPlatform,
		"image with reference x was found but does not match the specified platform: wanted linux/arm64, actual: linux/amd64":           ErrPlatform,
		`Get "https://r/v2/": dial tcp: lookup r: no such host`:                                                                         ErrRegistryUnreachable,
		`Get "https://r/v2/": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)`: ErrRegistryUnreachable,
		"unexpected EOF":                 ErrRegistryUnreachable,
		"read: connection reset by peer": ErrRegistryUnreachable,
		"received unexpected HTTP status: 503 Service Unavailable": ErrRegistryUnreachable,
		"write /x: no space left on device":                        ErrNoSpace,
	}
	for text, kind := range tests {
		if err := registryError(errors.New(text), "pulling image %s", "x:1"); !errors.Is(err, kind) || fault.HintOf(err) == "" {
			t.Errorf("%q: %v, want kind %v with a hint", text, err, kind)
		}
	}
}

func TestOlderAPI(t *testing.T) {
	for version, want := range map[string]bool{
		"1.40": true, "1.9": true, "0.99": true, "": true, "x": true, "1": true, "1.41": false, "1.56": false, "2.0": false, "1.100": false,
	} {
		if got := olderAPI(version, MinAPIVersion); got != want {
			t.Errorf("olderAPI(%q) = %v", version, got)
		}
	}
}

func TestBelongs(t *testing.T) {
	tests := []struct {
		project, owner, name string
		want                 bool
	}{
		{"a", "a", "anything", true},
		{"a", "", "a_data", true},
		{"a", "", "a_b_data", true},
		{"a", "a_b", "a_b_data", false},
		{"a", "other", "a_data", true},
		{"a", "", "ab_data", false},
		{"a", "other", "other_data", false},
	}
	for _, tt := range tests {
		if got := belongs(tt.project, tt.owner, tt.name); got != tt.want {
			t.Errorf("belongs(%q, %q, %q) = %v", tt.project, tt.owner, tt.name, got)
		}
	}
}

func TestHealthCommand(t *testing.T) {
	shell := []string{"/bin/bash", "-c"}
	tests := []struct{ test, want []string }{
		{nil, nil},
		{[]string{"NONE"}, nil},
		{[]string{"CMD", "pg_isready", "-q"}, []string{"pg_isready", "-q"}},
		{[]string{"CMD-SHELL", "a | b"}, []string{"/bin/bash", "-c", "a | b"}},
		{[]string{"OTHER", "x"}, nil},
	}
	for _, tt := range tests {
		got := healthCommand(tt.test, shell)
		if len(got) != len(tt.want) {
			t.Errorf("%v gives %v", tt.test, got)
			continue
		}
		for i := range got {
			if got[i] != tt.want[i] {
				t.Errorf("%v gives %v", tt.test, got)
			}
		}
	}
}

func TestMeterAddsUp(t *testing.T) {
	var last PullProgress
	m := newMeter(func(p PullProgress) { last = p })
	say := func(ref, id, status string, current, total int64) {
		m.message(ref, jsonstream.Message{ID: id, Status: status, Progress: &jsonstream.Progress{Current: current, Total: total}})
	}
	check := func(want PullProgress) {
		t.Helper()
		if last != want {
			t.Errorf("reported %+v, want %+v", last, want)
		}
	}
	say("a", "1", "Downloading", 10, 100)
	check(PullProgress{"a", PhaseDownloading, 10, 100, 10, 100})
	say("a", "2", "Downloading", 5, -1)
	check(PullProgress{"a", PhaseDownloading, 15, 105, 15, 105})
	say("b", "1", "Downloading", 50, 100)
	check(PullProgress{"b", PhaseDownloading, 50, 100, 65, 205})
	say("a", "1", "Download complete", 0, 0)
	check(PullProgress{"a", PhaseDownloading, 105, 105, 155, 205})
	say("a", "3", "Already exists", 0, 0)
	check(PullProgress{"a", PhaseDownloading, 105, 105, 155, 205})
	say("a", "1", "Extracting", 1, 100)
	check(PullProgress{"a", PhaseExtracting, 105, 105, 155, 205})
	say("b", "1", "Extracting", 1, 100)
	check(PullProgress{"b", PhaseDownloading, 50, 100, 155, 205})
	m.phase("b", PhaseRetrying)
	check(PullProgress{"b", PhaseRetrying, 50, 100, 155, 205})
	m.done("b")
	check(PullProgress{"b", PhaseDone, 100, 100, 205, 205})
}

func TestTailKeepsTheEnd(t *testing.T) {
	var out tail
	for range 10000 {
		if n, err := out.Write([]byte("0123456789abcdefghijklmnopqrstuvwxyz")); n != 36 || err != nil {
			t.Fatal(n, err)
		}
	}
	if got := out.String(); len(got) != tailBytes || got[len(got)-1] != 'z' {
		t.Errorf("%d bytes kept, end %q", len(got), got[len(got)-1])
	}
	if out.buf.Len() > 3*tailBytes {
		t.Errorf("%d bytes held", out.buf.Len())
	}
}
