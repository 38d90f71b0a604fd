package stack_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"syncmaster-setup/internal/stack"
)

func TestJudge(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	silent := errors.New("connection refused")
	container := func(state string, change func(*stack.Container)) *stack.Container {
		c := &stack.Container{State: state, StartedAt: now.Add(-time.Hour)}
		if change != nil {
			change(c)
		}
		return c
	}
	young := func(c *stack.Container) { c.StartedAt = now.Add(-2 * time.Second) }
	tests := []struct {
		name   string
		seen   stack.Seen
		want   stack.State
		reason string
	}{
		{"answers", stack.Seen{Container: container("running", nil), Asked: true}, stack.Healthy, ""},
		{"answers though the last check of the engine failed", stack.Seen{Container: container("running", func(c *stack.Container) { c.Health = "unhealthy" }), Asked: true}, stack.Healthy, ""},
		{"slow start", stack.Seen{Container: container("running", young), Asked: true, Answer: silent}, stack.Starting, "connection refused"},
		{"restarted once, and starts", stack.Seen{Container: container("running", func(c *stack.Container) { young(c); c.Restarts = 1 }), Asked: true, Answer: silent}, stack.Starting, "yet"},
		{"restarted again and again", stack.Seen{Container: container("running", func(c *stack.Container) { young(c); c.Restarts = 2 }), Asked: true}, stack.CrashLoop, "keeps restarting"},
		{"restarted last week", stack.Seen{Container: container("running", func(c *stack.Container) { c.Restarts = 9 }), Asked: true}, stack.Healthy, ""},
		{"between two restarts", stack.Seen{Container: container("restarting", func(c *stack.Container) { c.ExitCode = 2 })}, stack.CrashLoop, "ended with code 2"},
		{"silent for long", stack.Seen{Container: container("running", nil), Asked: true, Answer: silent}, stack.Unhealthy, "does not answer: connection refused"},
		{"health check fails", stack.Seen{Container: container("running", func(c *stack.Container) { c.Health = "unhealthy" })}, stack.Unhealthy, "health check"},
		{"health check has not run", stack.Seen{Container: container("running", func(c *stack.Container) { young(c); c.Health = "starting" })}, stack.Starting, "just"},
		{"no check, just started", stack.Seen{Container: container("running", young)}, stack.Starting, "just"},
		{"no check, settled", stack.Seen{Container: container("running", nil)}, stack.Healthy, ""},
		{"stopped", stack.Seen{Container: container("exited", nil)}, stack.Stopped, "ended with code 0"},
		{"dead", stack.Seen{Container: container("dead", func(c *stack.Container) { c.ExitCode = 9 })}, stack.Stopped, "ended with code 9"},
		{"out of memory", stack.Seen{Container: container("exited", func(c *stack.Container) { c.OOMKilled, c.ExitCode = true, 137 })}, stack.OutOfMemory, "memory"},
		{"out of memory, between two restarts", stack.Seen{Container: container("restarting", func(c *stack.Container) { c.OOMKilled, c.ExitCode = true, 137 })}, stack.OutOfMemory, "memory"},
		{"out of memory, restarted again and again", stack.Seen{Container: container("running", func(c *stack.Container) { young(c); c.Restarts, c.RestartedForMemory = 2, true })}, stack.OutOfMemory, "memory"},
		{"out of memory, and recovered", stack.Seen{Container: container("running", func(c *stack.Container) { c.Restarts, c.RestartedForMemory = 2, true }), Asked: true}, stack.Healthy, ""},
		{"a child of it was out of memory", stack.Seen{Container: container("running", func(c *stack.Container) { c.OOMKilled = true }), Asked: true}, stack.Healthy, ""},
		{"paused", stack.Seen{Container: container("paused", nil)}, stack.Paused, "is paused"},
		{"never started", stack.Seen{Container: container("created", nil)}, stack.NeverStarted, "never started"},
		{"no container", stack.Seen{}, stack.NeverStarted, "no container"},
		{"no image", stack.Seen{ImageMissing: true}, stack.ImageMissing, "image of s"},
		{"no image any more, but running", stack.Seen{ImageMissing: true, Container: container("running", nil)}, stack.Healthy, ""},
		{"one-off that failed", stack.Seen{OneOff: true, Container: container("exited", func(c *stack.Container) { c.ExitCode = 3 })}, stack.Failed, "ended with code 3"},
		{"one-off that is done", stack.Seen{OneOff: true, Container: container("exited", nil)}, stack.Done, ""},
		{"one-off that was never needed", stack.Seen{OneOff: true}, stack.Done, ""},
	}
	for _, tt := range tests {
		tt.seen.Service, tt.seen.Now = "s", now
		got := stack.Judge(tt.seen)
		if got.State != tt.want || !strings.Contains(got.Reason, tt.reason) {
			t.Errorf("%s: %+v, want %s with %q", tt.name, got, tt.want, tt.reason)
		}
		if got.Well() != (got.Reason == "") || got.Well() != (got.Next == "") {
			t.Errorf("%s: %+v: a service that is not well has a reason and a next step", tt.name, got)
		}
	}
}

// TestHopeless is what a wait for a service asks of it.
func TestHopeless(t *testing.T) {
	tests := []struct {
		container stack.Container
		restarts  int
		want      string
	}{
		{stack.Container{State: "running"}, 0, ""},
		{stack.Container{State: "created"}, 0, ""},
		{stack.Container{State: "running", Health: "unhealthy"}, 0, ""},
		{stack.Container{State: "running", Restarts: 3}, 3, ""},
		{stack.Container{State: "running", Restarts: 4, ExitCode: 1}, 3, "service s keeps restarting"},
		{stack.Container{State: "restarting", Restarts: 1, ExitCode: 2}, 0, "service s keeps restarting: its program ended with code 2"},
		{stack.Container{State: "exited", ExitCode: 0}, 0, "service s ended with code 0"},
		{stack.Container{State: "dead", ExitCode: 9}, 0, "service s ended with code 9"},
		{stack.Container{State: "exited", ExitCode: 137, OOMKilled: true}, 0, "service s ran out of memory"},
		{stack.Container{State: "running", Restarts: 1, RestartedForMemory: true}, 0, "service s ran out of memory"},
		{stack.Container{State: "paused"}, 0, "service s is paused"},
	}
	for _, tt := range tests {
		v := stack.Judge(stack.Seen{Service: "s", Container: &tt.container, Watched: true, Restarts: tt.restarts})
		if v.Hopeless() != (tt.want != "") || tt.want != "" && v.Reason != tt.want {
			t.Errorf("%+v: %+v, want %q", tt.container, v, tt.want)
		}
	}
}
