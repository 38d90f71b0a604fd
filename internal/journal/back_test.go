package journal_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"syncmaster-setup/internal/journal"
)

// ticking is a clock that moves on with each look.
func ticking() func() time.Time {
	at := time.Unix(1e9, 0).UTC()
	return func() time.Time { at = at.Add(time.Second); return at }
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// left is what a later run reads.
func left(t *testing.T, store *memory) journal.Record {
	t.Helper()
	record, err := journal.Parse(store.data)
	check(t, err)
	return record
}

func TestALaterRunGoesOn(t *testing.T) {
	store := &memory{}
	j, err := journal.Open(store, "upgrade", map[string]int{"generation": 2}, ticking())
	check(t, err)
	check(t, j.Begin("pull"))
	check(t, j.Done("pull"))
	check(t, j.Begin("back up"))
	check(t, j.Note(map[string]int{"generation": 3}))

	record := left(t, store)
	var ticket map[string]int
	check(t, json.Unmarshal(record.Ticket, &ticket))
	if record.Operation != "upgrade" || record.Backward || ticket["generation"] != 3 || record.Interrupted() != "back up" {
		t.Errorf("left %+v", record)
	}
	for step, finished := range map[string]bool{"pull": true, "back up": false, "migrate": false} {
		if record.Finished(step) != finished {
			t.Errorf("%q is finished: %v", step, !finished)
		}
	}

	j = journal.Continue(store, record, ticking())
	check(t, j.Begin("back up"))
	check(t, j.Done("back up"))
	again := left(t, store)
	if len(again.Entries) != 2 || again.Interrupted() != "" || string(again.Ticket) == "" || !again.Started.Equal(record.Started) {
		t.Errorf("went on with %+v", again)
	}
	check(t, j.Begin("back up"))
	if left(t, store).Finished("back up") {
		t.Error("a step that is begun again is done")
	}
	check(t, j.Close())
	check(t, j.Close())
}

func TestTheWayBackIsRecorded(t *testing.T) {
	store := &memory{}
	j, err := journal.Open(store, "upgrade", nil, ticking())
	check(t, err)
	if len(left(t, store).Ticket) != 0 {
		t.Error("a ticket out of nothing")
	}
	check(t, j.Begin("stop server"))
	check(t, j.Done("stop server"))
	check(t, j.Begin("migrate"))
	check(t, j.Back())
	check(t, j.Undone("migrate"))
	check(t, j.Undone("never begun"))

	record := left(t, store)
	if !record.Backward {
		t.Error("a later run would go forward")
	}
	later := journal.Continue(store, record, ticking())
	for step, begun := range map[string]bool{"stop server": true, "migrate": false, "never begun": false} {
		if j.Begun(step) != begun || later.Begun(step) != begun {
			t.Errorf("%q is begun: %v, and after a crash %v", step, j.Begun(step), later.Begun(step))
		}
	}
	check(t, later.Begin("migrate"))
	if !later.Begun("migrate") {
		t.Error("a step that is begun after it was taken back is not taken back again")
	}
}

func TestRecordRoundTrip(t *testing.T) {
	at := time.Date(2026, 5, 1, 12, 0, 0, 5, time.UTC)
	want := journal.Record{Operation: "restore", Started: at, Backward: true, Ticket: json.RawMessage(`{"a":"b"}`),
		Entries: []journal.Entry{{Step: "pull", Begun: at, Done: at.Add(1), Undone: at.Add(2)}, {Step: "back up", Begun: at}}}
	data, err := json.Marshal(want)
	check(t, err)
	got, err := journal.Parse(data)
	check(t, err)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

// full is a store on a full disk.
type full struct{ err error }

func (f full) Write([]byte) error { return f.err }
func (f full) Remove() error      { return f.err }

func TestWhatCannotBeWrittenIsTold(t *testing.T) {
	disk := full{errors.New("no space left on device")}
	if _, err := journal.Open(disk, "init", nil, ticking()); !errors.Is(err, disk.err) {
		t.Errorf("opened: %v", err)
	}
	j := journal.Continue(disk, journal.Record{Entries: []journal.Entry{{Step: "a"}}}, ticking())
	for name, err := range map[string]error{
		"begin": j.Begin("b"), "done": j.Done("a"), "note": j.Note(1), "back": j.Back(), "undone": j.Undone("a"), "close": j.Close(),
	} {
		if !errors.Is(err, disk.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := journal.Open(&memory{}, "init", func() {}, ticking()); err == nil {
		t.Error("a ticket that is no JSON is kept")
	}
}
