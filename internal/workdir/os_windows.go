package workdir

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

// lockFileHandle takes an exclusive lock without waiting; the kernel frees it when the process ends.
func lockFileHandle(file *os.File) error { return lockByte(file, windows.LOCKFILE_EXCLUSIVE_LOCK) }

// lookAtLock fails with errHeld where somebody has taken the lock. Lookers are not in each other's way.
func lookAtLock(file *os.File) error { return lockByte(file, 0) }

func lockByte(file *os.File, how uint32) error {
	// The byte far behind the note is locked, so that others can still read who holds the lock.
	at := &windows.Overlapped{OffsetHigh: 1}
	err := windows.LockFileEx(windows.Handle(file.Fd()), how|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return errHeld
	}
	return err
}

// syncFolder does nothing: Windows has no call for it and journals its folders.
func syncFolder(string) error { return nil }

// FreeBytes returns the space that the user may still use on the volume of path.
func FreeBytes(path string) (uint64, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, fmt.Errorf("asking for the free space of %s: %w", path, err)
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(name, &free, nil, nil); err != nil {
		return 0, fmt.Errorf("asking for the free space of %s: %w", path, err)
	}
	return free, nil
}
