package backup_test

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"syncmaster-setup/internal/backup"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// whole writes a whole backup of a dump and one file with a secret.
func whole(t *testing.T, s backup.Store, at time.Time) backup.Manifest {
	t.Helper()
	w, err := s.Create(backup.Manifest{Created: at, Reason: "backup", Version: "0.3.2", Revision: "0012"})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, w)
	m, err := w.Commit()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func fill(t *testing.T, w *backup.Writer) {
	t.Helper()
	n, err := w.Write(backup.Dump, func(out io.Writer) error {
		_, err := io.WriteString(out, "PGDMP\x00\xff")
		return err
	})
	if err != nil || n != 7 {
		t.Fatal(n, err)
	}
	if err := w.Text(".env", "POSTGRES_PASSWORD=x\n"); err != nil {
		t.Fatal(err)
	}
}

func TestBackupRoundTrip(t *testing.T) {
	s := backup.In(filepath.Join(t.TempDir(), "backups"))
	if l, err := s.List(); err != nil || l.Backups != nil || l.Unreadable != nil {
		t.Fatalf("without a folder: %v, %v", l, err)
	}
	made := whole(t, s, noon.Add(300*time.Millisecond))
	if made.Name != "20260501T120000Z-backup" || made.Bytes() != 27 || len(made.Files) != 2 {
		t.Errorf("made %+v", made)
	}
	if again := whole(t, s, noon); again.Name != made.Name+"-2" {
		t.Errorf("a second one in the same second is called %q", again.Name)
	}
	read, err := s.Verify(made.Name)
	if err != nil || read.Version != "0.3.2" || !read.Created.Equal(noon) {
		t.Errorf("verified %+v, %v", read, err)
	}
	if text, err := s.Text(read, ".env"); err != nil || text != "POSTGRES_PASSWORD=x\n" {
		t.Errorf("read %q, %v", text, err)
	}
	if _, err := s.Text(read, "state.json"); err == nil || !strings.Contains(err.Error(), "it has no state.json") {
		t.Errorf("a file that it never had: %v", err)
	}
	older := whole(t, s, noon.Add(-time.Hour))
	l, err := s.List()
	if err != nil || len(l.Backups) != 3 || l.Backups[2].Name != older.Name || len(l.Unreadable) != 0 {
		t.Errorf("not the newest first: %v, %v", l, err)
	}
	if err := s.Remove(made.Name); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.Path(made.Name)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something of it stays: %v", err)
	}
	if err := s.Remove(made.Name); err == nil {
		t.Error("removed twice")
	}
}

// A folder's name is the user's: it may have characters that mean something in a pattern.
func TestUnfinishedBackups(t *testing.T) {
	s := backup.In(filepath.Join(t.TempDir(), "[a*", "backups"))
	if err := os.Mkdir(filepath.Dir(s.Path(".")), 0o700); err != nil {
		t.Fatal(err)
	}
	killed, err := s.Create(backup.Manifest{Created: noon, Reason: "backup"})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, killed)
	entries := func() (names []string) {
		t.Helper()
		list, err := os.ReadDir(s.Path("."))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			names = append(names, e.Name())
		}
		return names
	}
	if l, err := s.List(); err != nil || len(l.Backups)+len(l.Unreadable) != 0 {
		t.Errorf("listed: %v, %v", l, err)
	}
	if _, err := s.Manifest(entries()[0]); !errors.Is(err, backup.ErrNone) {
		t.Errorf("read by its name: %v", err)
	}
	failed, err := s.Create(backup.Manifest{Created: noon, Reason: "backup"})
	if err != nil {
		t.Fatal(err)
	}
	if left := entries(); len(left) != 1 {
		t.Errorf("what was killed is not swept: %v", left)
	}
	cause := errors.New("no luck")
	if _, err := failed.Write(backup.Dump, func(out io.Writer) error {
		_, _ = io.WriteString(out, "half")
		return cause
	}); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	if err := failed.Discard(); err != nil || len(entries()) != 0 {
		t.Errorf("left behind: %v, %v", entries(), err)
	}
}

