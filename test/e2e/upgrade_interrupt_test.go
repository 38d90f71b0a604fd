package e2e_test

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestUpgradeInterrupted ends an upgrade with Ctrl-C: once lets the step at work end and everything refuses until it is
// resumed or aborted, twice takes everything back.
func TestUpgradeInterrupted(t *testing.T) {
	t.Parallel()
	s := installed(t, "0.3.0")
	rows, secrets := s.rows(), s.secrets()

	got := s.interrupted(1, "back up", "0.3.1").is(t, 130).says(t, "the step at work comes to its end", "was interrupted before", "resume", "abort")
	s.transcript("interrupted-once", got)
	before := s.snapshot()
	for _, command := range []string{"upgrade", "rollback", "init", "render", "backup create", "backup restore 20261123T120000Z-upgrade", "migrate upgrade"} {
		got := s.do(command)
		if command == "backup restore 20261123T120000Z-upgrade" {
			got = s.do("backup restore", s.backups()[0])
		}
		got.is(t, refused).says(t, "syncmaster-setup resume --dir "+s.dir, "syncmaster-setup abort --dir "+s.dir)
	}
	mustEqual(t, before, s.snapshot())
	s.do("resume").is(t, 0).says(t, "SyncMaster 0.3.1 is running and healthy")
	s.mustBe("0.3.1", rows, secrets)
	s.do("resume").is(t, refused).says(t, "nothing was interrupted")
	s.do("history").is(t, 0).says(t, "interrupted", "resume")

	got = s.interrupted(2, "put the files in place", "0.3.2").is(t, 5).says(t, "takes all back", "release 0.3.1 runs and is healthy")
	s.transcript("interrupted-twice", got)
	s.mustBe("0.3.1", rows, secrets)
}

// interrupted presses Ctrl-C so many times in the step behind one that is done.
func (s *stack) interrupted(times int, step, to string) result {
	s.t.Helper()
	p := begin(s.t, s.wrap(s.on("upgrade", "--to", to)))
	if !p.until(func(line string) bool { return strings.Contains(line, step) }) {
		s.t.Fatalf("it never came behind %q\n%s", step, p.wait().said())
	}
	<-time.After(100 * time.Millisecond) // the next step has begun
	for range times {
		if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
			s.t.Fatal(err)
		}
		<-time.After(100 * time.Millisecond) // two signals at once are one
	}
	return p.wait()
}

// unanswered is the request that was under way when the engine went away.
var unanswered = regexp.MustCompile(`(failed at: start server: )[^;\n]+`)

// TestUpgradeWithoutEngine loses the engine in the middle, as in its restart: the way back waits until it is there again.
func TestUpgradeWithoutEngine(t *testing.T) {
	t.Parallel()
	s := installed(t, "0.3.0")
	rows, secrets := s.rows(), s.secrets()
	door := newDoor(t)
	s.env = append(s.env, "DOCKER_HOST=unix://"+door.path)
	p := begin(t, s.wrap(s.on("upgrade", "--to", "0.3.1")))
	if !p.until(func(line string) bool { return strings.Contains(line, "put the files in place") }) {
		t.Fatalf("it never came to the server\n%s", p.wait().said())
	}
	door.shut()
	if !p.until(func(line string) bool { return strings.Contains(line, "failed at") }) {
		t.Fatalf("it did not see that the engine is gone\n%s", p.wait().said())
	}
	door.open()
	got := p.wait().is(t, 5).says(t, "release 0.3.0 runs and is healthy")
	got.stderr = unanswered.ReplaceAllString(got.stderr, "${1}WHAT IS NOT ANSWERED")
	s.transcript("engine-away", got)
	s.env = nil
	s.mustBe("0.3.0", rows, secrets)
}

// door is a socket in front of the engine's that can be shut.
type door struct {
	path string
	mu   sync.Mutex
	on   bool
	used []net.Conn
}

func newDoor(t *testing.T) *door {
	t.Helper()
	d := &door{path: filepath.Join(t.TempDir(), "engine.sock"), on: true}
	engine := strings.TrimPrefix(docker.DaemonHost(), "unix://")
	listener, err := net.Listen("unix", d.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() }) // the program has ended
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("unix", engine)
			if err != nil || !d.enter(from, to) {
				_ = from.Close() // whoever has dialled sees that
				continue
			}
			couple(from, to)
		}
	}()
	return d
}

// couple copies between two connections until both have ended.
func couple(a, b net.Conn) {
	for _, c := range [][2]net.Conn{{a, b}, {b, a}} {
		go func() {
			_, _ = io.Copy(c[0], c[1]) // ends with the connection
			if half, ok := c[0].(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite() // may be closed already
			}
		}()
	}
}

// enter notes the connections of an open door.
func (d *door) enter(conns ...net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.on {
		d.used = append(d.used, conns...)
	}
	return d.on
}

// shut ends every connection and refuses new ones.
func (d *door) shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.on = false
	for _, c := range d.used {
		_ = c.Close() // may be closed already
	}
	d.used = nil
}

func (d *door) open() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.on = true
}
