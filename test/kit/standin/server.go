package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"syncmaster-setup/test/kit/facts"
)

// serverEntrypoint is the server image's entry point: superusers first, then the server on port 8000.
func serverEntrypoint(r facts.Release, args []string) int {
	if err := superusersStep(r); err != nil {
		return fail("%v", err)
	}
	return server(r, append([]string{"--host", "0.0.0.0", "--port", "8000"}, args...))
}

// server is `python -m syncmaster.server`, uvicorn with its options.
func server(r facts.Release, args []string) int {
	s, err := loadSettings(r, facts.Server)
	if err != nil {
		return fail("%v", err)
	}
	quiet = leftoverLogging(r)
	address, root, err := uvicornOptions(args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "Usage: python -m syncmaster.server [OPTIONS] APP\n\nError: %v\n", err)
		return 2
	}
	if err := checkMetricsDir(); err != nil {
		return fail("%v", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	return serve(ctx, address, newAPI(s, root))
}

// leftoverLogging reports whether old logging settings replace the built-in logging of 0.3.x by nothing.
func leftoverLogging(r facts.Release) bool {
	for _, pair := range os.Environ() {
		if !r.Old() && strings.HasPrefix(strings.ToUpper(pair), "SYNCMASTER__LOGGING__") {
			return true
		}
	}
	return false
}

// uvicornOptions reads the options that installations use; all of them take a value, most of them without effect here.
func uvicornOptions(args []string) (address, root string, err error) {
	host, port := "127.0.0.1", "8000"
	for i := 0; i < len(args); i++ {
		name, value, joined := strings.Cut(args[i], "=")
		if !strings.HasPrefix(name, "--") {
			return "", "", fmt.Errorf("got unexpected extra argument (%s)", name)
		}
		if name == "--proxy-headers" || name == "--no-access-log" || name == "--no-proxy-headers" {
			continue
		}
		if !joined {
			if i++; i >= len(args) {
				return "", "", fmt.Errorf("option '%s' requires an argument", name)
			}
			value = args[i]
		}
		switch name {
		case "--host":
			host = value
		case "--port":
			port = value
		case "--root-path":
			root = value
		case "--workers", "--log-level", "--forwarded-allow-ips", "--timeout-keep-alive", "--limit-concurrency",
			"--timeout-graceful-shutdown", "--backlog", "--limit-max-requests":
		default:
			return "", "", fmt.Errorf("no such option: %s", name)
		}
	}
	return net.JoinHostPort(host, port), root, nil
}

// checkMetricsDir fails as prometheus_client does where the folder of several processes cannot be used.
func checkMetricsDir() error {
	dir := os.Getenv("PROMETHEUS_MULTIPROC_DIR")
	if dir == "" {
		return nil
	}
	f, err := os.CreateTemp(dir, "counter_*.db")
	if err != nil {
		return fmt.Errorf("PROMETHEUS_MULTIPROC_DIR: %w", err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// serve answers HTTP over IPv4 until the context ends.
func serve(ctx context.Context, address string, handler http.Handler) int {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", address)
	if err != nil {
		return fail("ERROR:    [Errno 98] error while attempting to bind on address: %v", err)
	}
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		stopped <- srv.Shutdown(limit)
	}()
	logf("INFO:     Application startup complete. Listening on http://%s", address)
	if err := srv.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fail("serving: %v", err)
	}
	if err := <-stopped; err != nil {
		return fail("stopping: %v", err)
	}
	logf("INFO:     Finished server process")
	return 0
}
