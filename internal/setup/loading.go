package setup

import "strings"

// loadOptions are the settings of the sessions that load a dump. Pages go to the disk as they are made: otherwise the
// kernel collects them, and dropping the database that is replaced, which needs a checkpoint, waits for all of them at
// once. No statement of the load waits for the disk by itself: the transaction that puts the loaded database in place
// does, and its record lies behind all of theirs in the log.
const loadOptions = "-c backend_flush_after=2MB -c synchronous_commit=off"

// loading returns the connection string with which pg_restore fills a database.
func loading(database string) string {
	escape := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	return "dbname='" + escape.Replace(database) + "' options='" + loadOptions + "'"
}
