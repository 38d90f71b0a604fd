package engine

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"syncmaster-setup/internal/fault"
)

// The kinds of failure that a caller may want to tell apart, found with errors.Is.
var (
	// ErrNoEngine: nothing that speaks the Docker API was reached.
	ErrNoEngine = errors.New("no Docker Engine")
	// ErrNoPermission: the engine's socket exists, but this user may not open it.
	ErrNoPermission = errors.New("no permission for the Docker Engine")
	// ErrOldEngine: the engine is older than [MinAPIVersion].
	ErrOldEngine = errors.New("the Docker Engine is too old")
	// ErrPortInUse: a published host port belongs to another container or process.
	ErrPortInUse = errors.New("port in use")
	// ErrNoSpace: a file system of the engine is full.
	ErrNoSpace = errors.New("no space left")
	// ErrNoImage: the image is not there, in the engine or in the registry.
	ErrNoImage = errors.New("no such image")
	// ErrNoContainer: the service has no container, or the container is gone.
	ErrNoContainer = errors.New("no such container")
	// ErrUnauthorized: the registry wants other credentials.
	ErrUnauthorized = errors.New("registry refuses the credentials")
	// ErrRegistryUnreachable: the registry did not answer, or stopped answering.
	ErrRegistryUnreachable = errors.New("registry unreachable")
	// ErrPlatform: the image exists, but not for the wanted platform.
	ErrPlatform = errors.New("image is for another platform")
	// ErrDataLoss: Compose would delete a volume to go on; it was told not to.
	ErrDataLoss = errors.New("refused to delete data")
)

// errImageAbsent is found by the table below.
var errImageAbsent = errors.New("image not found locally")

// kindError gives an error a kind without changing its text.
type kindError struct {
	kind error
	err  error
}

func (e *kindError) Error() string   { return e.err.Error() }
func (e *kindError) Unwrap() []error { return []error{e.kind, e.err} }

// failure is a recognisable answer of the daemon.
type failure struct {
	kind error
	hint string
	is   func(err error, text string) bool
}

// failures in the order in which they are tried. The texts are those of Engine 20.10 up to 29.
var failures = []failure{
	{ErrDataLoss, "", func(err error, _ string) bool { return errors.Is(err, ErrDataLoss) }},
	{
		ErrPortInUse, "stop what holds the port (`docker ps`, `ss -ltnp`) or choose another one",
		func(_ error, text string) bool {
			return strings.Contains(text, "port is already allocated") || strings.Contains(text, "address already in use")
		},
	},
	{
		ErrNoSpace, "free space where the engine keeps its data (`docker system df`, `docker info -f '{{.DockerRootDir}}'`)",
		func(_ error, text string) bool {
			return strings.Contains(text, "no space left on device") || strings.Contains(text, "disk quota exceeded")
		},
	},
	{
		ErrNoEngine, "look at `systemctl status docker`; when the engine runs again, repeat the command: it goes on where it stopped",
		func(err error, text string) bool {
			return client.IsErrConnectionFailed(err) || strings.Contains(text, "cannot connect to the docker daemon")
		},
	},
	{
		ErrNoImage, "pull the image, or load it with `docker load`",
		func(_ error, text string) bool {
			return strings.Contains(text, "no such image") || strings.Contains(text, "image not found locally")
		},
	},
	{
		ErrNoContainer, "look at `docker compose ps --all`",
		func(_ error, text string) bool { return strings.Contains(text, "no such container") },
	},
}

// boundAddress finds the address in the engine's port messages: "Bind for 127.0.0.1:80 failed", "listen tcp4
// 127.0.0.1:80: bind", "failed to bind host port 127.0.0.1:80/tcp".
var boundAddress = regexp.MustCompile(`(?:Bind for|listen (?:tcp|udp)[46]?|bind host port(?: for)?) (\[[^\]]+\]:\d+|[^\s:\[]+:\d+)`)

// daemonError wraps a failure of the engine with what was attempted on which object, and recognises those that a user
// can act on: they get a kind and a hint. A nil err gives nil.
func daemonError(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	doing := fmt.Sprintf(format, args...)
	text := strings.ToLower(err.Error())
	for _, f := range failures {
		if !f.is(err, text) {
			continue
		}
		hint := f.hint
		if h := fault.HintOf(err); h != "" {
			hint = h
		}
		return fault.New(codeOf(err), &kindError{f.kind, fmt.Errorf("%s: %w", withPort(doing, f.kind, err), err)}, hint)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// withPort puts the busy address in front of the engine's long sentence.
func withPort(doing string, kind, err error) string {
	if kind != ErrPortInUse { //nolint:errorlint // the sentinel itself, from the table above
		return doing
	}
	if m := boundAddress.FindStringSubmatch(err.Error()); m != nil {
		return fmt.Sprintf("%s: %s is in use", doing, m[1])
	}
	return doing
}

func codeOf(err error) fault.Code {
	if errors.Is(err, ErrDataLoss) {
		return fault.Refused
	}
	return fault.Failed
}

// missing reports whether the daemon says that the object does not exist.
func missing(err error) bool { return errdefs.IsNotFound(err) }
