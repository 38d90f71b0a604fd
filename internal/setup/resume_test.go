package setup

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/journal"
	"syncmaster-setup/internal/report"
	"syncmaster-setup/internal/workdir"
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

// TestEdited: an edit that was made since the files were laid aside is neither overwritten nor lost.
func TestEdited(t *testing.T) {
	s := setupAt(t)
	s.Report = report.Discard{}
	if err := s.Dir.Prepare(); err != nil {
		t.Fatal(err)
	}
	u := movable(t, "0.3.1", "0.3.2")
	if err := u.merged(t, UpgradeOptions{}); err != nil {
		t.Fatal(err)
	}
	made := u.ticket(UpgradeOptions{})
	if err := s.layAside(made, u.texts, u.merge.files); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Dir.WriteProject(u.texts); err != nil {
		t.Fatal(err)
	}
	m, err := s.newMove(t.Context(), nil, made)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(m.checkEdited(), m.putNew(t.Context()), m.checkEdited()); err != nil {
		t.Fatalf("nothing was edited: %v", err)
	}
	mine := map[string]string{workdir.AppEnvFile: m.files[made.To.Generation][workdir.AppEnvFile] + "# mine\n"}
	if _, err := s.Dir.WriteProject(mine); err != nil {
		t.Fatal(err)
	}
	if err := m.checkEdited(); fault.CodeOf(err) != fault.Refused || !strings.Contains(err.Error(), ".env.docker was edited since the upgrade to release 0.3.2") {
		t.Errorf("a resume: %v", err)
	}
	if err := m.putNew(t.Context()); err == nil || !strings.Contains(err.Error(), ".env.docker was edited") {
		t.Errorf("the way forward: %v", err)
	}
	if err := m.putOld(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		workdir.AppEnvFile: u.texts[workdir.AppEnvFile],
		workdir.AppEnvFile + ".edited-20010909T014640.000Z": mine[workdir.AppEnvFile],
		workdir.EnvFile: u.texts[workdir.EnvFile],
	} {
		if text, _, err := s.Dir.Read(name); err != nil || text != want {
			t.Errorf("%s has, %v:\n%s", name, err, text)
		}
	}
}

// TestPlanEdited: what is put in place was made from the files as they were looked at.
func TestPlanEdited(t *testing.T) {
	texts := map[string]string{workdir.ComposeFile: "a", workdir.EnvFile: "b"}
	looked := world{texts: texts}
	p := MovePlan{World: looked.print()}
	for name, tc := range map[string]struct {
		found map[string]string
		want  []string
	}{
		"as it was": {texts, nil},
		"edited":    {map[string]string{workdir.ComposeFile: "a", workdir.EnvFile: "c"}, []string{workdir.EnvFile}},
		"gone":      {map[string]string{workdir.EnvFile: "b"}, []string{workdir.ComposeFile}},
		"new":       {map[string]string{workdir.ComposeFile: "a", workdir.EnvFile: "b", workdir.AppEnvFile: ""}, []string{workdir.AppEnvFile}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := p.edited(tc.found); !slices.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}
