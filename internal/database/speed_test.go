package database

import (
	"strings"
	"testing"

	"syncmaster-setup/internal/sqlfile"
)

// BenchmarkEmptyToHead times all revisions on an empty database: by Migrate, with plan, checks and fingerprint, and the
// same SQL statement by statement in one session, as psql would run it.
func BenchmarkEmptyToHead(b *testing.B) {
	var statements []string
	for _, r := range Revisions() {
		list, err := sqlfile.Statements(embedded().up[r.ID].body)
		if err != nil {
			b.Fatal(err)
		}
		statements = append(statements, list...)
	}
	db := open(b, newDatabase(b))
	empty := func() {
		b.StopTimer()
		exec(b, db, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
		b.StartTimer()
	}
	b.Run("migrate", func(b *testing.B) {
		for range b.N {
			empty()
			p, err := db.Plan(b.Context(), "head")
			if err != nil {
				b.Fatal(err)
			}
			if _, err := db.Migrate(b.Context(), p, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("statements", func(b *testing.B) {
		for range b.N {
			empty()
			for _, sql := range statements {
				exec(b, db, sql)
			}
		}
	})
	b.Run("whole files", func(b *testing.B) {
		for range b.N {
			empty()
			exec(b, db, strings.Join(statements, ";\n"))
		}
	})
}
