package setup

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/report"
	"syncmaster-setup/internal/secret"
	"syncmaster-setup/internal/workdir"
)

func TestTheLogOfARun(t *testing.T) {
	s := setupAt(t)
	s.Report = report.Discard{}
	if err := s.Dir.Prepare(); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	s.Now = func() time.Time { at = at.Add(time.Second); return at }
	logged, end := s.record("upgrade", "0.3.1", "0.3.2", secret.NewRedactor(secret.NewText("planted-secret")))
	logged.Report(report.Event{Kind: report.StepStarted, Step: "pull"})
	logged.Report(report.Event{Kind: report.Progress, Text: "half of it"})
	logged.Report(report.Event{Kind: report.StepFailed, Step: "pull", Elapsed: 1500 * time.Millisecond, Text: "with planted-secret"})
	cause := fault.New(fault.Undone, errors.New("no luck with planted-secret\nEverything was taken back"), "")
	if err := end(cause); !errors.Is(err, cause) {
		t.Errorf("the log ate the error: %v", err)
	}
	logs, err := s.Dir.Logs()
	if err != nil || len(logs) != 1 || !strings.HasSuffix(logs[0].Path, "20260501T120001.000Z-upgrade.log") {
		t.Fatalf("%v, %v", logs, err)
	}
	text, err := os.ReadFile(logs[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"time":"2026-05-01T12:00:02Z","operation":"upgrade","from":"0.3.1","to":"0.3.2"}
{"time":"2026-05-01T12:00:03Z","event":"step-started","step":"pull"}
{"time":"2026-05-01T12:00:04Z","event":"step-failed","step":"pull","seconds":1.5,"text":"with ****"}
{"time":"2026-05-01T12:00:06Z","seconds":4,"outcome":"undone","error":"no luck with ****\nEverything was taken back"}
`
	if string(text) != want {
		t.Errorf("got:\n%s", text)
	}
	e, ok := entryOf(logs[0])
	wantEntry := Entry{Began: time.Date(2026, 5, 1, 12, 0, 2, 0, time.UTC), Operation: "upgrade", From: "0.3.1", To: "0.3.2", Outcome: "undone", Seconds: 4,
		Error: "no luck with ****\nEverything was taken back", Log: logs[0].Path}
	if !ok || e != wantEntry {
		t.Errorf("read %+v", e)
	}
}

func TestALogThatCannotBeKeptStopsNothing(t *testing.T) {
	s := setupAt(t)
	told := &heard{}
	s.Report = told
	if err := os.WriteFile(s.Dir.File(workdir.StateDir), nil, 0o600); err != nil { // a file where the folder should be
		t.Fatal(err)
	}
	logged, end := s.record("upgrade", "", "", secret.NewRedactor())
	logged.Report(report.Event{Kind: report.Note, Text: "goes on"})
	if err := end(nil); err != nil || len(told.texts) != 2 || !strings.HasPrefix(told.texts[0], "keeping a log of this run: ") || told.texts[1] != "goes on" {
		t.Errorf("%v, told %q", err, told.texts)
	}
}

// heard keeps what a run reports.
type heard struct{ texts []string }

func (h *heard) Report(e report.Event) { h.texts = append(h.texts, e.Text) }

func TestEntries(t *testing.T) {
	const first = `{"time":"2026-05-01T12:00:02Z","operation":"upgrade","from":"0.3.1","to":"0.3.2"}`
	for name, tc := range map[string]struct {
		first, last string
		ok          bool
		outcome     string
	}{
		"done":               {first, `{"outcome":"ok","seconds":4}`, true, "ok"},
		"killed at once":     {first, first, true, ""},
		"killed":             {first, `{"event":"step-started","step":"pull"}`, true, ""},
		"killed in a line":   {first, `{"event":"step-sta`, true, ""},
		"empty":              {"", "", false, ""},
		"no log of ours":     {"hello", "world", false, ""},
		"of no operation":    {`{"time":"2026-05-01T12:00:02Z"}`, `{"outcome":"ok"}`, false, ""},
		"another JSON value": {`[1]`, `[2]`, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			e, ok := entryOf(workdir.Log{Path: "x", First: tc.first, Last: tc.last})
			if ok != tc.ok || e.Outcome != tc.outcome || ok && (e.Operation != "upgrade" || e.Log != "x") {
				t.Errorf("read %+v, %v", e, ok)
			}
		})
	}
}

func TestOutcomes(t *testing.T) {
	for code, want := range map[fault.Code]string{
		fault.Failed: "failed", fault.BadInput: "refused", fault.Refused: "refused", fault.Locked: "refused",
		fault.Undone: "undone", fault.NotUndone: "not-undone", fault.Interrupted: "interrupted",
	} {
		if got := outcome(fmt.Errorf("wrapped: %w", fault.New(code, errors.New("x"), ""))); got != want {
			t.Errorf("%d is %q, want %q", code, got, want)
		}
	}
	if got := outcome(nil); got != "ok" {
		t.Errorf("no error is %q", got)
	}
	if got := outcome(errors.New("x")); got != "failed" {
		t.Errorf("an error is %q", got)
	}
	if data, err := json.Marshal(Entry{}); err != nil || strings.Contains(string(data), "seconds") {
		t.Errorf("%s, %v", data, err)
	}
}
