package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"syncmaster-setup/test/kit/facts"
)

// workerEntrypoint is the worker image's entry point. Before 0.3.0 everything is an option of Celery's worker; from
// then on the first argument decides, under tini.
func workerEntrypoint(r facts.Release, args []string) int {
	command := []string{"-A", "syncmaster.worker.celery", "worker", "--max-tasks-per-child=1"}
	if r.Old() {
		return celery(r, append(command, args...))
	}
	if len(args) == 0 {
		return fail("+ exec tini -s --\ntini (tini version 0.19.0)\nUsage: tini [OPTIONS] PROGRAM -- [ARGS] | --version")
	}
	switch args[0] {
	case "worker":
		fmt.Fprintf(os.Stderr, "+ exec tini -s -- python -m celery %s %s\n", strings.Join(command, " "), strings.Join(args[1:], " "))
		return celery(r, append(command, args[1:]...))
	case "driver", "executor":
		return fail("standin: Spark on Kubernetes is not imitated")
	}
	fmt.Fprintf(os.Stderr, "+ exec tini -s -- %s\n", strings.Join(args, " "))
	if _, ok := programs()[args[0]]; !ok {
		fmt.Fprintf(os.Stderr, "[FATAL tini (%d)] exec %s failed: No such file or directory\n", os.Getpid(), args[0])
		return 127
	}
	return call(r, args)
}

// celery is `python -m celery -A syncmaster.worker.celery COMMAND`: worker, inspect or control.
func celery(r facts.Release, args []string) int {
	app, rest := "", args
	for len(rest) > 0 && strings.HasPrefix(rest[0], "-") {
		name, value, joined := strings.Cut(rest[0], "=")
		rest = rest[1:]
		if !joined && len(rest) > 0 {
			value, rest = rest[0], rest[1:]
		}
		if name == "-A" || name == "--app" {
			app = value
		}
	}
	if app != "syncmaster.worker.celery" || len(rest) == 0 {
		fmt.Fprintln(os.Stderr, "Usage: python -m celery [OPTIONS] COMMAND [ARGS]...")
		return 2
	}
	s, err := loadSettings(r, facts.Worker)
	if err != nil {
		return fail("%v", err)
	}
	switch rest[0] {
	case "worker":
		options, err := workerOptions(rest[1:])
		if err != nil {
			fmt.Fprintf(os.Stderr, "Usage: python -m celery worker [OPTIONS]\nTry 'python -m celery worker --help' for help.\n\nError: %v\n", err)
			return 2
		}
		quiet = leftoverLogging(r)
		return runWorker(s, options)
	case "inspect", "control":
		return remote(s, rest[0], rest[1:])
	}
	fmt.Fprintf(os.Stderr, "Error: No such command '%s'.\n", rest[0])
	return 2
}

type options struct {
	queues      []string
	concurrency int
	name        string
}

// workerOptions reads the options of `celery worker` that take part in an installation, and refuses unknown ones.
func workerOptions(args []string) (options, error) {
	o := options{queues: []string{"celery"}, concurrency: runtime.NumCPU(), name: nodeName()}
	flags := []string{"-E", "--events", "--task-events", "--without-gossip", "--without-mingle", "--without-heartbeat"}
	for i := 0; i < len(args); i++ {
		name, value, joined := strings.Cut(args[i], "=")
		if !strings.HasPrefix(name, "-") {
			return o, fmt.Errorf("Got unexpected extra argument (%s)", name) //nolint:staticcheck // Celery's words
		}
		if slices.Contains(flags, name) {
			continue
		}
		if short := len(name) > 2 && name[1] != '-'; short {
			name, value, joined = args[i][:2], args[i][2:], true
		}
		if !joined {
			if i++; i >= len(args) {
				return o, fmt.Errorf("Option '%s' requires an argument.", name) //nolint:staticcheck // Celery's words
			}
			value = args[i]
		}
		if err := o.set(name, value); err != nil {
			return o, err
		}
	}
	return o, nil
}

func (o *options) set(name, value string) (err error) {
	switch name {
	case "-Q", "--queues":
		o.queues = strings.Split(value, ",")
	case "-c", "--concurrency":
		if o.concurrency, err = strconv.Atoi(value); err != nil || o.concurrency < 1 {
			return fmt.Errorf("Invalid value for '-c' / '--concurrency': '%s' is not a valid integer.", value) //nolint:staticcheck // Celery's words
		}
	case "-n", "--hostname":
		host := strings.TrimPrefix(nodeName(), "celery@")
		o.name = strings.NewReplacer("%h", host, "%n", host, "%d", "").Replace(value)
		if !strings.Contains(o.name, "@") {
			o.name += "@" + host
		}
	case "-l", "--loglevel":
		levels := []string{"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "FATAL"}
		if !slices.Contains(levels, strings.ToUpper(value)) {
			return errors.New("Invalid value for '-l' / '--loglevel': not one of the log levels.") //nolint:staticcheck // Celery's words
		}
	case "-P", "--pool", "-O", "--prefetch-multiplier", "--max-tasks-per-child", "--max-memory-per-child", "-f", "--logfile",
		"--pidfile", "--time-limit", "--soft-time-limit", "-s", "--statedb", "-I", "--include", "-X", "--exclude-queues":
	default:
		return fmt.Errorf("No such option: %s", name) //nolint:staticcheck // Celery's words
	}
	return nil
}
