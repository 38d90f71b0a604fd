//go:build unix

package engine_test

import (
	"os"
	"os/exec"
	"syscall"
)

// asNobody makes a command run as a user other than root, for whom file modes count.
func asNobody(cmd *exec.Cmd) {
	const nobody = 65534
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
}
