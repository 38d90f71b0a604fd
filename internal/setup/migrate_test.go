package setup

import (
	"strings"
	"testing"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/journal"
)

func TestOnlyAnInstallAtRestIsMigrated(t *testing.T) {
	tests := []struct {
		name   string
		world  world
		change bool
		code   fault.Code // 0 for none
		says   string
	}{
		{"no install", world{dir: "/srv/s"}, false, fault.BadInput, "/srv/s holds no install"},
		{"no install, to change", world{dir: "/srv/s"}, true, fault.BadInput, "/srv/s holds no install"},
		{"at rest", world{dir: "/srv/s", installed: true}, true, 0, ""},
		{"interrupted", world{dir: "/srv/s", installed: true, stopped: "pull 2 images", open: &journal.Record{Operation: "init"}}, true, fault.Refused, "interrupted at: pull 2 images"},
		{"interrupted, to look", world{dir: "/srv/s", installed: true, stopped: "pull 2 images", open: &journal.Record{Operation: "init"}}, false, 0, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := test.world.checkMigratable(test.change)
			switch {
			case test.code == 0 && err != nil:
				t.Fatal(err)
			case test.code == 0:
			case err == nil || fault.CodeOf(err) != test.code || !strings.Contains(err.Error(), test.says):
				t.Errorf("got %v, want %q with exit code %d", err, test.says, test.code)
			case !strings.Contains(fault.HintOf(err), "--dir"):
				t.Errorf("the hint %q does not say what to type", fault.HintOf(err))
			}
		})
	}
}
