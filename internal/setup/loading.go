package setup

import "strings"

// flushing lets the server write pages of a dump that is loaded to the disk as it goes. Otherwise the kernel collects
// them, and dropping the database that is replaced, which needs a checkpoint, waits for all of them at once.
const flushing = "-c backend_flush_after=2MB"

// loading returns the connection string with which pg_restore fills a database.
func loading(database string) string {
	escape := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	return "dbname='" + escape.Replace(database) + "' options='" + flushing + "'"
}
