package database

import (
	"bytes"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy passes bytes between a client and the server, and can do to them what networks do.
type proxy struct {
	listener net.Listener
	server   string
	group    sync.WaitGroup

	cutAt   atomic.Pointer[string] // text of a client's message at which everything is cut
	swallow atomic.Bool            // with cutAt: the message is passed on, the answer is not
	cuts    atomic.Int32
	cut     func() // called when the answer to a message is thrown away; may be nil
}

// newProxy returns a proxy and the database's URL through it. TLS is off, so that the proxy can read along.
func newProxy(t *testing.T, raw string) (*proxy, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p, u := newProxyAt(t, raw, listener)
	u.Host, u.RawQuery = listener.Addr().String(), "sslmode=disable"
	return p, u.String()
}

// newProxyAt returns a proxy that listens anywhere, and the database's URL without it.
func newProxyAt(t *testing.T, raw string, listener net.Listener) (*proxy, *url.URL) {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, server: u.Host}
	p.group.Go(p.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		p.group.Wait()
	})
	return p, u
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			_ = client.Close()
			continue
		}
		var muted atomic.Bool
		p.group.Go(func() { p.forward(client, server, &muted) })
		p.group.Go(func() { p.back(server, client, &muted) })
	}
}

// forward passes the client's messages on until one of them is the one to cut at.
func (p *proxy) forward(client, server net.Conn, muted *atomic.Bool) {
	defer func() { _, _ = client.Close(), server.Close() }()
	buffer := make([]byte, 1<<16)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		mark := p.cutAt.Load()
		cut := mark != nil && bytes.Contains(buffer[:n], []byte(*mark))
		if cut {
			p.cutAt.Store(nil)
			p.cuts.Add(1)
			if !p.swallow.Load() {
				return
			}
			muted.Store(true)
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// back passes the server's answers on, or ends the connection in their place.
func (p *proxy) back(server, client net.Conn, muted *atomic.Bool) {
	defer func() { _, _ = client.Close(), server.Close() }()
	buffer := make([]byte, 1<<16)
	for {
		n, err := server.Read(buffer)
		if muted.Load() && p.cut != nil {
			_ = server.Close()
			p.cut()
		}
		if err != nil || muted.Load() {
			return
		}
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
	}
}
