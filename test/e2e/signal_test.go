package e2e_test

import (
	"os/exec"
	"syscall"
)

// signalOf returns the number of the signal that ended a process.
func signalOf(exit *exec.ExitError) int {
	status, ok := exit.Sys().(syscall.WaitStatus)
	if !ok {
		return 0
	}
	return int(status.Signal())
}
