// Package workdir is the install folder: the Compose project's files and our own folder beside them. Every file is
// written whole or not at all, with an explicit mode, under any umask.
package workdir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Names of the files in the install folder.
const (
	ComposeFile   = "docker-compose.yml"
	EnvFile       = ".env"                        // Compose's own variables
	AppEnvFile    = ".env.docker"                 // SyncMaster's settings
	OverrideFile  = "docker-compose.override.yml" // the user's own
	StateDir      = ".syncmaster-setup"
	stateFile     = "state.json"
	journalFile   = "journal.json"
	lockFile      = "lock"
	probeFile     = "syncmaster-setup-probe"
	generations   = "generations"
	secretMode    = 0o600
	publicMode    = 0o644
	privateFolder = 0o700
)

// Dir is an install folder.
type Dir struct{ path string }

// At returns the install folder at path, made absolute. Nothing is read or created.
func At(path string) (Dir, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return Dir{}, fmt.Errorf("resolving the install folder %q: %w", path, err)
	}
	return Dir{path: abs}, nil
}

// Path returns the absolute path of the folder.
func (d Dir) Path() string { return d.path }

// File returns the absolute path of a file in the folder.
func (d Dir) File(name string) string { return filepath.Join(d.path, name) }

// Read returns the content of a file in the folder and whether it exists.
func (d Dir) Read(name string) (string, bool, error) {
	data, err := os.ReadFile(d.File(name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("reading %s: %w", name, err)
	}
	return string(data), true, nil
}

// WriteProject writes the three files of the Compose project, those with secrets readable by the owner only. A file
// that has the wanted content is left alone. It returns the names of the files that changed.
func (d Dir) WriteProject(files map[string]string) ([]string, error) {
	var changed []string
	for _, name := range []string{EnvFile, AppEnvFile, ComposeFile} {
		text, wanted := files[name]
		if !wanted {
			continue
		}
		old, exists, err := d.Read(name)
		if err != nil {
			return changed, err
		}
		if exists && old == text {
			continue
		}
		if err := writeFile(d.File(name), []byte(text), modeOf(name)); err != nil {
			return changed, err
		}
		changed = append(changed, name)
	}
	return changed, nil
}

// KeepEdited copies a file of the project beside itself, and returns the name of the copy.
func (d Dir) KeepEdited(at time.Time, name string) (string, error) {
	text, _, err := d.Read(name)
	if err != nil {
		return "", err
	}
	kept := name + ".edited-" + at.UTC().Format(logTime)
	return kept, writeFile(d.File(kept), []byte(text), secretMode)
}

// WriteOverride writes the user's own Compose file, which only a restore into an empty folder may do.
func (d Dir) WriteOverride(text string) error {
	return writeFile(d.File(OverrideFile), []byte(text), publicMode)
}

// ClearInstall removes the files and the state of an install that has not begun, and its override file where that was
// written with them. Generations, backups and logs stay.
func (d Dir) ClearInstall(override bool) error {
	names := []string{ComposeFile, EnvFile, AppEnvFile, filepath.Join(StateDir, stateFile)}
	if override {
		names = append(names, OverrideFile)
	}
	var errs []error
	for _, name := range names {
		errs = append(errs, ignoreMissing(os.Remove(d.File(name))))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("removing what was written: %w", err)
	}
	return nil
}

// Prepare creates the install folder and our own folder in it where they are missing, readable by the owner only.
// An install folder that exists keeps its mode.
func (d Dir) Prepare() error {
	if err := makeFolder(d.path); err != nil {
		return err
	}
	return makeFolder(d.File(StateDir))
}

// Existing returns the folder, or its nearest parent that exists.
func (d Dir) Existing() string {
	folder := d.path
	for {
		if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) || folder == filepath.Dir(folder) {
			return folder
		}
		folder = filepath.Dir(folder)
	}
}

// Writable reports why files cannot be created in the folder, or in its nearest existing parent, or nil. It leaves
// nothing behind.
func (d Dir) Writable() error {
	folder := d.Existing()
	info, err := os.Stat(folder)
	if err != nil {
		return fmt.Errorf("looking at %s: %w", folder, err)
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", folder)
	}
	probe, err := os.CreateTemp(folder, "."+probeFile+"-*")
	if err != nil {
		return fmt.Errorf("creating a file in %s: %w", folder, err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

func modeOf(name string) fs.FileMode {
	if name == ComposeFile {
		return publicMode
	}
	return secretMode
}

// makeFolder creates one folder (and its parents), and sets the mode of the last one explicitly, since the umask may
// have taken bits that the owner needs.
func makeFolder(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	parent := filepath.Dir(path)
	if _, err := os.Stat(parent); errors.Is(err, fs.ErrNotExist) {
		if err := makeFolder(parent); err != nil {
			return err
		}
	}
	err := os.Mkdir(path, privateFolder)
	if errors.Is(err, fs.ErrExist) { // another run was faster
		return nil
	}
	if err != nil {
		return fmt.Errorf("creating %s: %w", path, err)
	}
	if err := os.Chmod(path, privateFolder); err != nil {
		return fmt.Errorf("setting the mode of %s: %w", path, err)
	}
	return nil
}

// writeFile replaces path by data in one step: a crash leaves the old content or the new, never a part.
func writeFile(path string, data []byte, mode fs.FileMode) (err error) {
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("writing %s: %w", path, err), ignoreMissing(os.Remove(temp.Name())))
		}
	}()
	// CreateTemp asks for 0600, which a umask can only narrow: the secret is never readable by others.
	_, err = temp.Write(data)
	if err == nil {
		err = temp.Chmod(mode)
	}
	if err == nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err != nil {
		return err
	}
	if err = os.Rename(temp.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