func TestDamage(t *testing.T) {
	for name, tc := range map[string]struct {
		damage func(folder string) error
		want   string
	}{
		"changed": {func(f string) error { return os.WriteFile(f+"/"+backup.Dump, []byte("PGDMP\x00\xfe"), 0o600) }, "database.dump is damaged"},
		"short":   {func(f string) error { return os.Truncate(f+"/"+backup.Dump, 3) }, "database.dump is damaged: 3 bytes with another checksum than the manifest's 7"},
		"empty":   {func(f string) error { return os.Truncate(f+"/.env", 0) }, ".env is damaged: 0 bytes"},
		"long":    {func(f string) error { return os.WriteFile(f+"/.env", []byte("POSTGRES_PASSWORD=x\n\n"), 0o600) }, ".env is damaged: 21 bytes"},
		"missing": {func(f string) error { return os.Remove(f + "/" + backup.Dump) }, "database.dump: no such file"},
		"a folder in its place": {func(f string) error {
			return errors.Join(os.Remove(f+"/.env"), os.Mkdir(f+"/.env", 0o700))
		}, "is a directory"},
		"two of them": {func(f string) error {
			return errors.Join(os.Remove(f+"/.env"), os.Remove(f+"/"+backup.Dump))
		}, "database.dump: no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			s := backup.In(filepath.Join(t.TempDir(), "backups"))
			m := whole(t, s, noon)
			if err := tc.damage(s.Path(m.Name)); err != nil {
				t.Fatal(err)
			}
			_, err := s.Verify(m.Name)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
			if name == "two of them" && !strings.Contains(err.Error(), ".env: no such file") {
				t.Errorf("only one is told: %v", err)
			}
		})
	}
}

// A reader that is closed early proves nothing; one that reads to the end does, also in small pieces.
func TestOpenChecksWhatIsRead(t *testing.T) {
	s := backup.In(filepath.Join(t.TempDir(), "backups"))
	m := whole(t, s, noon)
	read := func() error {
		r, err := s.Open(m, backup.Dump)
		if err != nil {
			return err
		}
		defer func() { _ = r.Close() }()
		_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r}, make([]byte, 2))
		return err
	}
	if err := read(); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(s.Path(m.Name), backup.Dump), []byte("PGDMP\x00\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := read(); err == nil {
		t.Error("a changed byte is not seen")
	}
}

func TestManifestsThatAreNone(t *testing.T) {
	good := map[string]any{"format": 1, "files": map[string]any{}}
	with := func(key string, value any) map[string]any {
		m := map[string]any{key: value}
		for k, v := range good {
			if _, set := m[k]; !set {
				m[k] = v
			}
		}
		return m
	}
	file := map[string]any{"bytes": 1, "sha256": ""}
	for name, content := range map[string]any{
		"newer format":   with("format", 2),
		"no format":      with("format", 0),
		"no files":       with("files", nil),
		"no object":      "text",
		"file above":     with("files", map[string]any{"../../.env": file}),
		"file elsewhere": with("files", map[string]any{"/etc/hostname": file}),
		"file below":     with("files", map[string]any{"a/b": file}),
		"file no name":   with("files", map[string]any{"": file}),
		"folder":         with("files", map[string]any{".": file}),
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			s := backup.In(root)
			data, err := json.Marshal(content)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(os.Mkdir(s.Path("b"), 0o700), os.WriteFile(filepath.Join(root, "b", "manifest.json"), data, 0o600)); err != nil {
				t.Fatal(err)
			}
			if m, err := s.Verify("b"); err == nil || errors.Is(err, backup.ErrNone) {
				t.Errorf("accepted %+v, %v", m, err)
			}
			l, err := s.List()
			if err != nil || len(l.Backups) != 0 || len(l.Unreadable) != 1 || l.Unreadable[0].Name != "b" || l.Unreadable[0].Reason == "" {
				t.Errorf("listed %+v, %v", l, err)
			}
		})
	}
}

