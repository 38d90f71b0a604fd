package workdir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"syncmaster-setup/internal/fault"
)

// errHeld is what the system-specific lock call returns where another process holds the lock.
var errHeld = errors.New("held by another process")

// ErrNotFolder is in the error of a lock on something that is no folder.
var ErrNotFolder = errors.New("not a folder")

// errStale is a lock on a file that the run before has removed.
var errStale = errors.New("the lock file was removed")

// HintHeld is what to do where another run is at work.
const HintHeld = "wait until it has ended, then try again"

const (
	// lookers is how often a held lock is tried again, lookPause apart: who only looks at it holds it for an instant.
	lookers   = 5
	lookPause = 10 * time.Millisecond
)

// lockTries bounds how often a run begins anew because another one has just removed the folder.
const lockTries = 1000

// Lock takes the folder's kernel lock for an operation, creating the folders it needs; the lock dies with the process.
// A folder that another run holds gives [fault.Locked] with that run's own words. unlock releases it and, where the
// operation left nothing in them, removes the folders that Lock created, so that a refusal changes nothing.
func (d Dir) Lock(operation string, now time.Time) (unlock func() error, err error) {
	if info, err := os.Stat(d.path); err == nil && !info.IsDir() {
		return nil, fault.New(fault.Refused, fmt.Errorf("%s: %w", d.path, ErrNotFolder), "choose a folder with --dir")
	}
	missing := firstMissing(d.path)
	for range lockTries {
		file, err := d.openLock(now)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errStale) {
			continue // a run that was refused has removed the folder in between
		}
		if err != nil {
			return nil, err
		}
		if err := writeNote(file, Holder{operation, os.Getpid(), now}.note()); err != nil {
			err = fault.New(fault.Refused, fmt.Errorf("writing %s: %w", file.Name(), err), "see whether the disk is full")
			return nil, errors.Join(err, d.release(file, missing))
		}
		if err := d.sweep(); err != nil {
			return nil, errors.Join(err, file.Close())
		}
		return func() error { return d.release(file, missing) }, nil
	}
	return nil, fault.New(fault.Refused, fmt.Errorf("locking %s: its folder keeps disappearing", d.path), "check that the folder is not a broken link")
}

// sweep removes the temporary files that a killed run has left: they may hold secrets, and the lock says that nobody
// writes them any more.
func (d Dir) sweep() error {
	folders := []string{d.path, d.File(StateDir)}
	kept, err := fs.Glob(os.DirFS(d.File(StateDir)), generations+"/*")
	for _, generation := range kept {
		folders = append(folders, d.File(filepath.Join(StateDir, generation)))
	}
	for _, folder := range folders {
		for _, name := range []string{ComposeFile, EnvFile, AppEnvFile, stateFile, journalFile, probeFile} {
			leftovers, globErr := fs.Glob(os.DirFS(folder), "."+name+"-[0-9]*")
			err = errors.Join(err, globErr)
			for _, leftover := range leftovers {
				err = errors.Join(err, os.Remove(filepath.Join(folder, leftover)))
			}
		}
	}
	if err != nil {
		return fmt.Errorf("removing what a killed run has left: %w", err)
	}
	return nil
}

// openLock creates what is missing and takes the kernel lock. errStale says that the locked file is no longer the one
// in the folder.
func (d Dir) openLock(now time.Time) (*os.File, error) {
	if err := d.Prepare(); err != nil {
		return nil, fault.New(fault.Refused, err, "choose a folder that you may write to with --dir")
	}
	path := d.File(filepath.Join(StateDir, lockFile))
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, secretMode)
	if err != nil {
		return nil, fault.New(fault.Refused, fmt.Errorf("opening the lock: %w", err), "check who owns "+d.File(StateDir))
	}
	if info, statErr := file.Stat(); statErr == nil && info.Mode().Perm() != secretMode {
		// the umask took bits that the next run needs; another user's lock keeps its mode
		_ = file.Chmod(secretMode)
	}
	err = lockPatiently(file)
	switch {
	case errors.Is(err, errHeld):
		err = fault.New(fault.Locked, fmt.Errorf("%s in %s", readHolder(path).Words(now), d.path), HintHeld)
	case err != nil:
		err = fmt.Errorf("locking %s: %w", path, err)
	case !sameFile(file, path):
		err = errStale
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// lockPatiently takes the lock also where somebody just looks at it.
func lockPatiently(file *os.File) error {
	err := lockFileHandle(file)
	for n := 1; n < lookers && errors.Is(err, errHeld); n++ {
		<-time.After(lookPause)
		err = lockFileHandle(file)
	}
	return err
}

// release removes what Lock made where nothing else is in it, then frees the lock by closing the file. The order keeps
// another process from locking a file that is about to go.
func (d Dir) release(lock *os.File, firstMade string) error {
	entries, err := os.ReadDir(d.File(StateDir))
	if err == nil && len(entries) == 1 {
		err = os.Remove(lock.Name())
		empty := err == nil && os.Remove(d.File(StateDir)) == nil // not empty: the next run has come in, so it stays
		for folder := d.path; empty && firstMade != "" && len(folder) >= len(firstMade); folder = filepath.Dir(folder) {
			empty = os.Remove(folder) == nil
		}
	}
	_ = lock.Truncate(0) // the next run must not be taken for this one before it has written its own note
	return errors.Join(err, lock.Close())
}

// firstMissing returns the topmost folder of path that does not exist, or the empty string.
func firstMissing(path string) string {
	missing := ""
	for folder := path; ; folder = filepath.Dir(folder) {
		if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) || folder == filepath.Dir(folder) {
			return missing
		}
		missing = folder
	}
}

func sameFile(file *os.File, path string) bool {
	held, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(path)
	return err == nil && os.SameFile(held, named)
}
