// Package checkout reads what matters of a checkout of SyncMaster's source: its version and its database revision. It
// reads the files as text; nothing of a checkout is run.
package checkout

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

// Checkout is one state of SyncMaster's source.
type Checkout struct {
	Version string // X.Y.Z as it calls itself; empty where it does not say
	Head    string // the Alembic revision that no other one follows
}

const (
	versions    = "syncmaster/db/migrations/versions"
	versionFile = "syncmaster/VERSION"     // from 0.3.0
	initFile    = "syncmaster/__init__.py" // before
)

var (
	// down_revision may name several, in brackets; a type may stand between name and value
	assigned = regexp.MustCompile(`(?m)^(revision|down_revision)\b[^=\n]*=\s*(\([^)]*\)|\[[^\]]*\]|[^\n]*)`)
	quoted   = regexp.MustCompile(`["']([^"'\n]+)["']`)
	number   = regexp.MustCompile(`[0-9]+\.[0-9]+\.[0-9]+`)
	literal  = regexp.MustCompile(`(?m)^_raw_version\s*=\s*["']([^"'\n]+)["']`)
)

// Read returns what the checkout in a folder is at. A folder that holds none, or whose revisions have no single head,
// is an error.
func Read(folder fs.FS) (Checkout, error) {
	head, err := readHead(folder)
	if err != nil {
		return Checkout{}, err
	}
	return Checkout{Version: readVersion(folder), Head: head}, nil
}

func readHead(folder fs.FS) (string, error) {
	files, err := fs.Glob(folder, versions+"/*.py")
	if err != nil {
		return "", fmt.Errorf("listing %s: %w", versions, err)
	}
	followed := map[string]bool{}
	var ids []string
	for _, file := range files {
		text, err := fs.ReadFile(folder, file)
		if err != nil {
			return "", fmt.Errorf("reading a migration: %w", err)
		}
		for _, m := range assigned.FindAllStringSubmatch(string(text), -1) {
			for _, id := range quoted.FindAllStringSubmatch(m[2], -1) {
				if m[1] == "revision" {
					ids = append(ids, id[1])
				} else {
					followed[id[1]] = true
				}
			}
		}
	}
	heads := slices.DeleteFunc(ids, func(id string) bool { return followed[id] })
	switch len(heads) {
	case 0:
		return "", errors.New("it holds no " + versions + " with revisions: is it a checkout of SyncMaster?")
	case 1:
		return heads[0], nil
	}
	slices.Sort(heads)
	return "", fmt.Errorf("its migrations have %d heads: %s; merge them first", len(heads), strings.Join(heads, ", "))
}

func readVersion(folder fs.FS) string {
	if text, err := fs.ReadFile(folder, versionFile); err == nil {
		return number.FindString(string(text))
	}
	text, err := fs.ReadFile(folder, initFile)
	if err != nil {
		return ""
	}
	if m := literal.FindSubmatch(text); m != nil {
		return number.FindString(string(m[1]))
	}
	return ""
}
