package journal_test

import (
	"testing"
	"time"

	"syncmaster-setup/internal/journal"
)

// memory is a store that keeps what a crash would leave.
type memory struct{ data []byte }

func (m *memory) Write(data []byte) error { m.data = data; return nil }
func (m *memory) Remove() error           { m.data = nil; return nil }

func TestJournalTellsWhereARunStopped(t *testing.T) {
	store := &memory{}
	j, err := journal.Open(store, "init", nil, func() time.Time { return time.Unix(1e9, 0) })
	if err != nil {
		t.Fatal(err)
	}
	stoppedAt := func() string {
		t.Helper()
		record, err := journal.Parse(store.data)
		if err != nil {
			t.Fatal(err)
		}
		return record.Interrupted()
	}
	if got := stoppedAt(); got != "" {
		t.Errorf("stopped at %q before the first step", got)
	}
	for _, step := range []string{"write files", "pull"} {
		if err := j.Begin(step); err != nil {
			t.Fatal(err)
		}
		if got := stoppedAt(); got != step {
			t.Errorf("stopped at %q during %q", got, step)
		}
		if err := j.Done(step); err != nil {
			t.Fatal(err)
		}
	}
	if got := stoppedAt(); got != "" {
		t.Errorf("stopped at %q after the last step", got)
	}
	if err := j.Done("never begun"); err == nil {
		t.Error("a step that was not begun is done")
	}
	if err := j.Close(); err != nil || store.data != nil {
		t.Errorf("closing left %q, %v", store.data, err)
	}
}

func TestParseRefusesAHalfWrittenJournal(t *testing.T) {
	for _, text := range []string{``, `{}`, `null`, `[]`, `{"operation": "in`, `{"operation": 1}`} {
		if r, err := journal.Parse([]byte(text)); err == nil {
			t.Errorf("%q was read as %+v", text, r)
		}
	}
	if _, err := journal.Parse([]byte(`{"operation": "in`)); err == nil {
		t.Error("accepted")
	}
}
