package setup

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/journal"
	"syncmaster-setup/internal/workdir"
)

// TestWhatIsOpen tells for each command what an interrupted run in the folder means to it.
func TestWhatIsOpen(t *testing.T) {
	state := workdir.State{Phase: workdir.Installed}
	first := &journal.Record{Operation: "init"}
	moving := &journal.Record{Operation: opUpgrade, Ticket: json.RawMessage(`{}`)}
	none := world{dir: "/srv/sm"}
	whole := world{dir: "/srv/sm", installed: true, state: state}
	half := world{dir: "/srv/sm", installed: true, state: workdir.State{Phase: workdir.Installing}}
	killed := world{dir: "/srv/sm", installed: true, state: state, open: moving, stopped: "back up"}
	begun := world{dir: "/srv/sm", installed: true, state: workdir.State{Phase: workdir.Installing}, open: first, stopped: "pull"}
	for name, tc := range map[string]struct {
		err  error
		code fault.Code // 0 for no error
		want string
		hint string
	}{
		"upgrade of nothing":       {none.checkMovable(opUpgrade), fault.BadInput, "/srv/sm holds no install", "--dir"},
		"upgrade of a whole one":   {whole.checkMovable(opUpgrade), 0, "", ""},
		"upgrade of half a one":    {half.checkMovable(opUpgrade), fault.Refused, "is not complete", "syncmaster-setup init --dir /srv/sm"},
		"upgrade over an upgrade":  {killed.checkMovable(opUpgrade), fault.Refused, "upgrade was interrupted at: back up", "resume --dir /srv/sm; or go back with: syncmaster-setup abort --dir /srv/sm"},
		"upgrade over an init":     {begun.checkMovable(opUpgrade), fault.Refused, "a run in /srv/sm was interrupted at: pull", "init --dir /srv/sm"},
		"init over an init":        {begun.checkJournal("init"), 0, "", ""},
		"init over an upgrade":     {killed.checkJournal("init"), fault.Refused, "upgrade was interrupted at: back up", "resume"},
		"init over nothing":        {whole.checkJournal("init"), 0, "", ""},
		"rollback over an upgrade": {killed.checkMovable(opRollback), fault.Refused, "upgrade was interrupted", "abort"},
		"resume of nothing":        {whole.checkReopen("resume"), fault.Refused, "nothing was interrupted in /srv/sm", ""},
		"abort in no install":      {none.checkReopen("abort"), fault.BadInput, "/srv/sm holds no install", "--dir"},
		"resume of an upgrade":     {killed.checkReopen("resume"), 0, "", ""},
		"abort of an upgrade":      {killed.checkReopen("abort"), 0, "", ""},
		"resume of an init":        {begun.checkReopen("resume"), fault.Refused, "a run in /srv/sm was interrupted at: pull", "init --dir /srv/sm"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.code == 0 {
				if tc.err != nil {
					t.Errorf("refused: %v", tc.err)
				}
				return
			}
			if tc.err == nil || fault.CodeOf(tc.err) != tc.code || !strings.Contains(tc.err.Error(), tc.want) || !strings.Contains(fault.HintOf(tc.err), tc.hint) {
				t.Errorf("got %v with hint %q", tc.err, fault.HintOf(tc.err))
			}
		})
	}
}

