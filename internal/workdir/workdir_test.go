//go:build unix

package workdir_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/workdir"
)

func open(t *testing.T, path string) workdir.Dir {
	t.Helper()
	dir, err := workdir.At(path)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func lock(t *testing.T, dir workdir.Dir) func() error {
	t.Helper()
	unlock, err := dir.Lock("init", time.Unix(1e9, 0))
	if err != nil {
		t.Fatal(err)
	}
	return unlock
}

// Not parallel: the umask belongs to the process.
func TestModesHoldUnderAnyUmask(t *testing.T) {
	for _, umask := range []int{0, 0o022, 0o077, 0o777} {
		t.Run(fmt.Sprintf("%04o", umask), func(t *testing.T) {
			dir := open(t, filepath.Join(t.TempDir(), "a", "b"))
			defer syscall.Umask(syscall.Umask(umask))
			unlock := lock(t, dir)
			files := map[string]string{workdir.ComposeFile: "x", workdir.EnvFile: "y", workdir.AppEnvFile: "z"}
			if err := dir.SaveGeneration(1, files); err != nil {
				t.Fatal(err)
			}
			if err := dir.SaveState(workdir.State{Phase: workdir.Installing, Version: "0.3.2", Project: "p"}); err != nil {
				t.Fatal(err)
			}
			if _, err := dir.WriteProject(files); err != nil {
				t.Fatal(err)
			}
			if err := unlock(); err != nil {
				t.Fatal(err)
			}
			err := filepath.WalkDir(filepath.Dir(dir.Path()), func(path string, entry fs.DirEntry, err error) error {
				if err != nil {
					return err
				}
				info, err := entry.Info()
				if err != nil {
					return err
				}
				want := fs.FileMode(0o600)
				if entry.IsDir() {
					want = 0o700
				} else if path == dir.File(workdir.ComposeFile) {
					want = 0o644
				}
				if got := info.Mode().Perm(); got != want {
					t.Errorf("%s has mode %o, want %o", path, got, want)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestLockAdmitsOneAndNamesIt(t *testing.T) {
	dir := open(t, filepath.Join(t.TempDir(), "new"))
	unlock := lock(t, dir)
	_, err := dir.Lock("init", time.Now())
	want := fmt.Sprintf("init is at work since %s (process %d) in %s", time.Unix(1e9, 0).Format(time.DateTime), os.Getpid(), dir.Path())
	if fault.CodeOf(err) != fault.Locked || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir.Path()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a lock without an operation left something behind: %v", err)
	}
}

// TestHolder looks at a lock that nobody, this process, and nobody again holds.
func TestHolder(t *testing.T) {
	dir := open(t, t.TempDir())
	nobody := func(when string) {
		t.Helper()
		if h, err := dir.Holder(); h != nil || err != nil {
			t.Errorf("%s: %+v, %v", when, h, err)
		}
	}
	nobody("before the first run")
	if err := dir.Prepare(); err != nil { // a lock file stays where something is beside it
		t.Fatal(err)
	}
	if err := os.WriteFile(dir.File(workdir.StateDir+"/other"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	unlock, err := dir.Lock("backup restore", time.Unix(1e9, 5))
	if err != nil {
		t.Fatal(err)
	}
	h, err := dir.Holder()
	if err != nil || h == nil || h.Operation != "backup restore" || h.Process != os.Getpid() || !h.Since.Equal(time.Unix(1e9, 0)) {
		t.Fatalf("%+v, %v", h, err)
	}
	const sameDay = "backup restore is at work since 01:46:40 (process %d)"
	if got := h.Words(time.Unix(1e9+600, 0).UTC()); got != fmt.Sprintf(sameDay, os.Getpid()) {
		t.Error(got)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	nobody("after it has ended")
}

// TestLookingRefusesNobody: a run that begins while others look gets the lock all the same.
func TestLookingRefusesNobody(t *testing.T) {
	dir := open(t, t.TempDir())
	if err := dir.Prepare(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir.File(workdir.StateDir+"/other"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	var looking sync.WaitGroup
	for range 3 {
		looking.Go(func() {
			for {
				select {
				case <-ended:
					return
				case <-time.After(100 * time.Microsecond): // more often than anybody does
				}
				if _, err := dir.Holder(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 500 {
		unlock, err := dir.Lock("init", time.Now())
		if err != nil {
			t.Error(err)
			break
		}
		if err := unlock(); err != nil {
			t.Error(err)
		}
	}
	close(ended)
	looking.Wait()
}

func TestLockRemovesWhatAKilledRunLeft(t *testing.T) {
	dir := open(t, t.TempDir())
	if err := dir.SaveState(workdir.State{}); err == nil {
		t.Fatal("a state was written without its folder")
	}
	unlock := lock(t, dir)
	if err := dir.SaveGeneration(1, nil); err != nil {
		t.Fatal(err)
	}
	leftovers := []string{".docker-compose.yml-1", "..env-23", workdir.StateDir + "/.state.json-4", workdir.StateDir + "/generations/0001/..env.docker-5"}
	for _, name := range append(leftovers, ".env-mine") {
		if err := os.WriteFile(dir.File(name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	if err := lock(t, dir)(); err != nil {
		t.Fatal(err)
	}
	for _, name := range leftovers {
		if _, err := os.Stat(dir.File(name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there", name)
		}
	}
	if _, err := os.Stat(dir.File(".env-mine")); err != nil {
		t.Errorf("a file of the user's was removed: %v", err)
	}
}

func TestLockNeverAdmitsTwo(t *testing.T) {
	dir := open(t, filepath.Join(t.TempDir(), "new"))
	var inside, most int
	var mu sync.Mutex
	var runs sync.WaitGroup
	for range 20 {
		runs.Go(func() {
			for range 50 {
				unlock, err := dir.Lock("init", time.Now())
				if fault.CodeOf(err) == fault.Locked {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				inside++
				most = max(most, inside)
				mu.Unlock()
				mu.Lock()
				inside--
				mu.Unlock()
				if err := unlock(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	runs.Wait()
	if most != 1 {
		t.Errorf("%d runs held the lock at once", most)
	}
}

func TestStateRefusesWhatItCannotTrust(t *testing.T) {
	for name, text := range map[string]string{
		"half written": `{"format": 1, "vers`,
		"incomplete":   `{"format": 1}`,
		"newer":        `{"format": 99, "phase": "installed", "version": "9.0.0", "project": "p"}`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := open(t, t.TempDir())
			if err := os.Mkdir(dir.File(workdir.StateDir), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(dir.File(workdir.StateDir+"/state.json"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, _, err := dir.State(); fault.CodeOf(err) != fault.Refused || fault.HintOf(err) == "" {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestWriteProjectLeavesEqualFilesAlone(t *testing.T) {
	dir := open(t, t.TempDir())
	files := map[string]string{workdir.ComposeFile: "x", workdir.EnvFile: "y", workdir.AppEnvFile: "z"}
	if changed, err := dir.WriteProject(files); err != nil || len(changed) != 3 {
		t.Fatalf("changed %q, %v", changed, err)
	}
	files[workdir.EnvFile] = "other"
	if changed, err := dir.WriteProject(files); err != nil || len(changed) != 1 || changed[0] != workdir.EnvFile {
		t.Errorf("changed %q, %v", changed, err)
	}
}

func TestWritableTellsAFolderThatIsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := open(t, filepath.Join(path, "install")).Writable(); err == nil {
		t.Error("accepted")
	}
	if err := open(t, filepath.Join(t.TempDir(), "new", "install")).Writable(); err != nil {
		t.Error(err)
	}
}
