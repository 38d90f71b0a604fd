package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// volumeBytes is the size of the disk that the database has alone; a fresh one takes less than a quarter of it.
const volumeBytes = 256 << 20

// manyGroups are rows that a revision rewrites, and more than the space that is left to it then.
const manyGroups = `INSERT INTO "group" (name, description, owner_id)
	SELECT 'group of many ' || n, repeat('what it is for ', 20), 1 FROM generate_series(1, 40000) n; CHECKPOINT`

// TestUpgradeWithFullDisk fills the database's disk up once the backup is taken.
func TestUpgradeWithFullDisk(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	disk := s.volumeOnDisk(volumeBytes)
	s.init(append(slices.Clone(whole), "--version", "0.2.4")...).is(t, 0)
	s.fill()
	s.query(manyGroups)
	before := s.stand()

	t.Run("seen before", func(t *testing.T) {
		s := s.within(t)
		disk.fill(t, 8<<20)
		defer disk.free(t)
		s.mustLeaveAlone("upgrade", []string{"--to", "0.2.5"}, "where the database keeps its data, has ", "rewritten tables need up to")
	})
	t.Run("table", func(t *testing.T) { // the old release goes on with what little is left
		s := s.within(t)
		got := s.upgradeOnto(disk, 8<<20).is(t, undone)
		s.mustBeHealthy(all...)
		disk.free(t)
		s.mustBeBack(got, undone, before).says(t, "No space left on device", "free disk space on the server", "release 0.2.4 runs and is healthy")
		s.transcript("migration-disk-full", got)
	})
	t.Run("write-ahead log", func(t *testing.T) { // PostgreSQL ends itself, and does not come up again
		s := s.within(t)
		s.holdMigration()
		p := begin(t, s.on("upgrade", "--to", "0.2.5"))
		s.waitForLock("ALTER TABLE")
		disk.fill(t, 0)
		s.endLog()
		p.wait().is(t, notUndone).says(t, "No space left on device", "syncmaster-setup abort --dir "+s.dir)
		again := s.do("abort").is(t, notUndone).says(t, "No space left on device")
		again.stderr = lastLines.ReplaceAllString(again.stderr, "its last lines:\n    LINES OF POSTGRESQL\n")
		s.transcript("database-disk-full", again)
		disk.free(t)
		s.restarts = true
		s.mustBeBack(s.do("abort"), 0, before)
	})
	if t.Failed() {
		return
	}
	s.do("upgrade", "--to", "0.2.5").is(t, 0)
}

// disk is a small file system in memory.
type disk struct{ path string }

// volumeOnDisk lets the user's override file place the database's volume on a disk of its own.
func (s *stack) volumeOnDisk(bytes int) disk {
	s.t.Helper()
	d := disk{openFolder(s.t)}
	if err := unix.Mount("tmpfs", d.path, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		cannot(s.t, "mounting a small disk: ", err)
	}
	s.t.Cleanup(func() {
		s.remove() // the volume first
		if err := unix.Unmount(d.path, unix.MNT_DETACH); err != nil {
			s.t.Error(err)
		}
	})
	data := filepath.Join(d.path, "data")
	if err := os.Mkdir(data, 0o755); err != nil {
		s.t.Fatal(err)
	}
	write(s.t, filepath.Join(s.dir, "docker-compose.override.yml"), fmt.Sprintf(
		"volumes:\n  postgres_data:\n    driver_opts: {type: none, o: bind, device: %s}\n", data))
	return d
}

// fill takes all but so many bytes of the disk.
func (d disk) fill(t *testing.T, left int64) {
	t.Helper()
	file, err := os.Create(filepath.Join(d.path, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }() // its size is all that counts
	var now unix.Statfs_t
	if err := unix.Statfs(d.path, &now); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Fallocate(int(file.Fd()), 0, 0, int64(now.Bfree)*now.Bsize-left); err != nil {
		t.Fatal(err)
	}
}

func (d disk) free(t *testing.T) {
	t.Helper()
	if err := os.Remove(filepath.Join(d.path, "filler")); err != nil {
		t.Fatal(err)
	}
}

// upgradeOnto fills the disk but for so many bytes as soon as the backup is there.
func (s *stack) upgradeOnto(d disk, left int64) result {
	s.t.Helper()
	p := begin(s.t, s.on("upgrade", "--to", "0.2.5"))
	if !p.until(func(line string) bool { return strings.Contains(line, "back up") }) {
		s.t.Fatalf("it never took the backup\n%s", p.wait().said())
	}
	d.fill(s.t, left)
	return p.wait()
}

// endLog uses up the segments of the write-ahead log that are there, until the server cannot make the next one.
func (s *stack) endLog() {
	s.t.Helper()
	conn := s.session()
	eventually(s.t, func() error {
		if _, err := conn.Exec(s.t.Context(), "SELECT pg_logical_emit_message(true, 'test', 'full'), pg_switch_wal()"); err != nil {
			return nil //nolint:nilerr // that is its end
		}
		return errors.New("the server still writes")
	})
}
