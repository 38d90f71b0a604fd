package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Writer makes one backup. Nothing counts before [Writer.Commit].
type Writer struct {
	store    Store
	folder   string
	manifest Manifest
}

// Create begins a backup. Its name is the time and the reason.
func (s Store) Create(m Manifest) (*Writer, error) {
	m.Format, m.Files = format, map[string]File{}
	m.Created = m.Created.UTC().Truncate(time.Second)
	base := m.Created.Format(timeForm) + "-" + m.Reason
	m.Name = base
	for n := 2; exists(s.Path(m.Name)); n++ {
		m.Name = fmt.Sprintf("%s-%d", base, n)
	}
	if err := s.Sweep(); err != nil {
		return nil, err
	}
	w := &Writer{store: s, folder: filepath.Join(s.root, partial+m.Name), manifest: m}
	for _, folder := range []string{s.root, w.folder} {
		if err := makeFolder(folder); err != nil {
			return nil, fmt.Errorf("making the folder of the backup: %w", err)
		}
	}
	return w, nil
}

// Write adds a file that produce writes, and returns its size. Its bytes are on the disk when Write returns.
func (w *Writer) Write(name string, produce func(io.Writer) error) (size int64, err error) {
	path := filepath.Join(w.folder, name)
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return 0, fmt.Errorf("writing the backup: %w", err)
	}
	sum, count := sha256.New(), &counter{}
	err = produce(io.MultiWriter(file, sum, count))
	if err == nil {
		err = file.Chmod(fileMode) // a umask may have taken what the owner needs
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return count.n, fmt.Errorf("writing %s of the backup: %w", name, err)
	}
	w.manifest.Files[name] = File{Bytes: count.n, SHA256: hex.EncodeToString(sum.Sum(nil))}
	return count.n, nil
}

// Text adds a file.
func (w *Writer) Text(name, text string) error {
	_, err := w.Write(name, func(out io.Writer) error {
		_, err := io.WriteString(out, text)
		return err
	})
	return err
}

// Reopen reads a file that was written, from its beginning.
func (w *Writer) Reopen(name string) (io.ReadCloser, error) {
	return os.Open(filepath.Join(w.folder, name))
}

// Commit makes a backup of what was written.
func (w *Writer) Commit() (Manifest, error) {
	data, err := json.MarshalIndent(w.manifest, "", "  ")
	if err != nil {
		return Manifest{}, fmt.Errorf("encoding the manifest: %w", err)
	}
	path := filepath.Join(w.folder, manifestFile)
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fileMode)
	if err != nil {
		return Manifest{}, fmt.Errorf("writing the manifest: %w", err)
	}
	_, err = file.Write(append(data, '\n'))
	if err == nil {
		err = errors.Join(file.Chmod(fileMode), file.Sync())
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return Manifest{}, fmt.Errorf("writing the manifest: %w", err)
	}
	if err := syncFolder(w.folder); err != nil { // before the name that makes it count
		return Manifest{}, fmt.Errorf("finishing the backup: %w", err)
	}
	if err := os.Rename(w.folder, w.store.Path(w.manifest.Name)); err != nil {
		return Manifest{}, fmt.Errorf("finishing the backup: %w", err)
	}
	return w.manifest, syncFolder(w.store.root)
}

// Discard removes what was written.
func (w *Writer) Discard() error {
	if err := os.RemoveAll(w.folder); err != nil {
		return fmt.Errorf("removing the unfinished backup: %w", err)
	}
	return nil
}

// Keep is how many backups stay.
type Keep struct {
	Count int           // at least so many of the newest stay; 0 for all of them
	Age   time.Duration // younger ones stay, too; 0 for no matter how old
}

// Prune removes the backups that keep does not protect, and returns their names. The newest one that is whole always
// stays, and so does everything newer than it. What cannot be read is left alone.
func (s Store) Prune(keep Keep, now time.Time) ([]string, error) {
	l, err := s.List()
	if err != nil || keep.Count == 0 && keep.Age == 0 {
		return nil, err
	}
	var removed []string
	good := false
	for i, m := range l.Backups {
		young := keep.Age > 0 && now.Sub(m.Created) < keep.Age
		if i < keep.Count || young || !good {
			if !good {
				_, err := s.Verify(m.Name)
				good = err == nil
			}
			continue
		}
		if err := s.Remove(m.Name); err != nil {
			return removed, err
		}
		removed = append(removed, m.Name)
	}
	return removed, nil
}

// Sweep removes what a killed run has left. The caller holds the lock of the install.
func (s Store) Sweep() error {
	// no pattern on the whole path: the folder's own name may have characters that mean something in one
	left, err := fs.Glob(os.DirFS(s.root), partial+"*")
	for _, folder := range left {
		err = errors.Join(err, os.RemoveAll(s.Path(folder)))
	}
	if err != nil {
		return fmt.Errorf("removing unfinished backups: %w", err)
	}
	return nil
}

func makeFolder(path string) error {
	if exists(path) {
		return nil
	}
	if err := os.Mkdir(path, folderMode); err != nil {
		return err
	}
	return os.Chmod(path, folderMode)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}
