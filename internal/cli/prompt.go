package cli

import (
	"bufio"
	"cmp"
	"context"
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
func (p *program) confirm(ctx context.Context, plan string) (bool, error) {
	p.errorf("\n%s\n", hung(plan, p.streams.Err))
	answer, err := p.ask(ctx, "Go on?", "yes")
	return strings.HasPrefix(strings.ToLower(answer), "y"), err
}

// confirmDelete asks whether what was named before may be deleted.
func (p *program) confirmDelete(ctx context.Context) error {
	answer, err := p.ask(ctx, "Delete them?", "no")
	if err == nil && !strings.HasPrefix(strings.ToLower(answer), "y") {
		err = fault.New(fault.Refused, errors.New("not confirmed"), "")
	}
	return err
}

// askOptions asks the few questions that matter for a fresh install; an install that exists has answered them.
func (p *program) askOptions(ctx context.Context, o config.Options, dir workdir.Dir) (config.Options, error) {
	if _, exists, err := dir.State(); err != nil || exists {
		return o, err
	}
	p.errorf("This installs SyncMaster in %s. Enter takes the answer in brackets.\n", dir.Path())
	questions := []struct {
		into           *string
		text, fallback string
		production     bool
	}{
		{&o.Preset, "Who will use it: local (you, on this host) or production (others)?", config.Local, false},
		{&o.Auth, "Login: keycloak (set up with --set) or dummy (accepts any password)?", "keycloak", true},
		{&o.PublicURL, "Address of the API in browsers, like https://api.example.com?", "", true},
		{&o.UIURL, "Address of the UI in browsers, like https://syncmaster.example.com?", "", true},
	}
	for _, q := range questions {
		if q.production && o.Preset != config.Production {
			continue
		}
		answer, err := p.ask(ctx, q.text, q.fallback)
		if err != nil {
			return o, err
		}
		*q.into = answer
	}
	superuser := "admin"
	if o.Preset == config.Production {
		superuser = ""
	}
	names, err := p.ask(ctx, "Superusers, separated by commas?", superuser)
	o.Superusers = strings.FieldsFunc(names, func(r rune) bool { return r == ',' || r == ' ' })
	return o, err
}

// ask writes a question to stderr and reads a line; an empty one takes the fallback. Ctrl-C is an answer, too.
func (p *program) ask(ctx context.Context, question, fallback string) (string, error) {
	if fallback != "" {
		question += " [" + fallback + "]"
	}
	p.errorf("%s ", question)
	if p.lines == nil {
		p.lines = bufio.NewReader(p.streams.In)
	}
	p.asking.Store(true)
	defer p.asking.Store(false)
	var line string
	var err error
	read := make(chan struct{})
	go func() {
		line, err = p.lines.ReadString('\n')
		close(read)
	}()
	select {
	case <-ctx.Done(): // who reads goes on until the process ends
		p.errorf("\n")
		return "", fault.New(fault.Refused, errors.New("no answer: interrupted"), "")
	case <-read:
	}
	if errors.Is(err, io.EOF) {
		p.errorf("\n")
		return "", fault.New(fault.Refused, errors.New("no answer: the input ended"), "use --yes to ask nothing")
	}
	if err != nil {
		return "", fmt.Errorf("reading the answer: %w", err)
	}
	return cmp.Or(strings.TrimSpace(line), fallback), nil
}
