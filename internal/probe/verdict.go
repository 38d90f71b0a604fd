package probe

import (
	"fmt"

	"syncmaster-setup/internal/stack"
)

// Verdict looks at the container of a service that is waited for. Nil means that waiting makes sense; otherwise the
// error is [Fatal]: the container exited, restarts, is out of memory or paused, and the caller adds its last log lines.
// restarts is the container's count when the wait began: one that restarted last week and runs since is fine.
func Verdict(c stack.Container, restarts int) error {
	switch {
	case c.OOMKilled:
		return Fatal(fmt.Errorf("service %s ran out of memory", c.Service))
	case c.State == "restarting":
		return Fatal(fmt.Errorf("service %s keeps restarting: its program ended with code %d", c.Service, c.ExitCode))
	case c.Restarts > restarts: // it runs again, and the engine has forgotten the code of the run before
		return Fatal(fmt.Errorf("service %s keeps restarting", c.Service))
	case c.State == "exited" || c.State == "dead" || c.State == "removing":
		return Fatal(fmt.Errorf("service %s ended with code %d", c.Service, c.ExitCode))
	case c.State == "paused":
		return Fatal(fmt.Errorf("service %s is paused", c.Service))
	}
	return nil
}
