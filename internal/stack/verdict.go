package stack

import (
	"fmt"
	"time"
)

// State is the word for how a service is.
type State string

// The states of a service. Done and Failed are those of a one-off.
const (
	Starting     State = "starting"
	Healthy      State = "healthy"
	Unhealthy    State = "unhealthy"
	CrashLoop    State = "crash loop"
	OutOfMemory  State = "out of memory"
	Paused       State = "paused"
	Stopped      State = "stopped"
	NeverStarted State = "never started"
	ImageMissing State = "image missing"
	Done         State = "done"
	Failed       State = "failed"
	Unknown      State = "unknown"
)

const (
	// slow is how long a service may take from its start to its first answer before that is an illness. Python with its
	// dependencies takes tens of seconds on a busy host.
	slow = time.Minute
	// settled is how long a program must run without a health check or protocol of its own before it counts as up.
	settled = 5 * time.Second
	// hopeless is the number of restarts from which a program that runs for less than [slow] is taken to crash again: the
	// engine waits longer and longer between them, and one restart alone may have been a database that was late.
	hopeless = 2
)

// Seen is what is known of one service when it is judged.
type Seen struct {
	Service      string
	Container    *Container // nil where there is none
	ImageMissing bool       // the engine does not hold the service's image
	OneOff       bool       // its program does its work and ends
	Now          time.Time  // by the engine's clock

	// Watched is set by one who has waited since the container had Restarts of them: any further one is a crash then.
	Watched  bool
	Restarts int

	Asked  bool  // it was asked in its own protocol
	Answer error // what came of that, nil for the right answer
}

// Verdict is how a service is, why, and what to do about it.
type Verdict struct {
	State  State
	Reason string // empty for a healthy service
	Next   string // a command for the install folder, empty where nothing is to be done
}

// Well reports whether nothing is to be done.
func (v Verdict) Well() bool { return v.State == Healthy || v.State == Done }

// Mend is what has to be done before the next step, empty where only the last lines can tell.
func (v Verdict) Mend() string {
	if v.State == OutOfMemory {
		return "give the service or the host more memory"
	}
	return ""
}

// Hopeless reports whether waiting for the service makes no sense.
func (v Verdict) Hopeless() bool {
	switch v.State {
	case CrashLoop, OutOfMemory, Stopped, Paused, Failed:
		return true
	}
	return false
}

// Judge says how a service is. It tells a slow start from a crash loop by restarts, exit code and time since the start.
func Judge(s Seen) Verdict {
	c := s.Container
	switch {
	case c == nil && s.OneOff:
		return Verdict{State: Done}
	case s.ImageMissing && (c == nil || c.State == "created" || c.State == "exited"):
		return Verdict{ImageMissing, fmt.Sprintf("the image of %s is not on this engine", s.Service), "syncmaster-setup init"}
	case c == nil:
		return Verdict{NeverStarted, fmt.Sprintf("service %s has no container", s.Service), "syncmaster-setup init"}
	case s.outOfMemory():
		return Verdict{OutOfMemory, fmt.Sprintf("service %s ran out of memory", s.Service),
			"docker compose up --detach --no-deps " + s.Service}
	case c.State == "restarting", s.restartsAgain():
		return Verdict{CrashLoop, s.crash(), "docker compose logs --tail 50 " + s.Service}
	case c.State == "paused":
		return Verdict{Paused, fmt.Sprintf("service %s is paused", s.Service), "docker compose unpause " + s.Service}
	case c.State == "created":
		return Verdict{NeverStarted, fmt.Sprintf("the container of service %s was never started", s.Service), "docker compose start " + s.Service}
	case c.State != "running":
		return s.ended()
	}
	return s.running()
}

// outOfMemory reports a program that was ended for its memory. One that runs on may have lost only one of its children,
// unless it is restarted again and again: then the engine has forgotten the flag with each start.
func (s Seen) outOfMemory() bool {
	c := s.Container
	return c.OOMKilled && (s.Watched || c.State != "running") || c.RestartedForMemory && s.restartsAgain()
}

func (s Seen) restartsAgain() bool { return s.restartedWhileWatched() || s.restartedAgain() }

// restartedWhileWatched reports a restart that somebody who waits has seen.
func (s Seen) restartedWhileWatched() bool { return s.Watched && s.Container.Restarts > s.Restarts }

// restartedAgain reports restarts that have not ended, to somebody who looks once.
func (s Seen) restartedAgain() bool {
	return !s.Watched && s.Container.Restarts >= hopeless && s.age() < slow
}

// crash describes a crash loop. A program that runs again has made the engine forget the code of the run before.
func (s Seen) crash() string {
	if s.Container.State == "restarting" {
		return fmt.Sprintf("service %s keeps restarting: its program ended with code %d", s.Service, s.Container.ExitCode)
	}
	return fmt.Sprintf("service %s keeps restarting", s.Service)
}

func (s Seen) ended() Verdict {
	code := s.Container.ExitCode
	switch {
	case s.OneOff && code == 0:
		return Verdict{State: Done}
	case s.OneOff:
		return Verdict{Failed, fmt.Sprintf("%s ended with code %d", s.Service, code), "docker compose logs --tail 50 " + s.Service}
	}
	return Verdict{Stopped, fmt.Sprintf("service %s ended with code %d", s.Service, code), "docker compose start " + s.Service}
}

func (s Seen) running() Verdict {
	young := s.age() < slow
	const watch = "syncmaster-setup status --watch"
	look := "docker compose logs --tail 50 " + s.Service
	switch {
	case s.OneOff:
		return Verdict{Starting, s.Service + " is at work", watch}
	case s.Asked && s.Answer == nil:
		return Verdict{State: Healthy}
	case s.Asked && young:
		return Verdict{Starting, fmt.Sprintf("service %s does not answer yet: %v", s.Service, s.Answer), watch}
	case s.Asked:
		return Verdict{Unhealthy, fmt.Sprintf("service %s does not answer: %v", s.Service, s.Answer), look}
	case s.Container.Health == "unhealthy":
		return Verdict{Unhealthy, fmt.Sprintf("the health check of service %s fails", s.Service), look}
	case s.Container.Health == "starting" && young, s.Container.Health == "" && s.age() < settled:
		return Verdict{Starting, fmt.Sprintf("service %s has just been started", s.Service), watch}
	}
	return Verdict{State: Healthy}
}

func (s Seen) age() time.Duration { return s.Now.Sub(s.Container.StartedAt) }
