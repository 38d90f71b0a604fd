package setup

import (
	"context"
	"fmt"
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

// inFolder returns a command for the install folder as it is typed anywhere.
func (w world) inFolder(command string) string {
	dir := w.dir
	if strings.ContainsAny(dir, " '\"$&;()*?[]<>|\\`") {
		dir = "'" + strings.ReplaceAll(dir, "'", `'\''`) + "'"
	}
	switch {
	case command == "":
		return ""
	case strings.HasPrefix(command, "syncmaster-setup "):
		return command + " --dir " + dir
	}
	return "cd " + dir + " && " + command
}
