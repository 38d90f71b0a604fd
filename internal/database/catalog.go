package database

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"syncmaster-setup/migrations"
)

// catalog is the structure of schema public, as fingerprints/catalog.sql prints it.
type catalog struct {
	Tables     []table    `json:"tables"`
	Indexes    []string   `json:"indexes"` // definitions
	Sequences  []sequence `json:"sequences"`
	Extensions []string   `json:"extensions"`
}

type table struct {
	Name        string       `json:"name"`
	Columns     []tableField `json:"columns"`
	Constraints []constraint `json:"constraints"`
}

type tableField struct {
	Name      string  `json:"name"`
	Type      string  `json:"type"`
	Default   *string `json:"default"`
	Identity  string  `json:"identity"`
	NotNull   bool    `json:"not_null"`
	Generated string  `json:"generated"`
}

type constraint struct {
	Name       string `json:"name"`
	Definition string `json:"definition"`
}

type sequence struct {
	Name      string  `json:"name"`
	Type      string  `json:"type"`
	Start     int64   `json:"start"`
	OwnedBy   *string `json:"owned_by"`
	Increment int64   `json:"increment"`
}

var catalogQuery = sync.OnceValues(func() (string, error) {
	text, err := migrations.FS.ReadFile("fingerprints/catalog.sql")
	if err != nil {
		return "", fmt.Errorf("reading the embedded catalogue query: %w", err)
	}
	return string(text), nil
})

// readCatalog returns the structure of schema public, parsed and as JSON without insignificant white space.
func (db *DB) readCatalog(ctx context.Context) (catalog, []byte, error) {
	query, err := catalogQuery()
	if err != nil {
		return catalog{}, nil, err
	}
	results, err := db.conn.PgConn().Exec(ctx, query).ReadAll()
	if err != nil {
		return catalog{}, nil, fmt.Errorf("reading the catalogue: %w", err)
	}
	return parseCatalog([]byte(firstValue(results)))
}

// fingerprint returns what the catalogue must be at a revision; at none, nothing.
func fingerprint(revision string) (catalog, []byte, error) {
	if revision == "" {
		return catalog{}, []byte(`{"tables":[],"indexes":[],"sequences":[],"extensions":[]}`), nil
	}
	return fingerprintFile(migrations.FS, revision)
}

func fingerprintFile(files fs.FS, name string) (catalog, []byte, error) {
	text, err := fs.ReadFile(files, "fingerprints/"+name+".json")
	if err != nil {
		return catalog{}, nil, fmt.Errorf("reading the embedded fingerprint: %w", err)
	}
	return parseCatalog(text)
}

func parseCatalog(text []byte) (catalog, []byte, error) {
	var c catalog
	var compact bytes.Buffer
	if err := json.Unmarshal(text, &c); err != nil {
		return catalog{}, nil, fmt.Errorf("parsing the catalogue: %w", err)
	}
	if err := json.Compact(&compact, text); err != nil {
		return catalog{}, nil, fmt.Errorf("parsing the catalogue: %w", err)
	}
	return c, compact.Bytes(), nil
}

func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
