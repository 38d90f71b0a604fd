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

	"github.com/moby/moby/client"
)

// proxy is a socket in front of the engine's. It can be cut, as if the engine had died.
type proxy struct {
	socket   string
	listener net.Listener

	mu    sync.Mutex
	left  int // requests that the program may still send, 0 for no limit
	conns []net.Conn
	cut   bool
}

// newProxy returns a proxy that every user may use.
func newProxy(t *testing.T) *proxy {
	t.Helper()
	p := &proxy{socket: filepath.Join(openFolder(t), "docker.sock")}
	var err error
	if p.listener, err = net.Listen("unix", p.socket); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(p.socket, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	go p.accept(engineSocket())
	return p
}

// engineSocket is where the real engine listens.
func engineSocket() string {
	if path, local := strings.CutPrefix(docker.DaemonHost(), "unix://"); local {
		return path
	}
	return strings.TrimPrefix(client.DefaultDockerHost, "unix://")
}

func (p *proxy) host() string { return "unix://" + p.socket }

// stop cuts every connection and takes no more.
func (p *proxy) stop() {
	_ = p.listener.Close() // a second one fails, and that is fine
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	for _, c := range p.conns {
		_ = c.Close() // it may have been closed
	}
}

func (p *proxy) accept(engine string) {
	for {
		from, err := p.listener.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("unix", engine)
		if err != nil {
			_ = from.Close() // the program sees that
			continue
		}
		if !p.keep(from, to) {
			return
		}
		go func() {
			_, _ = io.Copy(from, to) // ends with the connection
			_ = from.Close()         // as does this
		}()
		go func() {
			p.forward(to, from)
			if half, ok := to.(*net.UnixConn); ok {
				_ = half.CloseWrite() // as above
			}
		}()
	}
}

// stopAfter cuts the connections at the request after a number of them.
func (p *proxy) stopAfter(requests int) { p.left = requests + 1 }

// forward copies what the program sends, and counts its requests.
func (p *proxy) forward(to io.Writer, from io.Reader) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if p.spent(buffer[:n]) {
				p.stop()
				return
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// spent counts the requests that begin in what was sent: the client writes each request in one piece.
func (p *proxy) spent(sent []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left == 0 || !requestLine.Match(sent) {
		return false
	}
	p.left--
	return p.left == 0
}

var requestLine = regexp.MustCompile(`^(GET|HEAD|POST|PUT|DELETE) /`)

func (p *proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut {
		for _, c := range conns {
			_ = c.Close() // nothing was sent
		}
		return false
	}
	p.conns = append(p.conns, conns...)
	return true
}
