package setup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"syncmaster-setup/internal/backup"
)

// TestRetentionTellsWhatItLeaves: a backup that cannot be read is neither removed nor passed over in silence.
func TestRetentionTellsWhatItLeaves(t *testing.T) {
	s := setupAt(t)
	told := &heard{}
	s.Report = told
	broken := filepath.Join(s.Dir.File(backups), "20260501T120000Z-backup")
	if err := os.MkdirAll(broken, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := s.prune(backup.Keep{}); err != nil || len(told.texts) != 0 { // nobody has asked to remove any
		t.Errorf("%v, told %q", err, told.texts)
	}
	removed, err := s.prune(backup.Keep{Count: 1})
	if err != nil || len(removed) != 0 || len(told.texts) != 1 || !strings.Contains(told.texts[0], "stays until you remove "+broken+": it has no manifest.json") {
		t.Errorf("removed %v, %v, told %q", removed, err, told.texts)
	}
	if _, err := os.Stat(broken); err != nil {
		t.Error(err)
	}
}
