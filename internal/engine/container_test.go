package engine_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"syncmaster-setup/internal/engine"
	"syncmaster-setup/internal/probe"
	"syncmaster-setup/internal/stack"
)

const jobs = `
services:
  db: {image: "` + testImage + `"}
  good: &job
    image: ` + testImage + `
    command: [exit, "0"]
    depends_on: {db: {condition: service_healthy}}
    profiles: [jobs]
  bad:
    <<: *job
    command: [exit, "7", "50"]
  slow:
    <<: *job
    command: [serve]
`

func TestRunOneOff(t *testing.T) {
	t.Parallel()
	e := connect(t)
	p := project(t, e, jobs)
	for service, code := range map[string]int{"good": 0, "bad": 7} {
		exit, err := e.RunOneOff(t.Context(), p, service)
		must(t, err)
		if exit.Code != code || !strings.Contains(exit.Tail, "on stdout\n") || !strings.Contains(exit.Tail, "on stderr\n") {
			t.Errorf("%s: %+v, want code %d and both streams", service, exit, code)
		}
	}
	finished := ids(t, e, p.Name)
	if c, err := e.Inspect(t.Context(), p.Name, "bad"); err != nil || c.State != "exited" || c.ExitCode != 7 {
		t.Errorf("container left by the job: %+v, %v", c, err)
	}
	if c, err := e.Inspect(t.Context(), p.Name, "db"); err != nil || c.State != "created" {
		t.Errorf("db beside the job: %+v, %v", c, err)
	}
	if exit, err := e.RunOneOff(t.Context(), p, "bad"); err != nil || exit.Code != 7 {
		t.Errorf("second run: %+v, %v", exit, err)
	}
	if again := ids(t, e, p.Name); again["bad"] != finished["bad"] {
		t.Error("the second run made a new container")
	}
	if _, err := e.RunOneOff(t.Context(), p, "nobody"); err == nil {
		t.Error("an unknown job passed")
	}
}

func TestRunOneOffEndsWithItsContext(t *testing.T) {
	t.Parallel()
	e := connect(t)
	p := project(t, e, jobs)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := e.RunOneOff(ctx, p, "slow"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want the deadline", err)
	}
	if c, err := e.Inspect(t.Context(), p.Name, "slow"); err != nil || c.State != "exited" {
		t.Errorf("the job after its limit: %+v, %v, want it stopped", c, err)
	}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	e := connect(t)
	for _, tty := range []bool{false, true} {
		t.Run(fmt.Sprintf("tty %v", tty), func(t *testing.T) {
			p := project(t, e, fmt.Sprintf(`
services:
  talker: {image: "%s", command: [lines, "500"], tty: %v}
`, testImage, tty))
			if exit, err := e.RunOneOff(t.Context(), p, "talker"); err != nil || exit.Code != 0 {
				t.Fatalf("%+v, %v", exit, err)
			}
			logs, err := e.Logs(t.Context(), ids(t, e, p.Name)["talker"], 2)
			must(t, err)
			if got := strings.ReplaceAll(logs, "\r", ""); got != "line 498\nline 499\n" {
				t.Errorf("last two lines: %q", got)
			}
		})
	}
	if _, err := e.Logs(t.Context(), "smeng-absent", 1); !errors.Is(err, engine.ErrNoContainer) {
		t.Errorf("logs of no container: %v", err)
	}
}

