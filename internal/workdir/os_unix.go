//go:build unix

package workdir

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// lockFileHandle takes an exclusive lock without waiting; the kernel frees it when the process ends.
func lockFileHandle(file *os.File) error { return flock(file, unix.LOCK_EX) }

// lookAtLock fails with errHeld where somebody has taken the lock. Lookers are not in each other's way.
func lookAtLock(file *os.File) error { return flock(file, unix.LOCK_SH) }

func flock(file *os.File, how int) error {
	err := unix.Flock(int(file.Fd()), how|unix.LOCK_NB) //nolint:gosec // a descriptor is small
	if errors.Is(err, unix.EWOULDBLOCK) {
		return errHeld
	}
	return err
}

// syncFolder makes a rename in the folder survive a power cut.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("opening folder %s: %w", path, err)
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// FreeBytes returns the space that an unprivileged user may still use on the file system of path.
func FreeBytes(path string) (uint64, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(path, &stat); err != nil {
		return 0, fmt.Errorf("asking for the free space of %s: %w", path, err)
	}
	return uint64(stat.Bavail) * uint64(stat.Bsize), nil //nolint:gosec,unconvert // the fields' types differ between systems
}
