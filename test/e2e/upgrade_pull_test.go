package e2e_test

import (
	"encoding/json"
	"io"
	"maps"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestUpgradeWithoutNetwork shows what is to be pulled, and loses the registry in the middle of it, or is killed there.
// The stack runs on as it is, and the upgrade works when the network is back.
func TestUpgradeWithoutNetwork(t *testing.T) {
	t.Parallel()
	server := strings.TrimSuffix(uniqueName(), ".localhost") + "/" + imageOf("server", "0.2.5")
	behind, _ := newRegistry(t, []string{server})
	address, path, _ := strings.Cut(behind, "/")
	line := newLine(t, address)
	images := newPrivateRegistry(t, line.address()+"/"+path, "0.2.4", "0.2.5")
	images.untag(imageOf("server", "0.2.5"))
	s := newStack(t)
	s.init("--profile", "server", "--version", "0.2.4", "--registry", images.name).is(t, 0)
	s.query(seed(s.token()))
	before, containers := s.stand(), s.identities()

	s.transcript("plan-to-pull", s.do("upgrade", "--to", "0.2.5", "--dry-run"), images.name, "registry.example.com")
	s.mustKnowDownload(images.name+"/"+imageOf("server", "0.2.5"), payload)

	answers := s.keepAsking()
	line.cutAfter(payload / 4)
	got := s.do("upgrade", "--to", "0.2.5")
	s.mustBeBack(got, undone, before).says(t, "pull", imageOf("server", "0.2.5"))
	s.transcript("network-cut", got, images.name, "registry.example.com")
	answers.mustComeAll(t)
	line.mend()

	for _, p := range points("pull", 1, "resume", "abort") {
		t.Run("killed "+p.when+", "+p.way, func(t *testing.T) {
			s.within(t).mustPullAfterKill(p, line)
			images.untag(imageOf("server", "0.2.5"))
		})
	}
	if t.Failed() {
		return
	}
	for service, id := range s.servers() {
		if id != containers[service] {
			t.Errorf("%s was %s and is %s", service, containers[service], id)
		}
	}
	s.do("upgrade", "--to", "0.2.5").is(t, 0)
	s.mustBeHealthy("db", "rabbitmq", "server")
}

// mustPullAfterKill kills an upgrade around its pull, in the midst of it where there is one, and goes the way out.
func (s *stack) mustPullAfterKill(p point, line *line) {
	s.t.Helper()
	before := s.stand()
	if p.when != "after" {
		line.holdAfter(payload / 4)
	}
	answers := s.keepAsking()
	s.killed(p, 9, "upgrade --to 0.2.5")
	line.mend()
	s.do(p.way).is(s.t, 0)
	if p.way == "resume" {
		s.mustBeHealthy("db", "rabbitmq", "server")
		if now := s.setting(".env", "VERSION"); now != "0.2.5" {
			s.t.Errorf("resume ended with release %s", now)
		}
		s.do("rollback").is(s.t, 0)
	} else {
		answers.mustComeAll(s.t)
	}
	after := s.stand()
	if p.way == "resume" { // a rollback is a generation of its own
		for _, m := range []map[string]string{before, after} {
			maps.DeleteFunc(m, func(name, _ string) bool {
				return strings.Contains(name, "generation") || strings.HasSuffix(name, "state.json")
			})
		}
	}
	mustEqual(s.t, before, after)
}

// mustKnowDownload wants a plan to pull one image, and to tell of at least so many bytes.
func (s *stack) mustKnowDownload(ref string, least int64) {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "plan")
	s.do("upgrade", "--to", "0.2.5", "--plan-out", file).is(s.t, 0)
	var plan struct {
		Images []struct {
			Ref      string
			Present  bool
			Digest   string
			Download int64 `json:"download_bytes"`
		}
	}
	if err := json.Unmarshal([]byte(read(s.t, file)), &plan); err != nil {
		s.t.Fatal(err)
	}
	pulled := 0
	for _, i := range plan.Images {
		switch {
		case i.Present != (i.Ref != ref) || i.Digest == "" && !i.Present:
			s.t.Errorf("planned is %+v", i)
		case i.Present && i.Download != 0:
			s.t.Errorf("%s is here, and would be downloaded", i.Ref)
		case !i.Present:
			pulled++
			if i.Download < least || i.Download > 16*least {
				s.t.Errorf("%s is said to be %d bytes, its newest layer alone has %d", i.Ref, i.Download, least)
			}
		}
	}
	if pulled != 1 {
		s.t.Errorf("%d images are to be pulled", pulled)
	}
}

// line is a connection to a server that can be cut.
type line struct {
	listener net.Listener
	to       string

	mu    sync.Mutex
	left  int // bytes that still come through, where limited
	limit bool
	held  chan struct{} // closed when it is mended; nil where the line is cut instead
	conns []net.Conn
}

func newLine(t *testing.T, to string) *line {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() }) // its connections end with their programs
	l := &line{listener: listener, to: to}
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			go l.join(from)
		}
	}()
	return l
}

func (l *line) address() string { return l.listener.Addr().String() }

// cutAfter cuts every connection, and each new one, when so many bytes have come from the server.
func (l *line) cutAfter(bytes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left, l.limit = bytes, true
}

// holdAfter lets nothing through any more, until it is mended, when so many bytes have come from the server.
func (l *line) holdAfter(bytes int) {
	l.cutAfter(bytes)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = make(chan struct{})
}

func (l *line) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.limit = false; l.held != nil {
		close(l.held)
		l.held = nil
	}
}

func (l *line) join(from net.Conn) {
	to, err := net.Dial("tcp", l.to)
	if err != nil {
		_ = from.Close() // whoever has dialled sees that
		return
	}
	l.mu.Lock()
	l.conns = append(l.conns, from, to)
	l.mu.Unlock()
	go func() {
		_, _ = io.Copy(to, from) // ends with the connection
		_ = to.Close()           // may be closed already
	}()
	_, _ = io.Copy(meter{l, from}, to) // as above
	_ = from.Close()
}

// meter counts what a connection gets.
type meter struct {
	line *line
	into net.Conn
}

func (m meter) Write(p []byte) (int, error) {
	held, cut := m.line.count(len(p))
	if cut {
		return 0, net.ErrClosed
	}
	if held != nil {
		<-held
	}
	return m.into.Write(p)
}

// count takes bytes off what still comes through, and tells what is to be waited for, or that the line is cut.
func (l *line) count(bytes int) (held chan struct{}, cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.limit {
		return nil, false
	}
	if l.left -= bytes; l.left >= 0 {
		return nil, false
	}
	if l.held != nil {
		return l.held, false
	}
	for _, c := range l.conns {
		_ = c.Close() // it may be closed already
	}
	l.conns = nil
	return nil, true
}
