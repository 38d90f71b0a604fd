package setup

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"syncmaster-setup/internal/config"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/secret"
	"syncmaster-setup/internal/stack"
)

// LogOptions choose what of the logs is read.
type LogOptions struct {
	Services []string       // empty for all that have a container
	Since    time.Time      // zero: from the beginning
	Tail     int            // no more than so many of the last lines of each container; negative for all
	Follow   bool           // go on until the context ends, or every container has
	Grep     *regexp.Regexp // lines whose text fits; nil for all
}

// LogLine is one line of a service's log, without escape sequences and secrets.
type LogLine struct {
	Time      time.Time `json:"time"`
	Service   string    `json:"service"`
	Container string    `json:"container"`
	Stream    string    `json:"stream"`
	Text      string    `json:"text"`
}

// Log is what the containers of an install have written.
type Log struct {
	engine     Engine
	options    LogOptions
	containers []stack.Container
	redactor   *secret.Redactor
}

// OpenLog finds the containers whose logs are asked for. It changes nothing.
func (s *Setup) OpenLog(ctx context.Context, o LogOptions) (*Log, error) {
	w, err := s.observeAtWork()
	if err != nil {
		return nil, err
	}
	if !w.installed {
		return nil, w.notYet(fault.New(fault.BadInput, fmt.Errorf("%s holds no install of syncmaster-setup", w.dir), "name the folder with --dir"))
	}
	if err := w.recall(config.Options{}); err != nil {
		return nil, err
	}
	engine, err := s.Connect(ctx)
	if err != nil {
		return nil, err
	}
	observed, err := engine.Observe(ctx, w.options.Project, nil)
	if err != nil {
		return nil, err
	}
	w.observed = observed
	r := &run{Setup: s, world: w}
	_ = r.load(ctx) // where Compose refuses the folder, the containers themselves have what they can tell
	redactor, err := w.redactor(r.project)
	if err != nil {
		return nil, err
	}
	if len(observed.Containers) == 0 {
		return nil, w.notYet(fault.New(fault.Refused, errors.New("this install has no container"), "type: syncmaster-setup "+w.continueWith()))
	}
	containers, err := chooseContainers(observed.Containers, o.Services)
	if err != nil {
		return nil, err
	}
	return &Log{engine: engine, options: o, containers: containers, redactor: redactor}, nil
}

// chooseContainers returns the containers of the services, or of all where none is named.
func chooseContainers(all []stack.Container, services []string) ([]stack.Container, error) {
	var known []string
	for _, c := range all {
		known = append(known, c.Service)
	}
	slices.Sort(known)
	known = slices.Compact(known)
	problems := &fault.Problems{Code: fault.BadInput}
	for _, service := range services {
		if !slices.Contains(known, service) {
			problems.Add(fmt.Sprintf("no container belongs to a service %q", service), "there are "+strings.Join(known, ", "))
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(c stack.Container) bool {
		return len(services) > 0 && !slices.Contains(services, c.Service)
	}), problems.Err()
}

// Labels returns a short name of each container: its service, or its own name where the service has several.
func (l *Log) Labels() map[string]string {
	count := map[string]int{}
	for _, c := range l.containers {
		count[c.Service]++
	}
	labels := map[string]string{}
	for _, c := range l.containers {
		labels[c.Name] = c.Service
		if count[c.Service] > 1 {
			labels[c.Name] = c.Name
		}
	}
	return labels
}
