package engine

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// errChanged ends the packing of a file that another program is writing.
var errChanged = errors.New("it changed while it was read")

// packer writes the folder of a build as a tar archive, as `docker build` sends it: without what .dockerignore leaves
// out, all files root's, so that the cache is the same for every user.
type packer struct {
	out        *tar.Writer
	root       string
	dockerfile string // below root; sent even where it is ignored
	hidden     string // a folder that never leaves this machine
	ignored    *patternmatcher.PatternMatcher
	parents    map[string]patternmatcher.MatchInfo // of the folders, for the patterns of what is in them
	sent       bool                                // the Dockerfile
}

// pack writes the context below root to out. hidden is the path of a folder that is left out in any case.
func pack(out io.Writer, root, dockerfile, hidden string) error {
	patterns, err := ignorePatterns(root, dockerfile)
	if err != nil {
		return err
	}
	ignored, err := patternmatcher.New(patterns)
	if err != nil {
		return fmt.Errorf("reading the patterns of .dockerignore: %w", err)
	}
	p := &packer{
		out: tar.NewWriter(out), root: root, dockerfile: filepath.Clean(dockerfile), hidden: hidden, ignored: ignored,
		parents: map[string]patternmatcher.MatchInfo{},
	}
	if err := filepath.WalkDir(root, p.visit); err != nil {
		return err
	}
	if !p.sent {
		if err := p.add(filepath.Join(root, dockerfile), p.dockerfile); err != nil {
			return err
		}
	}
	return p.out.Close()
}

// ignorePatterns reads the ignore file of a Dockerfile, otherwise that of the folder, as BuildKit does.
func ignorePatterns(root, dockerfile string) ([]string, error) {
	for _, name := range []string{dockerfile + ".dockerignore", ".dockerignore"} {
		file, err := os.Open(filepath.Join(root, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading what the build leaves out: %w", err)
		}
		patterns, err := ignorefile.ReadAll(file)
		if err := errors.Join(err, file.Close()); err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		return patterns, nil
	}
	return nil, nil
}

func (p *packer) visit(path string, entry fs.DirEntry, err error) error {
	if err != nil {
		return fmt.Errorf("reading the folder of the build: %w", err)
	}
	name, err := filepath.Rel(p.root, path)
	if err != nil || name == "." {
		return err
	}
	if path == p.hidden {
		return fs.SkipDir
	}
	ignored, info, err := p.ignored.MatchesUsingParentResults(name, p.parents[filepath.Dir(name)])
	if err != nil {
		return fmt.Errorf("matching %s with .dockerignore: %w", name, err)
	}
	if entry.IsDir() {
		p.parents[name] = info
	}
	switch {
	case !ignored:
		return p.add(path, name)
	case entry.IsDir() && !p.ignored.Exclusions(): // with them, something below may be wanted again
		return fs.SkipDir
	}
	return nil
}

// add writes a file, a folder's own entry or a link. Sockets, pipes and devices have no place in an image.
func (p *packer) add(path, name string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) && name != p.dockerfile {
		return nil // gone since the folder was listed, as an editor's files are
	}
	if err != nil {
		return fmt.Errorf("reading the folder of the build: %w", err)
	}
	link := ""
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		if link, err = os.Readlink(path); err != nil {
			return fmt.Errorf("reading the folder of the build: %w", err)
		}
	case !info.IsDir() && !info.Mode().IsRegular():
		return nil
	}
	header, err := tar.FileInfoHeader(info, filepath.ToSlash(link))
	if err != nil {
		return fmt.Errorf("packing %s: %w", name, err)
	}
	header.Name = filepath.ToSlash(name)
	if info.IsDir() {
		header.Name += "/"
	}
	header.Uid, header.Gid, header.Uname, header.Gname = 0, 0, "", ""
	if runtime.GOOS == "windows" { // which knows no bit for programs
		header.Mode |= 0o755
	}
	p.sent = p.sent || name == p.dockerfile
	if err := p.out.WriteHeader(header); err != nil {
		return fmt.Errorf("packing %s: %w", name, err)
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	return p.copy(path, name, header.Size)
}

func (p *packer) copy(path, name string, size int64) (err error) {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("reading the folder of the build: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := io.CopyN(p.out, file, size); errors.Is(err, io.EOF) {
		return fmt.Errorf("packing %s: %w", name, errChanged)
	} else if err != nil {
		return fmt.Errorf("packing %s: %w", name, err)
	}
	return nil
}
