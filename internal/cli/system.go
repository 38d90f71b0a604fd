package cli

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/term"

	"syncmaster-setup/internal/workdir"
)

// system is the machine that the program runs on.
type system struct{}

func (system) FreeBytes(path string) (uint64, error) { return workdir.FreeBytes(path) }

func (system) FileBytes(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (system) NoSuchHost(ctx context.Context, name string) bool {
	_, err := net.DefaultResolver.LookupHost(ctx, name)
	var unknown *net.DNSError
	return errors.As(err, &unknown) && unknown.IsNotFound
}

func (system) ReadFile(path string) (string, error) {
	text, err := os.ReadFile(path)
	return string(text), err
}

func (system) Getenv(name string) string { return os.Getenv(name) }

// PortFree tries to bind the port. A port that only root may bind counts as free: the engine binds it, not we.
func (system) PortFree(address string, port uint16) (free bool, holder string) {
	listener, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(int(port))))
	switch {
	case err == nil:
		return listener.Close() == nil, ""
	case errors.Is(err, syscall.EACCES):
		return true, ""
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return false, "nobody, but " + address + " is not an address of this host"
	default:
		return false, portHolder(port)
	}
}

func terminal(file *os.File) bool { return term.IsTerminal(int(file.Fd())) } //nolint:gosec // a descriptor is small

// terminalSize returns the window of a terminal, 80 columns and 24 rows where it cannot be told.
func terminalSize(stream any) (columns, rows int) {
	if file, ok := stream.(*os.File); ok {
		columns, rows, _ = term.GetSize(int(file.Fd())) //nolint:gosec // a descriptor is small; an error leaves nothing
	}
	if columns < 1 || rows < 1 {
		return 80, 24
	}
	return columns, rows
}
