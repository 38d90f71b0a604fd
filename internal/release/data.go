package release

// Unreadable is data of older releases that a release cannot read.
type Unreadable struct {
	Since string // the release that refuses it
	SQL   string // finds the rows: id and name
	What  string // what they are
	Hint  string // what to do about them, before
}

// word is a word to Python, in any script, for PostgreSQL: what its own \w takes depends on the locale of the database.
const word = `[^\x01-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f]+`

// unreadable holds the rules of contract.md, section 8.
var unreadable = []Unreadable{
	{
		Since: "0.3.0",
		SQL: `SELECT id, name FROM public.connection
			WHERE lower(type) = 's3' AND coalesce(data->>'region', '') = '' ORDER BY id`,
		What: "S3 connections without a region",
		Hint: "give each of them a region in the UI: lists with them in would fail",
	},
	{
		Since: "0.3.1",
		SQL: `SELECT id, name FROM public.transfer t WHERE EXISTS (
			SELECT FROM (VALUES (source_params), (target_params)) AS p(params)
			WHERE params->>'table_name' IS NOT NULL AND params->>'table_name' !~
				CASE WHEN lower(params->>'type') = 'iceberg' THEN '^` + word + `(\.` + word + `)+$' ELSE '^` + word + `\.` + word + `$' END) ORDER BY id`,
		What: "transfers with a table that is not written as schema.table",
		Hint: "write schema.table there in the UI: lists with them in would fail",
	},
}

// Unreadable returns the data that r cannot read and from could.
func (r Release) Unreadable(from Release) []Unreadable {
	var list []Unreadable
	for _, u := range unreadable {
		if r.from(u.Since) && !from.from(u.Since) {
			list = append(list, u)
		}
	}
	return list
}

// unknown is data that came with a release and means nothing to those before it.
var unknown = []Unreadable{
	{
		Since: "0.3.0",
		SQL:   `SELECT id, name FROM public.connection WHERE lower(type) = 'iceberg' ORDER BY id`,
		What:  "Iceberg connections",
		Hint:  "remove them in the UI before you go back, or lists with them in will fail",
	},
}

// UnknownOf returns the data that a newer release may have written and r cannot read.
func (r Release) UnknownOf(newer Release) []Unreadable {
	var list []Unreadable
	for _, u := range unknown {
		if newer.from(u.Since) && !r.from(u.Since) {
			list = append(list, u)
		}
	}
	return list
}
