// Command checkmigrations checks the files that the program is going to embed, and fails where one of them could leave the
// transaction that it runs in or is not the one that the manifest names. The build runs it first.
package main

import (
	"fmt"
	"os"

	"syncmaster-setup/internal/sqlfile"
	"syncmaster-setup/migrations"
)

func main() {
	if err := sqlfile.Check(migrations.FS); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
