package engine

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// packed returns what of a folder is sent, name by name, with the contents of its files.
func packed(t *testing.T, root, dockerfile, hidden string) map[string]string {
	t.Helper()
	var out bytes.Buffer
	if err := pack(&out, root, dockerfile, hidden); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for archive := tar.NewReader(&out); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Uid != 0 || header.Gid != 0 || header.Uname != "" || header.Gname != "" {
			t.Errorf("%s is sent as %s's (%d)", header.Name, header.Uname, header.Uid)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := files[header.Name]; twice {
			t.Errorf("%s is sent twice", header.Name)
		}
		files[header.Name] = string(content) + header.Linkname
	}
}

func fill(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o750), os.WriteFile(path, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestPack(t *testing.T) {
	tree := map[string]string{
		"docker/Dockerfile": "FROM x", "src/a.py": "a", "src/deep/b.py": "b", "src/deep/b.pyc": "b", "venv/lib/c.py": "c", "keep.log": "k", "drop.log": "d",
		".state/keys": "secret",
	}
	for _, tc := range []struct {
		name, ignore string
		want         []string
	}{
		{"no patterns", "", []string{".dockerignore", "docker/Dockerfile", "drop.log", "keep.log", "src/a.py", "src/deep/b.py", "src/deep/b.pyc", "venv/lib/c.py"}},
		{"as SyncMaster's", "# comment\n\n**.pyc\n*.log\nvenv/\n.dockerignore", []string{"docker/Dockerfile", "src/a.py", "src/deep/b.py"}},
		{"the Dockerfile ignored", "*", []string{"docker/Dockerfile"}},
		{"exceptions", "*\n!src/deep\n!keep.log\n**/*.pyc", []string{"docker/Dockerfile", "keep.log", "src/deep/b.py"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := fill(t, tree)
			if err := os.WriteFile(filepath.Join(root, ".dockerignore"), []byte(tc.ignore), 0o600); err != nil {
				t.Fatal(err)
			}
			var got []string
			for name, content := range packed(t, root, "docker/Dockerfile", filepath.Join(root, ".state")) {
				if name[len(name)-1] == '/' {
					continue
				}
				got = append(got, name)
				if name != ".dockerignore" && content != tree[name] {
					t.Errorf("%s holds %q", name, content)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

// A Dockerfile may have an ignore file of its own, which replaces the folder's.
func TestPackPrefersTheDockerfilesOwnPatterns(t *testing.T) {
	root := fill(t, map[string]string{"Dockerfile": "FROM x", "Dockerfile.dockerignore": "a", ".dockerignore": "b", "a": "", "b": ""})
	files := packed(t, root, "Dockerfile", "")
	if _, sent := files["a"]; sent {
		t.Error("a is sent")
	}
	if _, sent := files["b"]; !sent {
		t.Error("b is not sent")
	}
}

func TestPackKinds(t *testing.T) {
	root := fill(t, map[string]string{"Dockerfile": "FROM x", "file": "x"})
	socket, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", filepath.Join(root, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }() // nothing was sent
	if err := os.Symlink("nowhere/at all", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	files := packed(t, root, "Dockerfile", "")
	if files["link"] != "nowhere/at all" {
		t.Errorf("the link is sent as %q", files["link"])
	}
	if _, sent := files["socket"]; sent {
		t.Error("the socket is sent")
	}
}

func TestPackFails(t *testing.T) {
	root := fill(t, map[string]string{"Dockerfile": "FROM x", ".dockerignore": "[a-"})
	if err := pack(io.Discard, root, "Dockerfile", ""); err == nil {
		t.Error("a broken pattern is accepted")
	}
	if err := pack(io.Discard, fill(t, map[string]string{"a": ""}), "Dockerfile", ""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a Dockerfile: %v", err)
	}
}
