package setup

import (
	"slices"
	"testing"
	"time"
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
