package database

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"syncmaster-setup/internal/fault"
)

// newPgBouncer starts a PgBouncer before the server of the tests and returns the database's URL through it.
func newPgBouncer(t *testing.T, raw, options string) string {
	t.Helper()
	program, err := osexec.LookPath("pgbouncer")
	if err != nil {
		t.Fatal(err, ": install the package pgbouncer; test/run does that")
	}
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(address, ":")
	password, _ := u.User.Password()
	file := filepath.Join(t.TempDir(), "pgbouncer.ini")
	text := fmt.Sprintf("[databases]\n* = host=%s port=%s user=%s password=%s\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %s\n"+
		"unix_socket_dir =\nauth_type = any\n%s\n", u.Hostname(), u.Port(), u.User.Username(), password, port, options)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	command := osexec.Command(program, file)
	if os.Geteuid() == 0 { // which it refuses to run as
		command.Args = append(command.Args, "-u", "nobody")
	}
	var said strings.Builder
	command.Stdout, command.Stderr = &said, &said
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	for deadline := time.Now().Add(30 * time.Second); ; wait(t, 20*time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	u.Host = address
	return u.String()
}

// TestPgBouncerIsRefused meets PgBouncer as it comes, which knows few of the session's settings, and one that was told to
// ignore them: there only the process id of the session gives it away.
func TestPgBouncerIsRefused(t *testing.T) {
	ignore := "ignore_startup_parameters = " + strings.Join(slices.Sorted(maps.Keys(sessionSettings())), ", ")
	for name, options := range map[string]string{
		"as it comes":              "pool_mode = session",
		"session pooling":          "pool_mode = session\n" + ignore,
		"transaction pooling":      "pool_mode = transaction\n" + ignore,
		"statement pooling":        "pool_mode = statement\n" + ignore,
		"transactions as it comes": "pool_mode = transaction",
	} {
		t.Run(name, func(t *testing.T) {
			raw := newDatabase(t)
			target, err := ParseURL(newPgBouncer(t, raw, options))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Connect(t.Context(), target); fault.CodeOf(err) != fault.Refused || fault.HintOf(err) != poolerHint {
				t.Errorf("code %d, hint %q: %v", fault.CodeOf(err), fault.HintOf(err), err)
			} else if strings.Contains(options, "ignore") != strings.Contains(err.Error(), "a connection pooler answers there") {
				t.Errorf("refused for another reason: %v", err)
			}
		})
	}
}