// TestTicketRoundTrip: what a killed run knew is what the next one knows.
func TestTicketRoundTrip(t *testing.T) {
	made := movable(t, "0.2.4", "0.3.2").ticket(UpgradeOptions{})
	made.Backup, made.Halted, made.Cut = "b", []string{"worker"}, []Transfer{{Run: 7}}
	data, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	read, err := reopen(journal.Record{Operation: opUpgrade, Ticket: data})
	if err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(read)
	if err != nil || string(again) != string(data) {
		t.Errorf("%v: %s", err, lineDiff(string(data), string(again)))
	}
	for _, text := range []string{``, `null`, `{}`, `[]`, `{"from": `} {
		if _, err := reopen(journal.Record{Operation: opUpgrade, Ticket: []byte(text)}); err == nil || !strings.Contains(err.Error(), "it is incomplete") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestUpgradeChecks: everything that forbids an upgrade is told at once, before anything is changed.
func TestUpgradeChecks(t *testing.T) {
	without, with := UpgradeOptions{MoveOptions: MoveOptions{NoBackup: true}}, UpgradeOptions{}
	for name, tc := range map[string]struct {
		to     string
		o      UpgradeOptions
		change func(u *upgrade)
		want   []string // beginnings of the problems
	}{
		"nothing":    {"0.3.2", with, nil, nil},
		"without":    {"0.3.2", without, nil, nil},
		"read-only":  {"0.3.2", with, func(u *upgrade) { u.writable = errors.New("no way") }, []string{"no way"}},
		"newer data": {"0.3.2", with, func(u *upgrade) { u.facts.Revision = "0013" }, []string{"the database is at revision 0013, release 0.3.2 ends at 0012: its data is newer"}},
		"release edited by hand": {"0.3.2", with, func(u *upgrade) {
			u.texts = map[string]string{workdir.EnvFile: "VERSION=0.3.0\n", workdir.AppEnvFile: u.texts[workdir.AppEnvFile]}
		}, []string{".env says VERSION=0.3.0, and release 0.3.1 was installed"}},
		"another PostgreSQL":              {"0.3.2", with, func(u *upgrade) { u.facts.ServerVersion = 160004 }, []string{"PostgreSQL 16 runs on the volume"}},
		"another PostgreSQL, kept":        {"0.3.2", with, func(u *upgrade) { u.facts.ServerVersion, u.dbImage = 160004, "example.com/postgres:16-alpine" }, nil},
		"another PostgreSQL to be":        {"0.3.2", with, func(u *upgrade) { u.dbImage = "postgres:18" }, []string{"PostgreSQL 17 runs on the volume, and the image of the database would be postgres:18"}},
		"some PostgreSQL":                 {"0.3.2", with, func(u *upgrade) { u.dbImage = "postgis/postgis:16-3.4" }, nil},
		"external, by its image":          {"9.9.9", with, func(u *upgrade) { u.options.ExternalDatabase = true }, []string{"can only be taken back with a backup"}},
		"external, by its image, without": {"9.9.9", without, func(u *upgrade) { u.options.ExternalDatabase = true }, []string{"can only be taken back with a backup"}},
		"external":                        {"0.3.2", with, func(u *upgrade) { u.options.ExternalDatabase = true }, []string{"the database is not a container of this install, so no backup"}},
		"external, without":               {"0.3.2", without, func(u *upgrade) { u.options.ExternalDatabase = true }, nil},
		"by its image, without":           {"9.9.9", without, nil, []string{"release 9.9.9 is migrated by its own image, so the way back needs a backup"}},
		"by its image":                    {"9.9.9", with, nil, nil},
		"irreversible, without": {"0.3.2", without, func(u *upgrade) {
			u.forecast = Forecast{Revisions: []Revision{{ID: "0012"}}}
		}, []string{"the revisions of release 0.3.2 cannot be taken back without losing rows, so the way back needs a backup"}},
		"irreversible":            {"0.3.2", with, func(u *upgrade) { u.forecast = Forecast{Revisions: []Revision{{ID: "0012"}}} }, nil},
		"foreign key":             {"0.3.2", with, func(u *upgrade) { u.tokens = []string{"gAAAAABnonsense"} }, []string{"the encryption key does not open"}},
		"unreadable rows":         {"0.3.2", with, func(u *upgrade) { u.unreadable = []fault.Problem{{What: "rows"}} }, []string{"rows"}},
		"no space for the backup": {"0.3.2", with, func(u *upgrade) { u.disk["backups"], u.size = 2*mebibyte, 10<<20 }, []string{"/srv/install/backups has 2.0 MiB free, the backup needs up to 26.0 MiB"}},
		"no space, without":       {"0.3.2", without, func(u *upgrade) { u.disk["backups"], u.size = 20*mebibyte, 100<<20 }, nil},
		"no space on the disk of the data": {"0.3.2", with, func(u *upgrade) {
			u.dataDisks, u.forecast.Bytes = []dataDisk{{"db", "/data", 1 << 20}}, 10<<20
		}, []string{"/data, where the database keeps its data, has 1.0 MiB free, rewritten tables need up to 10.0 MiB"}},
		"no space on either disk": {"0.3.2", with, func(u *upgrade) {
			u.dataDisks, u.forecast.Bytes = []dataDisk{{"db", "/data", 2 << 20}}, 10<<20
			u.disk["images"] = 1 << 20
		}, []string{"/var/lib/docker of the engine has 1.0 MiB free", "/data, where the database keeps its data, has 2.0 MiB free, rewritten tables need up to 10.0 MiB"}},
		"no space for tables": {"0.3.2", with, func(u *upgrade) { u.disk["images"], u.forecast.Bytes = 1<<20, 10<<20 }, []string{"/var/lib/docker of the engine has 1.0 MiB free, images and rewritten tables need up to 10.0 MiB"}},
		"no space for the way back": {"9.9.9", with, func(u *upgrade) { u.disk["images"], u.size = 1<<20, 20<<20 },
			[]string{"/var/lib/docker of the engine has 1.0 MiB free, images and a database that is loaded from a backup need up to 20.0 MiB"}},
		"no space for an image": {"0.3.2", with, func(u *upgrade) {
			delete(u.observed.Images, u.targetImage("server"))
			u.disk["images"], u.download = 1<<20, map[string]int64{u.targetImage("server"): 3 << 20}
		}, []string{"/var/lib/docker of the engine has 1.0 MiB free, images and rewritten tables need up to 12.0 MiB"}},
		"no image": {"0.3.2", with, func(u *upgrade) {
			u.observed.Images = nil
			u.texts = map[string]string{workdir.EnvFile: "VERSION=0.3.1\nCOMPOSE_PROFILES=worker\nWORKER_QUEUES=1-etl\n", workdir.AppEnvFile: u.texts[workdir.AppEnvFile]}
			u.unpullable = map[string]error{u.targetImage("worker"): errors.New("manifest unknown")}
		}, []string{"manifest unknown"}},
		"several": {"0.3.2", without, func(u *upgrade) {
			u.writable, u.facts.Revision, u.facts.ServerVersion = errors.New("no way"), "0013", 160004
		}, []string{"no way", "the database is at revision 0013", "PostgreSQL 16 runs"}},
	} {
		t.Run(name, func(t *testing.T) {
			u := movable(t, "0.3.1", tc.to)
			u.facts.ServerVersion = 170002
			if tc.change != nil {
				tc.change(u)
			}
			p := &fault.Problems{}
			u.check(tc.o, p)
			if len(p.List) != len(tc.want) {
				t.Fatalf("got %q", p.List)
			}
			for i, problem := range p.List {
				if !strings.Contains(problem.What, tc.want[i]) {
					t.Errorf("got %q, want %q", problem.What, tc.want[i])
				}
				if problem.Hint == "" && name != "unreadable rows" && name != "no image" {
					t.Errorf("%q has no hint", problem.What)
				}
			}
		})
	}
}

func TestPostgresMajor(t *testing.T) {
	for ref, want := range map[string]int{
		"postgres:17": 17, "localhost:5000/x/postgres:16.4-bookworm": 16, "postgres:17@sha256:00": 17,
		"postgres": 0, "postgres:latest": 0, "postgres@sha256:00": 0, "localhost:5000/postgres": 0, "timescaledb:2.14-pg16": 0, "": 0,
	} {
		if got := postgresMajor(ref); got != want {
			t.Errorf("%q is of major version %d, want %d", ref, got, want)
		}
	}
}
