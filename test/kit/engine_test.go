package kit_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"syncmaster-setup/test/kit"
)

var engine *client.Client

// TestMain builds the images first: without an engine the tests fail.
func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	ctx := context.Background()
	flag.Parse()
	// The tests wait for containers more than they compute.
	if err := flag.Set("test.parallel", "6"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := kit.Build(ctx, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var err error
	if engine, err = client.New(client.FromEnv); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = engine.Close() }()
	return m.Run()
}

// box is a container of a test.
type box struct {
	id string
	ip string
}

// spec says how to run one.
type spec struct {
	image      string // without the prefix
	entrypoint []string
	cmd        []string
	env        []string
	binds      []string
	hostname   string
	init       bool
	tmpfs      map[string]string
}

// start runs a container that is removed with its anonymous volumes when the test ends.
func start(t *testing.T, s spec) *box {
	t.Helper()
	created, err := engine.ContainerCreate(t.Context(), client.ContainerCreateOptions{
		Config: &container.Config{
			Image: kit.Prefix + "/" + s.image, Entrypoint: s.entrypoint, Cmd: s.cmd, Env: s.env, Hostname: s.hostname,
			Labels: map[string]string{"smkit": "test"},
		},
		HostConfig: &container.HostConfig{Binds: s.binds, Init: &s.init, Tmpfs: s.tmpfs},
		Name:       fmt.Sprintf("smkit-test-%d", time.Now().UnixNano()),
	})
	if err != nil {
		t.Fatal(err)
	}
	b := &box{id: created.ID}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if t.Failed() {
			logs := b.logs(t)
			t.Logf("end of the log of %s:\n%s", s.image, logs[max(0, len(logs)-1500):])
		}
		if _, err := engine.ContainerRemove(ctx, b.id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true}); err != nil {
			t.Error(err)
		}
	})
	b.start(t)
	return b
}

func (b *box) start(t *testing.T) {
	t.Helper()
	if _, err := engine.ContainerStart(t.Context(), b.id, client.ContainerStartOptions{}); err != nil {
		t.Fatal(err)
	}
	seen := b.inspect(t)
	for _, n := range seen.NetworkSettings.Networks {
		b.ip = n.IPAddress.String()
	}
}

func (b *box) inspect(t *testing.T) container.InspectResponse {
	t.Helper()
	seen, err := engine.ContainerInspect(context.WithoutCancel(t.Context()), b.id, client.ContainerInspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return seen.Container
}

// stop stops the container and returns how long that took and its exit status.
func (b *box) stop(t *testing.T, limit int) (time.Duration, int) {
	t.Helper()
	began := time.Now()
	if _, err := engine.ContainerStop(t.Context(), b.id, client.ContainerStopOptions{Timeout: &limit}); err != nil {
		t.Fatal(err)
	}
	return time.Since(began), b.inspect(t).State.ExitCode
}

// exit waits until the container has ended by itself.
func (b *box) exit(t *testing.T) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	wait := engine.ContainerWait(ctx, b.id, client.ContainerWaitOptions{Condition: container.WaitConditionNotRunning})
	select {
	case res := <-wait.Result:
		return int(res.StatusCode), b.logs(t)
	case err := <-wait.Error:
		t.Fatalf("waiting for the container to end: %v\n%s", err, b.logs(t))
	}
	return 0, ""
}

func (b *box) logs(t *testing.T) string {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	r, err := engine.ContainerLogs(ctx, b.id, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true})
	if err != nil {
		t.Fatal(err)
	}
	return demultiplex(t, r)
}

// exec runs a command inside and returns its status and output.
func (b *box) exec(t *testing.T, args ...string) (int, string) {
	t.Helper()
	created, err := engine.ExecCreate(t.Context(), b.id, client.ExecCreateOptions{Cmd: args, AttachStdout: true, AttachStderr: true})
	if err != nil {
		t.Fatal(err)
	}
	attached, err := engine.ExecAttach(t.Context(), created.ID, client.ExecAttachOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer attached.Close()
	out := demultiplex(t, io.NopCloser(attached.Reader))
	seen, err := engine.ExecInspect(t.Context(), created.ID, client.ExecInspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return seen.ExitCode, out
}

func demultiplex(t *testing.T, r io.ReadCloser) string {
	t.Helper()
	var out bytes.Buffer
	if _, err := stdcopy.StdCopy(&out, &out, r); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// until repeats a check until it succeeds; its last error says what was missing.
func until(t *testing.T, limit time.Duration, check func() error) {
	t.Helper()
	deadline := time.After(limit)
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("after %s: %v", limit, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// says waits until the log of the container holds a text.
func (b *box) says(t *testing.T, text string) {
	t.Helper()
	until(t, 15*time.Second, func() error {
		if logs := b.logs(t); !strings.Contains(logs, text) {
			return fmt.Errorf("the log lacks %q:\n%s", text, logs)
		}
		return nil
	})
}
