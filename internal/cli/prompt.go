package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"syncmaster-setup/internal/config"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/workdir"
)

// interactive reports whether there is somebody to ask.
func (p *program) interactive() bool {
	return !p.json && isTerminal(p.streams.In) && isTerminal(p.streams.Err)
}

// confirm shows the plan and asks whether to go on.
func (p *program) confirm(plan string) (bool, error) {
	p.errorf("\n%s\n", plan)
	answer, err := p.ask("Go on?", "yes")
	return strings.HasPrefix(strings.ToLower(answer), "y"), err
}

// askOptions asks the few questions that matter for a fresh install; an install that exists has answered them.
func (p *program) askOptions(o config.Options, dir workdir.Dir) (config.Options, error) {
	if _, exists, err := dir.State(); err != nil || exists {
		return o, err
	}
	p.errorf("This installs SyncMaster in %s. Enter takes the answer in brackets.\n", dir.Path())
	questions := []struct {
		into           *string
		text, fallback string
		production     bool
	}{
		{&o.Preset, "Who will use it: local (one person on this host) or production (others)?", config.Local, false},
		{&o.Auth, "Login: keycloak (its settings are given with --set) or dummy (accepts any password)?", "keycloak", true},
		{&o.PublicURL, "Address of the API as browsers see it, like https://api.example.com?", "", true},
		{&o.UIURL, "Address of the UI as browsers see it, like https://syncmaster.example.com?", "", true},
	}
	for _, q := range questions {
		if q.production && o.Preset != config.Production {
			continue
		}
		answer, err := p.ask(q.text, q.fallback)
		if err != nil {
			return o, err
		}
		*q.into = answer
	}
	superuser := "admin"
	if o.Preset == config.Production {
		superuser = ""
	}
	names, err := p.ask("Superusers, separated by commas?", superuser)
	o.Superusers = strings.FieldsFunc(names, func(r rune) bool { return r == ',' || r == ' ' })
	return o, err
}

// ask writes a question to stderr and reads a line; an empty one takes the fallback.
func (p *program) ask(question, fallback string) (string, error) {
	if fallback != "" {
		question += " [" + fallback + "]"
	}
	p.errorf("%s ", question)
	if p.lines == nil {
		p.lines = bufio.NewReader(p.streams.In)
	}
	line, err := p.lines.ReadString('\n')
	if errors.Is(err, io.EOF) {
		return "", fault.New(fault.Refused, errors.New("no answer: the input ended"), "use --yes to ask nothing")
	}
	if err != nil {
		return "", fmt.Errorf("reading the answer: %w", err)
	}
	if line = strings.TrimSpace(line); line == "" {
		return fallback, nil
	}
	return line, nil
}
