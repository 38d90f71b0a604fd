package setup

import (
	"slices"
	"testing"
	"time"

	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/stack"
)

func TestParseActive(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		ids  []int64
		ok   bool
	}{
		"by place":            {`{"worker@a": [{"id": "x", "args": [7], "kwargs": {}}]}`, []int64{7}, true},
		"by name":             {`{"worker@a": [{"args": [], "kwargs": {"run_id": 8}}]}`, []int64{8}, true},
		"idle":                {`{"worker@a": []}`, nil, true},
		"idle, null":          {`{"worker@a": null}`, nil, true},
		"several workers":     {`{"worker@b": [{"args": [9]}, {"args": [3]}], "worker@a": [{"args": [3]}], "worker@c": []}`, []int64{3, 9}, true},
		"other arguments":     {`{"worker@a": [{"args": ["x", null, 1.5, true, {"a": 1}, 4], "kwargs": {"b": null}}]}`, []int64{4}, true},
		"no arguments":        {`{"worker@a": [{"id": "x"}]}`, nil, true},
		"warnings before":     {"/app/x.py:3: DeprecationWarning: {old} is gone\n  warn({1})\n{\"worker@a\": [{\"args\": [7]}]}\n", []int64{7}, true},
		"text behind":         {"{\"worker@a\": [{\"args\": [7]}]}\n1 node online.\n", []int64{7}, true},
		"over several lines":  {"{\n  \"worker@a\": [\n    {\"args\": [7]}\n  ]\n}\n", []int64{7}, true},
		"no worker":           {`{}`, nil, false},
		"null":                {`null`, nil, false},
		"nothing":             {``, nil, false},
		"nonsense":            {"Error: No nodes replied within time constraint\n", nil, false},
		"cut off":             {`{"worker@a": [{"args": [7]`, nil, false},
		"tasks in words":      {`{"worker@a": "busy"}`, nil, false},
		"arguments in words":  {`{"worker@a": [{"args": "(7,)"}]}`, nil, false},
		"an answer in a list": {`[{"worker@a": []}]`, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			ids, ok := parseActive([]byte(tc.text))
			if !slices.Equal(ids, tc.ids) || ok != tc.ok {
				t.Errorf("got %v, %v; want %v, %v", ids, ok, tc.ids, tc.ok)
			}
		})
	}
}

func TestDescribeATransfer(t *testing.T) {
	now := time.Unix(1e9, 0)
	for want, transfer := range map[string]Transfer{
		`run 7 of "nightly \"x\"" since 1m30s`: {Run: 7, Name: `nightly "x"`, Started: now.Add(-90 * time.Second)},
		`run 7`:                                {Run: 7, Started: now},
	} {
		if got := transfer.describe(now); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestStopLimit: nothing may run on 0.2.x when its worker is told to stop, and what has begun at the last moment on 0.3.x
// is given time.
func TestStopLimit(t *testing.T) {
	for name, tc := range map[string]struct {
		release string
		idle    bool
		waited  time.Duration
		want    time.Duration
	}{
		"idle, 0.2.x":           {"0.2.5", true, time.Minute, cutAfter},
		"idle, 0.3.x":           {"0.3.0", true, time.Minute, 9 * time.Minute},
		"idle at the last look": {"0.3.0", true, 10 * time.Minute, cutAfter},
		"cut, 0.3.x":            {"0.3.0", false, 0, cutAfter},
	} {
		t.Run(name, func(t *testing.T) {
			m := &move{ticket: ticket{Drain: 10 * time.Minute}, run: &run{}}
			var err error
			if m.release, err = release.Lookup(tc.release); err != nil {
				t.Fatal(err)
			}
			if got := m.stopLimit(tc.idle, tc.waited); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

// TestSettle: what has ended while its worker stopped was not cut, and what had begun at the last moment was.
func TestSettle(t *testing.T) {
	tk := ticket{Cut: []Transfer{{Run: 1}, {Run: 2}, {Run: 7}}, Stranded: []Transfer{{Run: 3}, {Run: 4}}}
	tk.settle([]Run{{ID: 2, Queue: "1-etl", Transfer: "b"}, {ID: 4, Queue: "1-etl"}, {ID: 5, Queue: "1-etl"}, {ID: 6, Queue: "elsewhere"}, {ID: 7, Queue: "elsewhere"}}, []string{"1-etl"})
	numbers := func(list []Transfer) (ids []int64) {
		for _, c := range list {
			ids = append(ids, c.Run)
		}
		return ids
	}
	if cut, stranded := numbers(tk.Cut), numbers(tk.Stranded); !slices.Equal(cut, []int64{2, 5, 7}) || !slices.Equal(stranded, []int64{4}) || tk.Cut[0].Name != "b" {
		t.Errorf("cut are %v, stranded %v", tk.Cut, tk.Stranded)
	}
}

// TestBeyondUs finds services of the user's own that run SyncMaster.
func TestBeyondUs(t *testing.T) {
	seen := stack.Observed{}
	for service, image := range map[string]string{
		"worker": "mtsrus/syncmaster-worker:0.3.2", "db-migrations": "mtsrus/syncmaster-server:0.3.2", "db": "syncmaster-kit.localhost/postgres:17",
		"tool": "example.com/syncmaster-tools/pgadmin:1", "worker-2": "registry:5000/x/syncmaster-worker:0.3.2",
	} {
		seen.Containers = append(seen.Containers, stack.Container{Service: service, Image: image, State: "running"})
	}
	seen.Containers = append(seen.Containers, stack.Container{Service: "worker-3", Image: "mtsrus/syncmaster-worker:0.3.2", State: "exited"})
	if got := beyondUs(seen); !slices.Equal(got, []string{"worker-2"}) {
		t.Errorf("got %v", got)
	}
}
