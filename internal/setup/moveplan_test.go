package setup

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"syncmaster-setup/internal/envfile"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/stack"
	"syncmaster-setup/internal/workdir"
)

// TestSteps compares the steps of moves, and their ways back, with testdata/moves.txt; UPDATE=1 writes it.
func TestSteps(t *testing.T) {
	options := UpgradeOptions{MoveOptions: MoveOptions{Drain: 10 * time.Minute}}
	var got strings.Builder
	for _, tc := range []struct {
		name, from, to string
		change         func(u *upgrade, o *UpgradeOptions)
		ticket         func(t *ticket)
	}{
		{"nothing pending", "0.3.1", "0.3.2", nil, nil},
		{"images to pull", "0.3.1", "0.3.2", func(u *upgrade, _ *UpgradeOptions) { u.observed.Images = nil }, nil},
		{"pending", "0.2.4", "0.3.2", nil, nil},
		{"pending, with loss on the way back", "0.2.4", "0.3.2", func(u *upgrade, _ *UpgradeOptions) { u.forecast.Reversible = false }, nil},
		{"pending, without a backup", "0.2.4", "0.3.2", func(_ *upgrade, o *UpgradeOptions) { o.NoBackup = true }, nil},
		{"pending, without a drain", "0.2.4", "0.3.2", func(_ *upgrade, o *UpgradeOptions) { o.Drain = 0 }, nil},
		{"migrated by its own image", "0.3.2", "9.9.9", nil, nil},
		{"the server does not run", "0.2.4", "0.3.2", func(u *upgrade, _ *UpgradeOptions) { u.running = []string{"worker"} }, nil},
		{"nothing runs", "0.2.4", "0.3.2", func(u *upgrade, _ *UpgradeOptions) { u.running = nil }, nil},
		{"a server alone", "0.2.4", "0.3.2", func(u *upgrade, _ *UpgradeOptions) {
			u.present, u.running = []string{"server"}, []string{"server"}
		}, nil},
		{"a worker on a host of its own", "0.3.1", "0.3.2", func(u *upgrade, _ *UpgradeOptions) {
			u.present, u.running = []string{"worker"}, []string{"worker"}
		}, nil},
		{"restore", "0.3.1", "0.3.2", nil, func(t *ticket) {
			t.Operation, t.Restore, t.Pending, t.Offline = opRestore, "20260501T120000Z-backup", true, true
		}},
		{"rollback by revisions", "0.3.2", "0.2.4", nil, func(t *ticket) { t.Operation, t.Pending = opRollback, true }},
	} {
		u, o := movable(t, tc.from, tc.to), options
		if tc.change != nil {
			tc.change(u, &o)
		}
		made := u.ticket(o)
		if tc.ticket != nil {
			tc.ticket(&made)
			made.To.Revision = u.target.Head
		}
		forward, back := setupAt(t).stepsOf(made)
		fmt.Fprintf(&got, "%s: %s\n", tc.name, made.moving())
		for i, step := range forward {
			fmt.Fprintf(&got, "%4d  %s\n", i+1, step)
		}
		fmt.Fprintf(&got, "  and back\n")
		for _, step := range back {
			fmt.Fprintf(&got, "      %s\n", step)
		}
		fmt.Fprintln(&got)
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile("testdata/moves.txt", []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/moves.txt")
	if err != nil || got.String() != string(want) {
		t.Errorf("%v\n%s", err, lineDiff(string(want), got.String()))
	}
}

func TestTicketNumbersGenerations(t *testing.T) {
	for name, tc := range map[string]struct{ generation, last int }{
		"first upgrade":                   {1, 1},
		"orphans of a killed run":         {1, 3},
		"older generations were removed":  {5, 5},
		"all generations were removed":    {5, 0},
		"the newest ones were removed":    {5, 2},
		"one orphan of a killed rollback": {4, 5},
	} {
		t.Run(name, func(t *testing.T) {
			u := movable(t, "0.3.1", "0.3.2")
			u.state.Generation, u.lastGen = tc.generation, tc.last
			for what, got := range map[string]ticket{"upgrade": u.ticket(UpgradeOptions{}), "rollback": u.returning(opRollback, stand{}, MoveOptions{})} {
				if got.From.Generation != tc.generation+1 || got.To.Generation != tc.generation+2 || got.To.State.Generation != got.To.Generation {
					t.Errorf("%s from %d to %d", what, got.From.Generation, got.To.Generation)
				}
			}
			if got := u.ticket(UpgradeOptions{}); got.To.State.Previous != got.From.Generation || got.To.State.Version != "0.3.2" || got.From.State.Version != "0.3.1" {
				t.Errorf("records %+v", got.To.State)
			}
		})
	}
}

// A plan is carried out in the world that it was made for, and in no other one.
func TestPlanMatches(t *testing.T) {
	describe := func(change func(u *upgrade, o *UpgradeOptions)) MovePlan {
		u, o := movable(t, "0.2.4", "0.3.2"), UpgradeOptions{MoveOptions: MoveOptions{Drain: time.Minute}}
		u.offered = map[string]string{"syncmaster:1": "sha256:1"}
		if change != nil {
			change(u, &o)
		}
		if err := u.merged(t, o); err != nil {
			t.Fatal(err)
		}
		made := u.ticket(o)
		p := u.describe(made)
		p.Steps, p.Back = setupAt(t).stepsOf(made)
		return p
	}
	made := describe(nil)
	if err := made.matches(describe(nil)); err != nil {
		t.Errorf("the same world: %v", err)
	}
	if err := (*MovePlan)(nil).matches(made); err != nil {
		t.Errorf("no plan: %v", err)
	}
	set := func(name, line string) func(u *upgrade, o *UpgradeOptions) {
		return func(u *upgrade, _ *UpgradeOptions) {
			u.texts = maps.Clone(u.texts)
			u.texts[name] += line
		}
	}
	for name, tc := range map[string]struct {
		change func(u *upgrade, o *UpgradeOptions)
		want   string
	}{
		"another release": {func(u *upgrade, _ *UpgradeOptions) { u.target, _ = release.Lookup("0.3.1") },
			"the plan is for upgrade from release 0.2.4 to 0.3.2; this would be from 0.2.4 to 0.3.1"},
		"edited .env":        {set(workdir.EnvFile, "#\n"), "file .env is not as it was when the plan was made"},
		"edited .env.docker": {set(workdir.AppEnvFile, "#\n"), "file .env.docker is not as it was when the plan was made"},
		"another container": {func(u *upgrade, _ *UpgradeOptions) { u.observed.Containers[0].ID = "new" },
			"container of server is not as it was when the plan was made"},
		"a stopped container": {func(u *upgrade, _ *UpgradeOptions) { u.observed.Containers[0].State = "exited" },
			"container of server is not as it was when the plan was made"},
		"one container less": {func(u *upgrade, _ *UpgradeOptions) { u.observed.Containers = u.observed.Containers[1:] },
			"container of server is not as it was when the plan was made"},
		"one container more": {func(u *upgrade, _ *UpgradeOptions) {
			u.observed.Containers = append(u.observed.Containers, stack.Container{Service: "db", ID: "x"})
		}, "container of db is not as it was when the plan was made"},
		"another image": {func(u *upgrade, _ *UpgradeOptions) { u.observed.Images["postgres:17"] = stack.Image{ID: "sha256:1"} },
			"image postgres:17 is not as it was when the plan was made"},
		"another image to pull": {func(u *upgrade, _ *UpgradeOptions) {
			u.offered = map[string]string{"syncmaster:1": "sha256:2"}
		}, "image syncmaster:1 in its registry is not as it was when the plan was made"},
		"migrated meanwhile": {func(u *upgrade, _ *UpgradeOptions) { u.forecast.Revisions = nil },
			"the database is at another revision than when the plan was made"},
		"no backup":     {func(_ *upgrade, o *UpgradeOptions) { o.NoBackup = true }, "the steps would not be those of the plan"},
		"another drain": {func(_ *upgrade, o *UpgradeOptions) { o.Drain = 0 }, "the steps would not be those of the plan"},
	} {
		t.Run(name, func(t *testing.T) {
			err := made.matches(describe(tc.change))
			if err == nil || err.Error() != tc.want || fault.CodeOf(err) != fault.Refused {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
	other := describe(nil)
	other.Files = map[string]string{workdir.EnvFile: "+ A=1\n"}
	if err := made.matches(other); err == nil || err.Error() != "the files would not change as in the plan" {
		t.Errorf("other files: %v", err)
	}
	both := describe(func(u *upgrade, o *UpgradeOptions) {
		set(workdir.EnvFile, "#\n")(u, o)
		set(workdir.AppEnvFile, "#\n")(u, o)
	})
	var problems *fault.Problems
	if err := made.matches(both); !errors.As(err, &problems) || len(problems.List) != 2 {
		t.Errorf("not everything at once: %v", err)
	}
}

// Whatever a plan shows, no secret of the install is in it, and none that the upgrade would generate.
func TestPlansHoldNoSecrets(t *testing.T) {
	for _, from := range release.Known() {
		for _, to := range release.Known() {
			if !from.Before(to) {
				continue
			}
			u := movable(t, from.Version, to.Version)
			if err := u.merged(t, UpgradeOptions{}); err != nil {
				t.Fatalf("%s to %s: %v", from, to, err)
			}
			shown := fmt.Sprintf("%+v", u.describe(u.ticket(UpgradeOptions{})))
			for _, texts := range []map[string]string{u.texts, textsOf(u.merge.files)} {
				for _, name := range []string{workdir.EnvFile, workdir.AppEnvFile} {
					file, err := envfile.Parse(texts[name])
					if err != nil {
						t.Fatal(err)
					}
					for key, value := range file.Map() {
						if secretSetting(key) && len(value) > 8 && strings.Contains(shown, value) {
							t.Errorf("%s to %s: the value of %s is shown", from, to, key)
						}
					}
				}
			}
		}
	}
}

func TestPredict(t *testing.T) {
	var p MovePlan
	p.predict(Forecast{Revisions: []Revision{{ID: "0012", Bytes: 100 << 20}, {ID: "0013"}}}, ticket{Running: []string{"server", "worker"}})
	if p.Outage != 8.2 || !slices.Equal(p.Stops, []string{"worker", "server"}) || len(p.Revisions) != 2 || p.Revisions[0].Seconds != 5.1 || p.Revisions[1].Seconds != 0.1 {
		t.Errorf("predicted %+v", p)
	}
	p = MovePlan{}
	p.predict(Forecast{Revisions: []Revision{{ID: "0012"}}}, ticket{Running: []string{"worker"}})
	if p.Outage != 0 || !slices.Equal(p.Stops, []string{"worker"}) {
		t.Errorf("an outage of a server that does not run: %+v", p)
	}
}

func TestPlanText(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	p := MovePlan{
		From: "0.2.4", To: "0.3.2", Through: []string{"0.2.5", "0.3.2"},
		Images:    []PlannedImage{{Ref: "a:1", Present: true, Bytes: 3 << 20, Digest: "sha256:0123456789abcdef"}, {Ref: "b:1", Digest: "sha256:0123456789abcdef", Download: 5 << 20}, {Ref: "c:1", Digest: "sha256:0123456789abcdef"}},
		Settings:  []PlannedSetting{{release.Renamed, "0.3.0", "OLD", "NEW", "", "its new name"}, {release.Dropped, "0.3.0", "GONE", "", "", "not read any more"}},
		Revisions: []PlannedRevision{{Revision{ID: "0012", Rows: 5, Bytes: 1 << 20}, 0.1}},
		Running:   []Transfer{{Run: 7, Name: "nightly", Started: now.Add(-time.Minute)}, {Run: 8}},
		Stops:     []string{"scheduler", "server"}, Outage: 3.1, Backup: 1 << 20,
		Files: map[string]string{".env": "- VERSION=0.2.4\n+ VERSION=0.3.2\n"}, Steps: []string{"back up: why"}, Back: []string{"undo"},
	}
	const want = `releases   0.2.4 → 0.2.5 → 0.3.2
images     a:1  (here, 3.0 MiB, sha256:0123456789ab)
           b:1  (to pull, at most 5.0 MiB, sha256:0123456789ab)
           c:1  (to pull, size unknown, sha256:0123456789ab)
settings   OLD becomes NEW (its new name, since 0.3.0)
           GONE is dropped (not read any more, since 0.3.0)
database   revision 0012, 1.0 MiB of about 5 rows to rewrite, about 0.1 s
backup     up to 1.0 MiB
running    run 7 of "nightly" since 1m0s
           run 8
stops      scheduler, then server; the server for about 3.1 s

.env:
    - VERSION=0.2.4
    + VERSION=0.3.2

steps:
   1  back up: why

if anything goes wrong, what was begun of this is taken back:
      undo
`
	if got := p.Text(now); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if got := (MovePlan{From: "0.3.2", To: "0.3.1"}).Text(now); !strings.HasPrefix(got, "release    0.3.2 → 0.3.1\ndatabase   stays as it is\nbackup     none\n\nsteps:\n") {
		t.Errorf("got:\n%s", got)
	}
}
