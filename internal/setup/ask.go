package setup

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// askLimit bounds each question of status and doctor, so that one that hangs does not hide the answers to the others.
const askLimit = 3 * time.Second

// ask puts a question that ends with its limit, whether or not the one that is asked heeds its context. The question
// must not touch what its caller uses: it may go on for a moment after that.
func ask[T any](ctx context.Context, question func(context.Context) (T, error)) (T, error) {
	limited, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	type reply struct {
		value T
		err   error
	}
	replies := make(chan reply, 1)
	go func() {
		value, err := question(limited)
		replies <- reply{value, err}
	}()
	select {
	case r := <-replies:
		if r.err != nil && limited.Err() != nil && ctx.Err() == nil {
			r.err = noAnswer()
		}
		return r.value, r.err
	case <-limited.Done():
		var nothing T
		if ctx.Err() != nil {
			return nothing, context.Cause(ctx)
		}
		return nothing, noAnswer()
	}
}

func noAnswer() error { return fmt.Errorf("no answer within %s", askLimit) }

// inFolder returns a command for the install folder as it is typed anywhere. Behind four blanks a remark may follow.
func (w world) inFolder(command string) string {
	ours, is := strings.CutPrefix(command, "syncmaster-setup ")
	switch {
	case command == "":
		return ""
	case !is:
		return "cd " + shellWord(w.dir) + " && " + command
	}
	dir := w.dir
	if options, init := strings.CutPrefix(ours, "init"); init && w.state.Options.Dev {
		ours, dir = w.devCommand(options), filepath.Dir(w.dir)
	}
	end := commandWords.FindStringIndex(ours)[1] // an option behind an argument would not be read
	return "syncmaster-setup " + ours[:end] + " --dir " + shellWord(dir) + ours[end:]
}

// initially returns init for the install folder, behind other commands there and the start of what init waits for: it leaves
// alone what somebody has stopped.
func (v *sight) initially(before ...string) string {
	var stopped []string
	for _, service := range v.options.Infrastructure() {
		if c, exists := v.observed.Container(service); exists && c.State == "exited" && !v.state.Options.Dev {
			stopped = append(stopped, service)
		}
	}
	if len(stopped) > 0 {
		before = append(before, "docker compose start "+strings.Join(stopped, " "))
	}
	init := v.inFolder("syncmaster-setup init")
	if len(before) == 0 {
		return init
	}
	return v.inFolder(strings.Join(append(before, init), " && "))
}

// commandWords are those before the options and arguments.
var commandWords = regexp.MustCompile(`^[a-z]+( [a-z]+\b)*`)

// devCommand is what init with options is in a development environment, which has no others than those of what is built.
func (w world) devCommand(options string) string {
	options, _, _ = strings.Cut(options, "    ")
	if w.state.Options.Source == "" || !strings.Contains(options, "--queue ") && !strings.Contains(options, "--profile ") {
		return "dev up"
	}
	return "dev up --source " + shellWord(w.state.Options.Source) + options
}

// shellWord returns a path as a shell reads it.
func shellWord(path string) string {
	if strings.ContainsAny(path, " '\"$&;()*?[]<>|\\`") {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}
