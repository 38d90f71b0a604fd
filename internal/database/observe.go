package database

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

// Facts are what one observation of a database tells. Nothing is changed by it.
type Facts struct {
	ServerVersion    int          `json:"server_version"`    // 170002 for 17.2
	SystemIdentifier string       `json:"system_identifier"` // of the cluster; survives restarts and copies of its files
	InRecovery       bool         `json:"in_recovery"`       // a standby: read only
	ReadOnly         bool         `json:"read_only"`         // what a transaction is by default for this role
	Database         string       `json:"database"`
	User             string       `json:"user"`
	Superuser        bool         `json:"superuser"`
	DatabaseOwner    bool         `json:"database_owner"`    // or member of the owning role
	CanCreate        bool         `json:"can_create"`        // objects in schema public
	CanCreateDB      bool         `json:"can_create_db"`     // schemas and trusted extensions in the database
	Trigram          bool         `json:"trigram"`           // pg_trgm is installed in the database
	TrigramOwned     bool         `json:"trigram_owned"`     // by this role or one that it is a member of
	TrigramAvailable bool         `json:"trigram_available"` // the server has its files
	EncryptedRows    int64        `json:"encrypted_rows"`    // estimate for auth_data
	Tables           []TableFacts `json:"tables"`            // of schema public, without extensions' own
	Revisions        []string     `json:"-"`                 // rows of alembic_version
	ForeignTables    []string     `json:"-"`                 // tables of schema public that SyncMaster never had
	Sessions         []Session    `json:"-"`                 // others in this database, the longest transaction first
}

// TableFacts are the size of a table and who may change it.
type TableFacts struct {
	Name  string `json:"name"`
	Rows  int64  `json:"rows"`  // estimate
	Bytes int64  `json:"bytes"` // with indexes and TOAST
	Owned bool   `json:"owned"` // by this role or one that it is a member of
	Heap  int64  `json:"heap"`  // bytes without indexes and TOAST; 0 where there never was a row
}

// Revision returns the database's revision, empty for none, or an error with a hint where it is not one that the
// embedded migrations know.
func (f Facts) Revision() (string, error) { return soleRevision(f.Revisions) }

// factsQuery asks for everything at once. A superuser owns everything in the sense of pg_has_role.
const factsQuery = `SELECT jsonb_build_object(
	'server_version', current_setting('server_version_num')::int,
	'system_identifier', (SELECT system_identifier::text FROM pg_control_system()),
	'in_recovery', pg_is_in_recovery(),
	'read_only', current_setting('default_transaction_read_only')::bool,
	'database', current_database(),
	'user', current_user,
	'superuser', (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
	'database_owner', (SELECT pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = current_database()),
	'can_create', coalesce((SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = 'public'), false),
	'can_create_db', has_database_privilege(current_database(), 'CREATE'),
	'trigram', EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm'),
	'trigram_owned', coalesce((SELECT pg_has_role(extowner, 'USAGE') FROM pg_extension WHERE extname = 'pg_trgm'), false),
	'encrypted_rows', coalesce((SELECT greatest(c.reltuples::bigint, pg_stat_get_live_tuples(c.oid), 0)
		FROM pg_class c WHERE c.oid = to_regclass('public.auth_data')), 0),
	'tables', (SELECT coalesce(jsonb_agg(jsonb_build_object(
			'name', c.relname,
			'rows', greatest(c.reltuples::bigint, pg_stat_get_live_tuples(c.oid), 0),
			'bytes', pg_total_relation_size(c.oid),
			'heap', pg_relation_size(c.oid),
			'owned', pg_has_role(c.relowner, 'USAGE')) ORDER BY c.relname), '[]')
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT EXISTS (
			SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')))`

// Observe reads what a plan and the checks before it depend on.
func (db *DB) Observe(ctx context.Context) (Facts, error) {
	var facts Facts
	results, err := db.conn.PgConn().Exec(ctx, factsQuery).ReadAll()
	if err != nil {
		return Facts{}, fmt.Errorf("observing %s: %w", db.target, err)
	}
	if err := json.Unmarshal([]byte(firstValue(results)), &facts); err != nil {
		return Facts{}, fmt.Errorf("observing %s: %w", db.target, err)
	}
	if facts.TrigramAvailable = facts.Trigram; !facts.Trigram {
		if facts.TrigramAvailable, err = db.extensionAvailable(ctx, "pg_trgm"); err != nil {
			return Facts{}, err
		}
	}
	if facts.Revisions, err = readVersions(ctx, db.conn); err != nil {
		return Facts{}, err
	}
	if facts.Sessions, err = db.sessions(ctx); err != nil {
		return Facts{}, err
	}
	for _, t := range facts.Tables {
		if t.Name != versionTable && owned().since["table "+t.Name] == "" {
			facts.ForeignTables = append(facts.ForeignTables, t.Name)
		}
	}
	return facts, nil
}

// extensionAvailable reports whether the server has the files of an extension. It looks for those of this one only:
// pg_available_extensions reads those of all, which takes a tenth of the time of all revisions.
func (db *DB) extensionAvailable(ctx context.Context, name string) (bool, error) {
	var paths int
	err := db.conn.QueryRow(ctx, "SELECT count(*) FROM pg_extension_update_paths($1)", name).Scan(&paths)
	switch sqlState(err) {
	case codeExtensionNotPresent, codeUndefinedFile: // the latter before PostgreSQL 15
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking for the extension %s: %w", name, err)
	}
	return true, nil
}

// mustBePrimary refuses a standby.
func (db *DB) mustBePrimary(ctx context.Context) error {
	var standby bool
	if err := db.conn.QueryRow(ctx, "SELECT pg_is_in_recovery()").Scan(&standby); err != nil {
		return fmt.Errorf("asking whether the server is a standby: %w", err)
	}
	if standby {
		return errStandby
	}
	return nil
}

// SampleAuthData returns up to n of the newest stored credentials, Fernet tokens, for a check of the key; none where
// the table does not exist yet.
func (db *DB) SampleAuthData(ctx context.Context, n int) ([]string, error) {
	results, err := db.conn.PgConn().Exec(ctx,
		fmt.Sprintf("SELECT value FROM public.auth_data ORDER BY updated_at DESC LIMIT %d", max(n, 0))).ReadAll()
	if sqlState(err) == codeUndefinedTable {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading stored credentials: %w", err)
	}
	return column(results[0]), nil
}

const versionTable = "alembic_version"

// Table returns the facts of a table by name.
func (f Facts) Table(name string) (TableFacts, bool) {
	i := slices.IndexFunc(f.Tables, func(t TableFacts) bool { return t.Name == name })
	if i < 0 {
		return TableFacts{}, false
	}
	return f.Tables[i], true
}
