package setup

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"syncmaster-setup/internal/config"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/secret"
	"syncmaster-setup/internal/stack"
	"syncmaster-setup/internal/workdir"
)

func TestChooseContainers(t *testing.T) {
	all := []stack.Container{{Service: "db", Name: "s-db-1"}, {Service: "worker", Name: "s-worker-1"}, {Service: "worker", Name: "s-worker-2"}}
	for _, test := range []struct {
		services []string
		want     string
		code     fault.Code
	}{
		{nil, "s-db-1 s-worker-1 s-worker-2", 0},
		{[]string{"worker"}, "s-worker-1 s-worker-2", 0},
		{[]string{"worker", "wroker", "x"}, "", fault.BadInput},
	} {
		got, err := chooseContainers(all, test.services)
		var names []string
		for _, c := range got {
			names = append(names, c.Name)
		}
		if test.code == 0 && (err != nil || strings.Join(names, " ") != test.want) {
			t.Errorf("%v: %v, %v", test.services, names, err)
		}
		var problems *fault.Problems
		if test.code != 0 && (!errors.As(err, &problems) || problems.Code != test.code || len(problems.List) != 2 || problems.List[0].Hint != "there are db, worker") {
			t.Errorf("%v: %v", test.services, err)
		}
	}
	labels := (&Log{containers: all}).Labels()
	if labels["s-db-1"] != "db" || labels["s-worker-2"] != "s-worker-2" {
		t.Errorf("the labels are %v", labels)
	}
}

// bare is an engine that holds nothing.
type bare struct{ Engine }

func (bare) Observe(context.Context, string, []string) (stack.Observed, error) {
	return stack.Observed{}, nil
}

func TestLogsOfNothing(t *testing.T) {
	s := devRendered(t, DevOptions{User: "anna", Known: carried}, config.Ports{})
	s.Connect = func(context.Context) (Engine, error) { return bare{}, nil }
	s.Load = func(context.Context, string, []string) (*types.Project, error) { return nil, errors.New("broken") }
	_, err := s.OpenLog(t.Context(), LogOptions{})
	if fault.CodeOf(err) != fault.Refused || !strings.Contains(err.Error(), "no container") || !strings.Contains(fault.HintOf(err), "syncmaster-setup dev up --dir ") {
		t.Errorf("got %v (%s)", err, fault.HintOf(err))
	}
}

func TestMerge(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	source := func(err error, seconds ...int) *logSource {
		s := &logSource{lines: make(chan LogLine, len(seconds)), err: err}
		for _, n := range seconds {
			s.lines <- LogLine{Time: start.Add(time.Duration(n) * time.Second), Text: fmt.Sprint(n)}
		}
		close(s.lines)
		return s
	}
	broken := errors.New("broken")
	var got []string
	err := merge([]*logSource{source(nil, 2, 5, 6), source(nil), source(broken, 1, 4), source(nil, 3)}, func(line LogLine) error {
		got = append(got, line.Text)
		return nil
	})
	if strings.Join(got, "") != "123456" || !errors.Is(err, broken) {
		t.Errorf("merged %v, %v", got, err)
	}
	if err := merge([]*logSource{source(nil, 1, 2)}, func(LogLine) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("a writer that fails gives %v", err)
	}
}

// TestLateLines puts lines right that stdout and stderr wrote past each other, and loses none.
func TestLateLines(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var got []time.Duration
	l := &lateLines{each: func(line LogLine) error { got = append(got, line.Time.Sub(start)); return nil }}
	const n = 10 * lookBack
	for i := range n {
		at := i
		if i%lookBack == 0 {
			at = min(i+lookBack-1, n-1)
		} else {
			at--
		}
		if err := l.add(LogLine{Time: start.Add(time.Duration(at))}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.pass(0); err != nil || len(got) != n || !slices.IsSorted(got) {
		t.Errorf("%d of %d lines came out: %v, %v", len(got), n, got, err)
	}
	broken := errors.New("broken")
	l.each = func(LogLine) error { return broken }
	if err := errors.Join(l.add(LogLine{}), l.pass(0)); !errors.Is(err, broken) {
		t.Errorf("a reader that fails gives %v", err)
	}
}

func TestShownLines(t *testing.T) {
	l := &Log{redactor: secret.NewRedactor(secret.NewText("planted-s3cret")), options: LogOptions{Grep: regexp.MustCompile("ERROR disk|planted|ok")}}
	for text, want := range map[string]string{
		"\x1b[31mERROR\x1b[0m disk \x1b]0;title\x07full": "ERROR disk full",
		"ok: planted-\x1b[1ms3cret":                      "ok: ****",
		"planted-s3cret":                                 "",
		"ok\ttab \r\x00\u0085bell\x07 \xff":              "ok\ttab bell \uFFFD",
		"something else":                                 "",
	} {
		got := ""
		err := l.shown(stack.Container{}, func(line LogLine) error { got = line.Text; return nil })(stack.LogLine{Text: text})
		if err != nil || got != want {
			t.Errorf("%q is shown as %q, want %q; %v", text, got, want, err)
		}
	}
}

func TestSecretsOfAnInstall(t *testing.T) {
	w := world{release: release.Newest(),
		texts: map[string]string{
			workdir.EnvFile:    "POSTGRES_PASSWORD=planted-one\nMY_API_TOKEN=planted-two\nVERSION=0.3.2\n",
			workdir.AppEnvFile: "SYNCMASTER__DATABASE__URL=postgresql+asyncpg://u:planted%2Fthree@db/x\nPRIVATE_KEY=\"planted-four\nplanted-five\"\n",
		},
		last: map[string]string{workdir.AppEnvFile: "SYNCMASTER__HWM_STORE__PASSWORD=planted-six\nPROXY=http://u:planted-seven@proxy\n"},
	}
	redactor, err := w.redactor(nil)
	if err != nil {
		t.Fatal(err)
	}
	text := "planted-one planted-two planted/three planted%2Fthree planted-four planted-five planted-six planted-seven 0.3.2"
	if got := redactor.String(text); strings.Contains(got, "planted") || !strings.HasSuffix(got, " 0.3.2") {
		t.Errorf("shown is %s", got)
	}
	w.texts[workdir.EnvFile] = "A='planted"
	if _, err := w.redactor(nil); err == nil || strings.Contains(err.Error(), "planted") {
		t.Errorf("a file that cannot be read gives %v", err)
	}
}
