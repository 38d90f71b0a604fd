package e2e_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// untyped are the checks whose advice nobody can type, or that only the machine's owner can follow, with how the tests make
// them pass all the same.
var untyped = map[string]string{
	"engine": "the engine comes back", "remote": "it runs on the engine's own machine", "memory": "the machine gets more", "clock": "the clock is set",
	"disk": "space is made", "ports": "what holds the port is ended", "environment": "the variable is unset", "proxy": "the client's configuration is written",
	"project": "the file that was written comes back", "percent": "another password is chosen", "config-file": "the file is no longer mounted",
	"identity": "the volume is the right one again", "logs": "a limit is set in the override file", "broker-version": "another broker answers",
	"worker-queues": "the queue is created in the UI",
}

// tally is what the tests of doctor have seen of its checks.
type tally struct {
	mu    sync.Mutex
	known map[string]bool // a check: it failed or warned where a test wanted it
	gone  map[string]bool // and passed after that
	typed map[string]bool // because its own advice was typed
}

var checks = tally{known: map[string]bool{}, gone: map[string]bool{}, typed: map[string]bool{}}

// note adds a finding that a test has waited for.
func (c *tally) note(f finding) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch f.Level {
	case "fail", "warn":
		c.known[f.ID] = true
	case "pass":
		c.gone[f.ID] = c.gone[f.ID] || c.known[f.ID]
	}
}

// list adds the checks that there are.
func (c *tally) list(findings map[string]finding) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range findings {
		c.known[id] = c.known[id] || false
	}
}

// follow notes that the advice of a check was typed.
func (c *tally) follow(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.typed[id] = true
}

// complete is an error where a check was forgotten: each must have been brought about, and gone after its own advice was
// typed, unless that cannot be done. A run of only some of the tests of doctor tells nothing.
func (c *tally) complete() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	pattern := flag.Lookup("test.run").Value.String()
	whole, err := regexp.MatchString(pattern, "TestDoctorOfAnyKind")
	if err != nil || !whole || strings.Contains(pattern, "/") {
		return err
	}
	var errs []error
	for _, id := range slices.Sorted(maps.Keys(c.known)) {
		switch {
		case !c.known[id]:
			errs = append(errs, fmt.Errorf("no test brings about what the check %s looks for", id))
		case !c.gone[id]:
			errs = append(errs, fmt.Errorf("no test has seen the check %s pass again", id))
		case !c.typed[id] && untyped[id] == "":
			errs = append(errs, fmt.Errorf("no test types the advice of the check %s", id))
		}
	}
	for id := range untyped {
		if _, is := c.known[id]; !is {
			errs = append(errs, fmt.Errorf("there is no check %s", id))
		}
	}
	return errors.Join(errs...)
}
