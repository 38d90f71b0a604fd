package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"syncmaster-setup/test/jsonschema"
)

// runLimit ends a program that hangs.
const runLimit = 3 * time.Minute

// result is what a run of a program has left.
type result struct {
	command        string
	stdout, stderr string
	code           int
	took           time.Duration
}

// event is a line of --output json; the last one is the result object.
type event struct {
	Event    string
	Step     string
	Index    int
	Total    int
	Text     string
	Bytes    int64
	OfBytes  int64 `json:"of_bytes"`
	Result   string
	ExitCode int `json:"exit_code"`
	Problems []struct{ What, Hint string }
	Changed  bool
	Stopped  []string
	Services []string
	Plan     string
}

// said returns both streams.
func (r result) said() string { return r.stdout + r.stderr }

// is fails the test unless the run ended with a code.
func (r result) is(t *testing.T, code int) result {
	t.Helper()
	if r.code != code {
		t.Fatalf("%s\nended with %d instead of %d\n%s", r.command, r.code, code, r.said())
	}
	return r
}

// says fails the test unless each text is in one of the streams.
func (r result) says(t *testing.T, texts ...string) result {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.said(), text) {
			t.Errorf("%s\ndoes not say %q:\n%s", r.command, text, r.said())
		}
	}
	return r
}

// events reads the lines of --output json.
func (r result) events(t *testing.T) []event {
	t.Helper()
	var list []event
	for line := range strings.Lines(r.stdout) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%s\nwrote a line that is no JSON object: %q: %v", r.command, line, err)
		}
		list = append(list, e)
	}
	return list
}

// object returns the one result object, which is the last line.
func (r result) object(t *testing.T) event {
	t.Helper()
	list := r.events(t)
	objects := slices.DeleteFunc(slices.Clone(list), func(e event) bool { return e.Result == "" })
	if len(objects) != 1 || list[len(list)-1].Result == "" {
		t.Fatalf("%s\nhas %d result objects, want one, as the last line:\n%s", r.command, len(objects), r.said())
	}
	return objects[0]
}

// program returns the command of a run of the program under test.
func program(args ...string) *exec.Cmd { return exec.Command(binary, args...) }

// finish runs a command to its end.
func finish(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	return begin(t, cmd).wait()
}

// process is a program at work whose output can be watched.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	began time.Time
	limit *time.Timer
	out   capture
	err   capture
	lines chan string // of stdout and stderr
	read  sync.WaitGroup
}

// begin starts a command. The test ends it where it does not end by itself.
func begin(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, cmd: cmd, lines: make(chan string, 10_000), began: time.Now()}
	if cmd.Stdin == nil {
		cmd.Stdin = strings.NewReader("")
	}
	for into, open := range map[*capture]func() (io.ReadCloser, error){&p.out: cmd.StdoutPipe, &p.err: cmd.StderrPipe} {
		stream, err := open()
		if err != nil {
			t.Fatal(err)
		}
		p.read.Go(func() { p.follow(stream, into) })
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.limit = time.AfterFunc(runLimit, func() { _ = cmd.Process.Kill() }) // wait reports the end
	t.Cleanup(func() { _ = cmd.Process.Kill() })                          // ended long ago, as a rule
	return p
}

func (p *process) follow(stream io.Reader, into *capture) {
	lines := bufio.NewReader(stream)
	for {
		line, err := lines.ReadString('\n')
		into.WriteString(line)
		if line != "" {
			p.lines <- line
		}
		if err != nil {
			return
		}
	}
}

// until waits for a line that fits, and reports false where the program ended without one.
func (p *process) until(fits func(line string) bool) bool {
	ended := make(chan struct{})
	go func() {
		p.read.Wait()
		close(ended)
	}()
	for {
		select {
		case line := <-p.lines:
			if fits(line) {
				return true
			}
		case <-ended:
			for len(p.lines) > 0 {
				if fits(<-p.lines) {
					return true
				}
			}
			return false
		}
	}
}

// wait returns how the program ended; a signal gives 128 and its number, as in a shell.
func (p *process) wait() result {
	p.t.Helper()
	p.read.Wait()
	err := p.cmd.Wait()
	p.limit.Stop()
	r := result{command: strings.Join(p.cmd.Args, " "), stdout: p.out.String(), stderr: p.err.String(), took: time.Since(p.began)}
	var exit *exec.ExitError
	switch {
	case err == nil:
	case errors.As(err, &exit):
		r.code = exit.ExitCode()
		if r.code < 0 {
			r.code = 128 + signalOf(exit)
		}
	default:
		p.t.Fatalf("%s: %v", r.command, err)
	}
	if len(p.cmd.Args) > 0 && filepath.Base(p.cmd.Args[0]) == filepath.Base(binary) && jsonschema.Asked(p.cmd.Args) && r.code < 128 {
		if err := outputs.Output(p.cmd.Args[1:], r.stdout); err != nil {
			p.t.Errorf("docs/output.schema.json: %v", err)
		}
	}
	if r.took >= runLimit {
		p.t.Fatalf("%s\ndid not end within %s\n%s", r.command, runLimit, r.said())
	}
	return r
}

// capture is a buffer that may be read while it is written.
type capture struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (c *capture) WriteString(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.buffer.WriteString(text)
}

func (c *capture) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buffer.String()
}

// openFolder returns a temporary folder that every user may enter and write to.
func openFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sme2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

// asNobody makes a command run as the user nobody.
func asNobody(cmd *exec.Cmd) *exec.Cmd {
	args := append([]string{"--reuid=65534", "--regid=65534", "--clear-groups", "--"}, cmd.Args...)
	nobody := exec.Command("setpriv", args...)
	nobody.Env, nobody.Dir = append(cmd.Environ(), "HOME=/nonexistent"), cmd.Dir
	return nobody
}

// inMountNamespace returns what makes a command run in mounts of its own, after a script of the shell.
func inMountNamespace(script string) func(*exec.Cmd) *exec.Cmd {
	return func(cmd *exec.Cmd) *exec.Cmd {
		args := append([]string{"--mount", "--propagation", "private", "sh", "-ec", script + "\n" + `exec "$@"`, "sh"}, cmd.Args...)
		isolated := exec.Command("unshare", args...)
		isolated.Env, isolated.Dir = cmd.Env, cmd.Dir
		return isolated
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
