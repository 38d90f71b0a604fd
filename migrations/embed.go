// Package migrations carries SyncMaster's schema as SQL files: one pair of files for each Alembic revision, and the
// catalogue that each revision must leave behind.
//
// NNNN_name.up.sql and .down.sql hold no transaction control: the caller runs each inside one transaction together
// with the change of alembic_version. fingerprints/NNNN.json is what fingerprints/catalog.sql prints on PostgreSQL 17
// at that revision, without insignificant white space; NNNN-created-by-0.2.0.json is the same of a database that
// SyncMaster 0.2.0 or 0.2.1 created. manifest is what `sha256sum *.sql fingerprints/*` prints in this folder.
package migrations

import "embed"

// FS holds the files of this folder.
//
//go:embed *.sql manifest fingerprints
var FS embed.FS
