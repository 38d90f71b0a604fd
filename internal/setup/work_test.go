package setup

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/journal"
	"syncmaster-setup/internal/workdir"
)

// TestWorkOf tells an operation at work from one that was killed before.
func TestWorkOf(t *testing.T) {
	began := time.Date(2026, 11, 23, 23, 10, 5, 0, time.UTC)
	ticketOf := func(operation string) json.RawMessage {
		state := workdir.State{Version: "0.3.0"}
		to := workdir.State{Version: "0.3.1"}
		data, err := json.Marshal(ticket{Operation: operation, From: stand{State: state}, To: stand{State: to}, Restore: "20261123T120000Z-backup"})
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	record := func(operation string, started time.Time) *journal.Record {
		return &journal.Record{Operation: operation, Started: started, Ticket: ticketOf(operation), Entries: []journal.Entry{{Step: "back up", Begun: started}}}
	}
	for name, tc := range map[string]struct {
		holder      string
		open        *journal.Record
		text        string
		interrupted bool
	}{
		"an upgrade":                 {opUpgrade, record(opUpgrade, began.Add(3*time.Second)), "upgrade to 0.3.1 is at work since 23:10:05 (process 1234), at: back up", false},
		"one that looks around":      {opUpgrade, nil, "upgrade is at work since 23:10:05 (process 1234)", false},
		"one that will be refused":   {opUpgrade, record(opUpgrade, began.Add(-time.Hour)), "upgrade is at work since 23:10:05 (process 1234)", true},
		"a rollback over an upgrade": {opRollback, record(opUpgrade, began), "rollback is at work since 23:10:05 (process 1234)", true},
		"a restore":                  {opRestore, record(opRestore, began), "restore of 20261123T120000Z-backup is at work since 23:10:05 (process 1234), at: back up", false},
		"a resume":                   {"resume", record(opUpgrade, began.Add(-time.Hour)), "resume of the upgrade to release 0.3.1 is at work since 23:10:05 (process 1234), at: back up", false},
		"an init that goes on":       {"init", &journal.Record{Operation: "init", Started: began.Add(-time.Hour), Entries: []journal.Entry{{Step: "pull"}}}, "init is at work since 23:10:05 (process 1234), at: pull", false},
		"a backup":                   {"backup", record(opUpgrade, began), "backup is at work since 23:10:05 (process 1234)", true},
	} {
		t.Run(name, func(t *testing.T) {
			w := world{dir: "/srv/sm", open: tc.open}
			if tc.open != nil {
				w.stopped = tc.open.Interrupted()
			}
			w.work = w.workOf(workdir.Holder{Operation: tc.holder, Process: 1234, Since: began}, began.Add(time.Minute))
			if w.work.Text != tc.text || w.interrupted() != tc.interrupted {
				t.Errorf("%q, interrupted %v", w.work.Text, w.interrupted())
			}
		})
	}
}

// TestAdviceWaits: while an upgrade is at work, nobody is told to start what it has stopped.
func TestAdviceWaits(t *testing.T) {
	v := wellSight(t)
	v.stopped, v.open = "migrate", &journal.Record{Operation: opUpgrade, Started: v.at}
	for i := range v.observed.Containers {
		if c := &v.observed.Containers[i]; c.Service == "server" {
			c.State = "exited"
		}
	}
	v.work = v.workOf(workdir.Holder{Operation: opUpgrade, Process: 7, Since: v.at}, v.at)
	v.judge()
	const wait = "wait until the upgrade has ended, then look again"
	st := v.status()
	if st.Healthy || len(st.Problems) != 1 || st.Problems[0].Next != wait || st.Work.Operation != opUpgrade {
		t.Errorf("%+v", st)
	}
	c := v.checkup()
	if c.Work == nil || c.Warnings != 1 {
		t.Errorf("%+v", c)
	}
	for _, f := range c.Findings {
		if f.Level != Pass && f.Next != wait {
			t.Errorf("%+v", f)
		}
	}
	v.work.Operation = "backup" // changes nothing that runs
	if got := v.status().Problems[0].Next; !strings.Contains(got, "docker compose start server") {
		t.Error(got)
	}
}

// TestLockNamesTheOperation: who comes second is told what the first one does, and a look knows it, too.
func TestLockNamesTheOperation(t *testing.T) {
	s := setupAt(t)
	s.Now = time.Now
	unlock, err := s.Lock(opUpgrade, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	to := ticket{Operation: opUpgrade, From: stand{State: workdir.State{Version: "0.3.0"}}, To: stand{State: workdir.State{Version: "0.3.1"}}}
	j, err := journal.Open(s.Dir.JournalStore(), opUpgrade, to, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Begin("migrate"); err != nil {
		t.Fatal(err)
	}
	_, err = s.Lock("init", time.Now())
	for _, want := range []string{"upgrade to 0.3.1 is at work since ", fmt.Sprintf("(process %d), at: migrate, in %s", os.Getpid(), s.Dir.Path())} {
		if fault.CodeOf(err) != fault.Locked || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	w, err := s.observeAtWork()
	if err != nil || w.work == nil || w.interrupted() {
		t.Errorf("%+v, %v", w.work, err)
	}
	if err := unlock(); err != nil { // as if it was killed
		t.Fatal(err)
	}
	w, err = s.observeAtWork()
	if err != nil || w.work != nil || !w.interrupted() {
		t.Errorf("%+v, %v", w.work, err)
	}
}
