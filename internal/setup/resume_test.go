package setup

import (
	"slices"
	"testing"
	"time"

	"syncmaster-setup/internal/journal"
)

// TestStillDone: what guards the database is done again until it is touched, and a backup that is the only way back is
// made anew, since the stack may have written meanwhile.
func TestStillDone(t *testing.T) {
	const quiet, migrate = "stop scheduler and worker", "migrate the database"
	record := func(steps ...string) journal.Record {
		var r journal.Record
		for _, s := range steps {
			r.Entries = append(r.Entries, journal.Entry{Step: s, Done: time.Unix(1, 0)})
		}
		return r
	}
	for name, tc := range map[string]struct {
		intact bool
		record journal.Record
		again  []string
	}{
		"before the database":             {true, record(quiet, stopping, backingUp), []string{quiet, stopping, backingUp, migrate, placing}},
		"with the database touched":       {false, record(quiet, stopping, backingUp), []string{quiet, stopping, migrate, placing}},
		"behind the database":             {false, record(quiet, stopping, backingUp, migrate), []string{quiet, stopping, placing}},
		"with the files in place":         {false, record(quiet, stopping, backingUp, migrate, placing), nil},
		"before anything":                 {false, record(), []string{quiet, stopping, backingUp, migrate, placing}},
		"with an online backup":           {false, record(backingUp), []string{quiet, stopping, migrate, placing}},
		"without a pending change at all": {false, record(backingUp, quiet), []string{quiet, stopping, migrate, placing}},
	} {
		t.Run(name, func(t *testing.T) {
			u := movable(t, "0.3.2", "9.9.9")
			m := &move{ticket: u.ticket(UpgradeOptions{})}
			m.Intact = tc.intact
			var again []string
			for _, step := range []string{quiet, stopping, backingUp, migrate, placing} {
				if !m.stillDone(tc.record, step) {
					again = append(again, step)
				}
			}
			if !slices.Equal(again, tc.again) {
				t.Errorf("done again are %q, want %q", again, tc.again)
			}
		})
	}
}
