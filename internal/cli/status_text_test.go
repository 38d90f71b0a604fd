package cli

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"syncmaster-setup/internal/setup"
	"syncmaster-setup/internal/stack"
)

// wholeStack is what status tells of a stack with every service, and with so many problems.
func wholeStack(problems int) setup.Status {
	st := setup.Status{Time: time.Date(2026, 5, 1, 12, 0, 0, 0, time.Local), Version: "0.3.2", Dir: "/srv/syncmaster", Healthy: problems == 0}
	for _, name := range []string{"db", "rabbitmq", "db-migrations", "server", "scheduler", "worker", "frontend"} {
		st.Services = append(st.Services, setup.Service{
			Name: name, State: stack.Healthy, Since: &st.Time, Seconds: 7200,
			Image: "mtsrus/syncmaster-" + name + ":0.3.2", Digest: "sha256:0123456789abcdef", Ports: []string{"127.0.0.1:8000->8000"},
		})
	}
	st.Volumes = []setup.VolumeStatus{{Name: "syncmaster_postgres_data", Bytes: 1 << 26}}
	for n := range problems {
		st.Problems = append(st.Problems, setup.Remark{What: fmt.Sprintf("fault %d: %s", n, strings.Repeat("words ", 20)), Next: "type this"})
	}
	return st
}

// Whatever the window, --watch fills at most its rows, breaks no line further, and ends with what ends it. Where it has
// to cut, what is wrong comes before what there is.
func TestWatchFitsTheWindow(t *testing.T) {
	p := &program{}
	for _, size := range [][2]int{{200, 60}, {120, 30}, {80, 24}, {40, 12}, {20, 40}, {20, 5}, {5, 3}, {1, 1}} {
		for _, problems := range []int{0, 1, 9} {
			columns, rows := size[0], size[1]
			lines := p.watchLines(wholeStack(problems), columns, rows)
			text := strings.Join(lines, "\n")
			if len(lines) > max(rows, 3) {
				t.Errorf("%dx%d: %d lines:\n%s", columns, rows, len(lines), text)
			}
			if !strings.HasPrefix(lines[len(lines)-1], "1") {
				t.Errorf("%dx%d: it does not end with the time:\n%s", columns, rows, text)
			}
			for _, line := range lines {
				if len([]rune(line)) > columns {
					t.Errorf("%dx%d: %q is too long", columns, rows, line)
				}
			}
			if cut := strings.Contains(text, "…"); cut && problems > 0 && rows > 5 && !strings.Contains(strings.Join(lines, ""), "Problems  - fault 0") {
				t.Errorf("%dx%d: the problems are cut:\n%s", columns, rows, text)
			} else if !cut && strings.Count(text, "fault") != problems {
				t.Errorf("%dx%d: not all problems are there:\n%s", columns, rows, text)
			}
		}
	}
	if lines := p.watchLines(wholeStack(0), 80, 24); strings.Contains(strings.Join(lines, ""), "…") {
		t.Errorf("a healthy stack does not fit the usual window:\n%s", strings.Join(lines, "\n"))
	}
}

// What has no room beside a service stands below it; a pipe has room for everything.
func TestNarrowStatus(t *testing.T) {
	p := &program{}
	for columns, want := range map[int]string{
		0:  "  server         healthy  2h00m  0         syncmaster-server:0.3.2 0123456789ab         127.0.0.1:8000->8000\n",
		80: "  server         healthy  2h00m  0\n      syncmaster-server:0.3.2 0123456789ab  127.0.0.1:8000->8000\n",
		40: "  server         healthy  2h00m  0\n      syncmaster-server:0.3.2 0123456789ab\n      127.0.0.1:8000->8000\n",
	} {
		if _, state, _ := p.statusParts(wholeStack(0), columns, false); !strings.Contains(state, want) {
			t.Errorf("in %d columns:\n%swant\n%s", columns, state, want)
		}
	}
}
