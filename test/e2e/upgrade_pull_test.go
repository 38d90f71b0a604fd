package e2e_test

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// TestUpgradeWithoutNetwork loses the registry in the middle of a pull. The stack runs on as it is, and the upgrade
// works when the network is back.
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

	line.cutAfter(payload / 4)
	got := s.do("upgrade", "--to", "0.2.5")
	s.mustBeBack(got, undone, before).says(t, "pull", imageOf("server", "0.2.5"))
	s.transcript("network-cut", got, images.name, "registry.example.com")
	mustEqual(t, containers, s.identities())

	line.mend()
	s.do("upgrade", "--to", "0.2.5").is(t, 0)
	s.mustBeHealthy("db", "rabbitmq", "server")
}

// line is a connection to a server that can be cut.
type line struct {
	listener net.Listener
	to       string

	mu    sync.Mutex
	left  int // bytes that still come through, where limited
	limit bool
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

func (l *line) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limit = false
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
	m.line.mu.Lock()
	defer m.line.mu.Unlock()
	if m.line.limit {
		if m.line.left -= len(p); m.line.left < 0 {
			for _, c := range m.line.conns {
				_ = c.Close() // it may be closed already
			}
			m.line.conns = nil
			return 0, net.ErrClosed
		}
	}
	return m.into.Write(p)
}