func TestExec(t *testing.T) {
	t.Parallel()
	e := connect(t)
	p := project(t, e, `
services:
  host:
    image: "`+testImage+`"
    healthcheck: {test: [CMD, /program, exit, "3"], interval: 1h}
`)
	must(t, e.Create(t.Context(), p, engine.CreateOptions{}))
	must(t, e.Start(t.Context(), p))
	id := ids(t, e, p.Name)["host"]
	command, err := e.HealthCommand(t.Context(), id)
	must(t, err)
	exit, err := e.Exec(t.Context(), id, command)
	must(t, err)
	if exit.Code != 3 || !strings.Contains(exit.Tail, "on stdout\n") || !strings.Contains(exit.Tail, "on stderr\n") {
		t.Errorf("%+v", exit)
	}
	if exit, err := e.Exec(t.Context(), id, []string{"/absent"}); err == nil && exit.Code != 126 && exit.Code != 127 {
		t.Errorf("a program that is not there: %+v", exit)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := e.Exec(ctx, id, []string{"/program", "serve"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a command longer than its context: %v", err)
	}
	if exit, err := e.Exec(t.Context(), id, []string{"/program", "lines", "20000"}); err != nil || len(exit.Tail) > 64<<10 || !strings.HasSuffix(exit.Tail, "line 19999\n") {
		t.Errorf("tail of %d bytes, %v", len(exit.Tail), err)
	}
}

func TestContainerAddress(t *testing.T) {
	t.Parallel()
	e := connect(t)
	p := project(t, e, `
services:
  listener: {image: "`+testImage+`", command: [serve, ":8000"]}
`)
	must(t, e.Create(t.Context(), p, engine.CreateOptions{}))
	if a, err := e.ContainerAddress(t.Context(), p.Name, "listener"); err == nil {
		t.Errorf("a container that does not run has the address %s", a)
	}
	must(t, e.Start(t.Context(), p))
	address, err := e.ContainerAddress(t.Context(), p.Name, "listener")
	must(t, err)
	err = probe.Wait(t.Context(), probe.Options{What: "the listener", Limit: 10 * time.Second}, func(ctx context.Context) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(address.String(), "8000"))
		if err == nil {
			err = conn.Close()
		}
		return err
	})
	must(t, err)
}

func TestVerdictOfRealContainers(t *testing.T) {
	t.Parallel()
	e := connect(t)
	p := project(t, e, `
services:
  exits: {image: "`+testImage+`", command: [exit, "5"]}
  restarts: {image: "`+testImage+`", command: [exit, "6"], restart: always}
  eats: {image: "`+testImage+`", command: [eat], mem_limit: 16m, memswap_limit: 16m}
  runs: {image: "`+testImage+`"}
`)
	must(t, e.Create(t.Context(), p, engine.CreateOptions{}))
	must(t, e.Start(t.Context(), p))
	for service, want := range map[string]string{"exits": "ended with code 5", "restarts": "keeps restarting", "eats": "out of memory"} {
		err := probe.Wait(t.Context(), probe.Options{What: service, Limit: 20 * time.Second}, func(ctx context.Context) error {
			c, err := e.Inspect(ctx, p.Name, service)
			if err != nil {
				return probe.Fatal(err)
			}
			if killed := 137; service == "eats" && c.ExitCode == killed && !c.OOMKilled {
				// a loaded engine hears of the kill before it hears of its reason, and then forgets the reason
				return errors.Join(errors.New("killed, and nobody knows why"), e.Start(ctx, p, service))
			}
			if v := judge(c); v.Hopeless() {
				return probe.Fatal(errors.New(v.Reason))
			}
			return errors.New("still " + c.State)
		})
		if err == nil || errors.Is(err, probe.ErrGaveUp) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", service, err, want)
		}
	}
	c, err := e.Inspect(t.Context(), p.Name, "runs")
	must(t, err)
	if v := judge(c); v.Hopeless() {
		t.Errorf("runs: %+v", v)
	}
}

// TestMemoryOfRestarts: while a container runs again, the engine's events alone tell why it had to.
func TestMemoryOfRestarts(t *testing.T) {
	t.Parallel()
	e := connect(t)
	p := project(t, e, `
services:
  eats: {image: "`+testImage+`", command: [eat, "1500"], restart: unless-stopped, mem_limit: 16m, memswap_limit: 16m}
  exits: {image: "`+testImage+`", command: [exit, "6", "1500"], restart: unless-stopped}
`)
	must(t, e.Create(t.Context(), p, engine.CreateOptions{}))
	must(t, e.Start(t.Context(), p))
	for service, memory := range map[string]bool{"eats": true, "exits": false} {
		must(t, probe.Wait(t.Context(), probe.Options{What: service, Limit: 30 * time.Second}, func(ctx context.Context) error {
			c, err := e.Inspect(ctx, p.Name, service)
			if err != nil {
				return probe.Fatal(err)
			}
			if c.State != "running" || c.Restarts < 2 || c.RestartedForMemory != memory {
				return fmt.Errorf("%s is %s after %d restarts, for memory: %v", service, c.State, c.Restarts, c.RestartedForMemory)
			}
			return nil
		}))
	}
}

func judge(c stack.Container) stack.Verdict {
	return stack.Judge(stack.Seen{Service: c.Service, Container: &c, Now: time.Now(), Watched: true})
}
