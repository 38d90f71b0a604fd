package setup

import (
	"errors"
	"strings"
	"testing"
	"time"

	"syncmaster-setup/internal/config"
	"syncmaster-setup/internal/stack"
)

// TestAbortHint names the cause where PostgreSQL or the engine tell it among many other words.
func TestAbortHint(t *testing.T) {
	m := &move{run: &run{world: world{dir: "/srv/sm"}}}
	for said, want := range map[string]string{
		"exit status 1": "mend the cause, then",
		"waiting for the database: FATAL:  could not extend file \"base/1/2\": No space left on device": "free disk space",
		"starting service server: Bind for 127.0.0.1:8000 failed: port is already allocated":            "restart the Docker Engine",
	} {
		if got := m.abortHint(errors.New(said)); !strings.Contains(got, want) || !strings.HasSuffix(got, "syncmaster-setup abort --dir /srv/sm") {
			t.Errorf("after %q it says %q, want %q", said, got, want)
		}
	}
}

// TestStartsOf tells a restart of the engine by the containers that a move leaves alone.
func TestStartsOf(t *testing.T) {
	began := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	seen := stack.Observed{Containers: []stack.Container{
		{Service: "db", ID: "1", State: "running", StartedAt: began},
		{Service: "rabbitmq", ID: "2", State: "exited", StartedAt: began},
		{Service: "server", ID: "3", State: "running", StartedAt: began},
	}}
	m := &move{run: &run{}}
	if got := m.startsOf(seen); len(got) != 1 || got["db"] == "" {
		t.Errorf("noted are %v, want the database alone", got)
	}
	before := m.startsOf(seen)["db"]
	seen.Containers[0].StartedAt = began.Add(time.Second)
	if m.startsOf(seen)["db"] == before {
		t.Error("a database that was started anew looks as before")
	}
	m.options = config.Options{ExternalDatabase: true}
	if got := m.startsOf(seen); len(got) != 0 {
		t.Errorf("of an external database it notes %v", got)
	}
}

// TestUnended: whatever becomes of a move, the transfers that nobody will ever end are listed.
func TestUnended(t *testing.T) {
	if got := (ticket{}).unended(); got != "" {
		t.Errorf("without any it says %q", got)
	}
	const want = "\nCut: run 5 of \"nightly\" was running and was ended; it is left as STARTED" +
		"\nStranded: run 6 of \"x\": no worker knew of it any more; it is left as STARTED"
	if got := (ticket{Cut: []Transfer{{Run: 5, Name: "nightly"}}, Stranded: []Transfer{{Run: 6, Name: "x"}}}).unended(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
