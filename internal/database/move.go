package database

import (
	"context"
	"fmt"
	"strconv"
)

// Reversible reports whether what the revisions between two added can be taken back without losing rows that were there
// before.
func Reversible(from, to string) bool {
	for _, r := range embedded().revisions {
		if min(from, to) < r.ID && r.ID <= max(from, to) && len(drops[r.ID]) > 0 {
			return false
		}
	}
	return true
}

// Size returns the bytes that the database takes on its disk.
func (db *DB) Size(ctx context.Context) (int64, error) {
	results, err := db.conn.PgConn().Exec(ctx, "SELECT pg_database_size(current_database())").ReadAll()
	if err != nil {
		return 0, fmt.Errorf("asking for the size of the database: %w", err)
	}
	return strconv.ParseInt(firstValue(results), 10, 64)
}

// Row names one row of a table.
type Row struct {
	ID   int64
	Name string
}

// Rows returns what a query of two columns, id and name, finds; none where its table does not exist yet.
func (db *DB) Rows(ctx context.Context, sql string) ([]Row, error) {
	rows, err := db.conn.Query(ctx, sql)
	if err != nil {
		return nil, fmt.Errorf("looking for rows: %w", err)
	}
	defer rows.Close()
	var list []Row
	for rows.Next() {
		var r Row
		if err := rows.Scan(&r.ID, &r.Name); err != nil {
			return nil, fmt.Errorf("looking for rows: %w", err)
		}
		list = append(list, r)
	}
	if sqlState(rows.Err()) == codeUndefinedTable {
		return nil, nil
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("looking for rows: %w", err)
	}
	return list, nil
}
