package workdir

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
)

const backups = "backups"

// Override are the names of the file that the user adds to the Compose project, the one that counts first.
var Override = []string{"compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml"}

// Loose are the files and folders with secrets that others than the owner may read or write, relative to the folder.
func (d Dir) Loose() ([]string, error) {
	if runtime.GOOS == "windows" { // has no such modes
		return nil, nil
	}
	var loose []string
	for _, root := range []string{EnvFile, AppEnvFile, StateDir, backups} {
		err := filepath.WalkDir(d.File(root), func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			info, err := entry.Info()
			if err != nil || entry.Type()&fs.ModeSymlink != 0 || info.Mode().Perm()&0o077 == 0 {
				return ignoreMissing(err)
			}
			name, err := filepath.Rel(d.path, path)
			loose = append(loose, name)
			return err
		})
		if err != nil {
			return loose, fmt.Errorf("looking at the modes in %s: %w", d.path, err)
		}
	}
	return loose, nil
}
