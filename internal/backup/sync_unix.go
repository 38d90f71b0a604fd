//go:build unix

package backup

import (
	"errors"
	"fmt"
	"os"
)

// syncFolder makes a rename in the folder survive a power cut.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("opening folder %s: %w", path, err)
	}
	return errors.Join(folder.Sync(), folder.Close())
}
