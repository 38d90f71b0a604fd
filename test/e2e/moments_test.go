package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"
)

// moment is when something happened.
type moment struct {
	what string
	at   time.Time
}

// mustBeInOrder fails the test where one moment is before the one that comes before it.
func mustBeInOrder(t *testing.T, list ...moment) {
	t.Helper()
	for i := 1; i < len(list); i++ {
		if before, m := list[i-1], list[i]; m.at.Before(before.at) {
			t.Errorf("%s (%s) was before %s (%s)", m.what, m.at.Format(time.StampMilli), before.what, before.at.Format(time.StampMilli))
		}
	}
}

// engineEvents are what the engine tells of the containers of a stack.
type engineEvents struct {
	t    *testing.T
	mu   sync.Mutex
	list []events.Message
}

// watchEngine listens to the engine until the end of the test.
func (s *stack) watchEngine() *engineEvents {
	s.t.Helper()
	e := &engineEvents{t: s.t}
	told := s.engine.Events(s.t.Context(), client.EventsListOptions{Filters: s.filter().Add("type", "container")})
	go func() {
		for {
			select {
			case message := <-told.Messages:
				e.mu.Lock()
				e.list = append(e.list, message)
				e.mu.Unlock()
			case <-told.Err: // the test has ended; without an event that it needs, it fails
				return
			}
		}
	}()
	return e
}

// first returns when something was first done with the container of a service.
func (e *engineEvents) first(action, service string) moment {
	e.t.Helper()
	var m moment
	eventually(e.t, func() error {
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, message := range e.list {
			if string(message.Action) == action && message.Actor.Attributes["com.docker.compose.service"] == service {
				m = moment{action + " of " + service, time.Unix(0, message.TimeNano)}
				return nil
			}
		}
		return fmt.Errorf("the engine tells of no %s of %s", action, service)
	})
	return m
}

// answers are those of the server of a stack, one after the other.
type answers struct {
	end func()

	mu   sync.Mutex
	list []answer
}

type answer struct {
	came time.Time
	err  error
}

// keepAsking asks the server again and again until somebody wants to know of its answers.
func (s *stack) keepAsking() *answers {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	var asking sync.WaitGroup
	a := &answers{end: func() { cancel(); asking.Wait() }}
	asking.Go(func() {
		for pause(ctx, 25*time.Millisecond) {
			err := ping(s.api("/monitoring/ping"))
			a.mu.Lock()
			a.list = append(a.list, answer{time.Now(), err})
			a.mu.Unlock()
		}
	})
	return a
}

func ping(address string) error {
	patient := http.Client{Timeout: 10 * time.Second}
	res, err := patient.Get(address)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // its status says all
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", res.Status)
	}
	return nil
}

// told is how long the engine may take to tell of a signal that it has sent.
const told = 300 * time.Millisecond

// fewQuestions would show too little.
const fewQuestions = 20

// mustComeAll is [answers.mustComeUntil] now, once there are enough of them.
func (a *answers) mustComeAll(t *testing.T) {
	t.Helper()
	eventually(t, func() error {
		a.mu.Lock()
		defer a.mu.Unlock()
		if n := len(a.list); n < fewQuestions {
			return fmt.Errorf("only %d questions were asked", n)
		}
		return nil
	})
	a.mustComeUntil(t, time.Now().Add(told))
}

// mustComeUntil ends the questions, and fails the test where one that was asked before a moment had no answer.
func (a *answers) mustComeUntil(t *testing.T, moment time.Time) {
	t.Helper()
	a.end()
	came := 0
	for _, answer := range a.list {
		if answer.came.After(moment.Add(-told)) {
			break
		}
		if came++; answer.err != nil {
			t.Errorf("%s before that the server does not answer: %v", moment.Sub(answer.came), answer.err)
		}
	}
	if came < fewQuestions {
		t.Errorf("only %d questions were asked", came)
	}
}
