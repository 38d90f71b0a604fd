package setup

import (
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestLoadingNamesAnyDatabase(t *testing.T) {
	for _, name := range []string{"syncmaster_restoring", `o'brien`, `back\slash`, "two words", "a=b", `"quoted"`} {
		config, err := pgconn.ParseConfig(loading(name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if config.Database != name || config.RuntimeParams["options"] != loadOptions {
			t.Errorf("%s: database %q, options %q", name, config.Database, config.RuntimeParams["options"])
		}
	}
}
