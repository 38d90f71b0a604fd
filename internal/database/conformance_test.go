package database

import (
	"errors"
	"testing"

	"github.com/golang-migrate/migrate/v4"
	migratedriver "github.com/golang-migrate/migrate/v4/database"
	conformance "github.com/golang-migrate/migrate/v4/database/testing"
	"github.com/golang-migrate/migrate/v4/source/iofs"

	"syncmaster-setup/migrations"
)

// droppable adds what golang-migrate's suite needs and the program refuses: deleting everything.
type droppable struct{ *driver }

func (d droppable) Drop() error {
	_, err := d.conn.PgConn().Exec(d.ctx, "DROP SCHEMA public CASCADE; CREATE SCHEMA public").ReadAll()
	return err
}

func TestConformanceOfTheDriver(t *testing.T) {
	db := open(t, newDatabase(t))
	conformance.Test(t, droppable{db.driver(t.Context(), nil)}, []byte("CREATE TABLE conformance (id int); SELECT 1"))
}

func TestConformanceUnderTheCore(t *testing.T) {
	db := open(t, newDatabase(t))
	files, err := iofs.New(migrations.FS, ".")
	if err != nil {
		t.Fatal(err)
	}
	core, err := migrate.NewWithInstance("iofs", files, "postgresql", droppable{db.driver(t.Context(), nil)})
	if err != nil {
		t.Fatal(err)
	}
	conformance.TestMigrate(t, core)
}

func TestDriverRefusals(t *testing.T) {
	db := open(t, newDatabase(t))
	drv := db.driver(t.Context(), nil)
	if err := drv.Drop(); err == nil {
		t.Error("Drop is not refused")
	}
	if _, err := drv.Open("postgresql://localhost/x"); err == nil {
		t.Error("Open is not refused")
	}
	if err := drv.Unlock(); !errors.Is(err, migratedriver.ErrNotLocked) {
		t.Errorf("Unlock without Lock: %v", err)
	}
}
