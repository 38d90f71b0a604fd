// Package sqlfile checks the files that the migrations embed: each must stay inside the transaction that it runs in, and
// be the file whose checksum the manifest holds.
package sqlfile

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
)

// Check checks every *.sql file of the folder itself and compares each file, those of its folders included, with the
// manifest. Everything that is wrong is told.
func Check(files fs.FS) error {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return fmt.Errorf("listing the embedded migrations: %w", err)
	}
	var errs []error
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err == nil {
			err = Lint(name, string(text))
		}
		errs = append(errs, err)
	}
	return errors.Join(append(errs, checkManifest(files))...)
}

// checkManifest compares each file but the manifest itself with its checksum there, and looks for every file it names.
func checkManifest(files fs.FS) error {
	text, err := fs.ReadFile(files, "manifest")
	if err != nil {
		return fmt.Errorf("reading the checksums of the embedded migrations: %w", err)
	}
	want := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		sum, name, _ := bytes.Cut(lines.Bytes(), []byte("  "))
		want[string(name)] = string(sum)
	}
	err = fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || name == "manifest" || path.Ext(name) == ".go" {
			return err
		}
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return fmt.Errorf("reading the embedded file %s: %w", name, err)
		}
		if sum := sha256.Sum256(content); want[name] != hex.EncodeToString(sum[:]) {
			return fmt.Errorf("checking the embedded file %s: its checksum is not the one in the manifest", name)
		}
		delete(want, name)
		return nil
	})
	if err == nil && len(want) > 0 {
		err = fmt.Errorf("checking the embedded files: %s of the manifest is missing", slices.Sorted(maps.Keys(want))[0])
	}
	return err
}
