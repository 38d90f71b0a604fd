package cli

import (
	"errors"
	"fmt"

	"syncmaster-setup/internal/fault"
)

// silentEnd ends a command whose result has said everything: only the exit code is left.
type silentEnd struct{ code fault.Code }

func (e silentEnd) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// silent returns the code of an error that is not to be printed, and false for any other.
func silent(err error) (fault.Code, bool) {
	var end silentEnd
	if errors.As(err, &end) {
		return end.code, true
	}
	return 0, false
}
