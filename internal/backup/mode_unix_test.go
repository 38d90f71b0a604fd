//go:build unix

package backup_test

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
	"testing"

	"syncmaster-setup/internal/backup"
)

// Not parallel: the umask belongs to the process.
func TestOnlyTheOwnerReadsABackup(t *testing.T) {
	for _, mask := range []int{0, 0o022, 0o777} {
		t.Run(fmt.Sprintf("umask %03o", mask), func(t *testing.T) {
			s := backup.In(filepath.Join(t.TempDir(), "backups"))
			defer syscall.Umask(syscall.Umask(mask))
			whole(t, s, noon)
			err := filepath.WalkDir(s.Path("."), func(path string, entry fs.DirEntry, err error) error {
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
				}
				if info.Mode().Perm() != want {
					t.Errorf("%s has mode %o", path, info.Mode().Perm())
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}