// What cannot be used as a backup and looks like one is told; a folder of the user's is not.
func TestUnreadable(t *testing.T) {
	s := backup.In(filepath.Join(t.TempDir(), "backups"))
	good, half := whole(t, s, noon), whole(t, s, noon.Add(-time.Hour))
	manifest := func(name string) string { return filepath.Join(s.Path(name), "manifest.json") }
	if err := errors.Join(os.Remove(manifest(half.Name)), os.Rename(s.Path(half.Name), s.Path("copy")), os.Mkdir(s.Path("mine"), 0o700),
		os.CopyFS(s.Path("of may"), os.DirFS(s.Path(good.Name))), os.Mkdir(s.Path("20260401T120000Z-backup"), 0o700)); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"20260401T120000Z-backup": "it has no manifest.json", "copy": "it has no manifest.json", "of may": "its name may hold"}
	l, err := s.List()
	if err != nil || len(l.Backups) != 1 || len(l.Unreadable) != len(want) {
		t.Fatalf("%+v, %v", l, err)
	}
	for _, u := range l.Unreadable {
		if want[u.Name] == "" || !strings.HasPrefix(u.Reason, want[u.Name]) {
			t.Errorf("%+v", u)
		}
	}
	if name, inTheWay := l.Newest(); name != good.Name || inTheWay != nil {
		t.Errorf("the newest is %s, %+v", name, inTheWay)
	}
	removed, err := s.Prune(backup.Keep{Count: 1}, noon.Add(1000*time.Hour))
	if err != nil || len(removed) != 0 {
		t.Errorf("removed %v, %v", removed, err)
	}
	newer := whole(t, s, noon.Add(time.Hour))
	if err := os.WriteFile(manifest(newer.Name), []byte(`{"format": 1, "fi`), 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err = s.List(); err != nil {
		t.Fatal(err)
	}
	if name, inTheWay := l.Newest(); name != "" || inTheWay == nil || inTheWay.Name != newer.Name || !strings.Contains(inTheWay.Reason, "unexpected end of JSON") {
		t.Errorf("the newest is %q, %+v", name, inTheWay)
	}
	if _, err := s.Verify(newer.Name); err == nil || errors.Is(err, backup.ErrNone) {
		t.Errorf("verified: %v", err)
	}
	if removed, err := s.Prune(backup.Keep{Count: 1}, noon.Add(1000*time.Hour)); err != nil || len(removed) != 0 {
		t.Errorf("removed %v, %v", removed, err)
	}
}

func TestNamesStayInTheFolder(t *testing.T) {
	root := t.TempDir()
	m := whole(t, backup.In(root), noon)
	s := backup.In(filepath.Join(root, "backups"))
	for _, name := range []string{"", ".", "..", "../" + m.Name, "../" + m.Name + "/", filepath.Join(root, m.Name), "a/../../" + m.Name, "-x", ".partial-x", "a\x00b", "a\nb"} {
		if _, err := s.Manifest(name); !errors.Is(err, backup.ErrNone) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := s.Remove("../" + m.Name); err == nil {
		t.Error("removed a folder elsewhere")
	}
}

func TestPrune(t *testing.T) {
	day := 24 * time.Hour
	for name, tc := range map[string]struct {
		keep    backup.Keep
		damaged []int // of five, one a day, the newest first and made today
		stay    []int
	}{
		"nothing asked":                     {backup.Keep{}, nil, []int{0, 1, 2, 3, 4}},
		"so many":                           {backup.Keep{Count: 2}, nil, []int{0, 1}},
		"more than there are":               {backup.Keep{Count: 9}, nil, []int{0, 1, 2, 3, 4}},
		"so young":                          {backup.Keep{Age: 60 * time.Hour}, nil, []int{0, 1, 2}},
		"none is young":                     {backup.Keep{Age: time.Minute}, nil, []int{0}},
		"either of the two":                 {backup.Keep{Count: 1, Age: 2*day + 2*time.Hour}, nil, []int{0, 1, 2}},
		"the newest is damaged":             {backup.Keep{Count: 1}, []int{0}, []int{0, 1}},
		"the two newest are":                {backup.Keep{Count: 1}, []int{0, 1}, []int{0, 1, 2}},
		"a damaged one that is not wanted":  {backup.Keep{Count: 1}, []int{3}, []int{0}},
		"all are damaged":                   {backup.Keep{Count: 1}, []int{0, 1, 2, 3, 4}, []int{0, 1, 2, 3, 4}},
		"only the oldest is whole, and old": {backup.Keep{Age: day}, []int{0, 1, 2, 3}, []int{0, 1, 2, 3, 4}},
	} {
		t.Run(name, func(t *testing.T) {
			s := backup.In(filepath.Join(t.TempDir(), "backups"))
			var names []string
			for n := range 5 {
				names = append(names, whole(t, s, noon.Add(-time.Duration(n)*day)).Name)
			}
			for _, n := range tc.damaged {
				if err := os.Truncate(filepath.Join(s.Path(names[n]), backup.Dump), 1); err != nil {
					t.Fatal(err)
				}
			}
			removed, err := s.Prune(tc.keep, noon.Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			for n, name := range names {
				_, err := os.Stat(s.Path(name))
				if stays := slices.Contains(tc.stay, n); stays != (err == nil) || stays == slices.Contains(removed, name) {
					t.Errorf("number %d: stays %v, told as removed %v", n, err == nil, slices.Contains(removed, name))
				}
			}
		})
	}
}
