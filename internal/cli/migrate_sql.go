package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"syncmaster-setup/internal/database"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/setup"
)

// fromDatabase is the FROM that asks the database.
const fromDatabase = "current"

// runSQL prints the statements of an upgrade or downgrade. A database is asked for FROM "current" only.
func (p *program) runSQL(c *cli.Context, d direction, word string) error {
	if c.Bool("dry-run") {
		return fault.New(fault.BadInput, errors.New("--sql and --dry-run are two things"), "give one of them")
	}
	from, to, ranged := strings.Cut(word, ":")
	if !ranged {
		from, to = database.Base, word
		if !d.up {
			return fault.New(fault.BadInput, errors.New("downgrade --sql needs to know where it begins"),
				"give FROM:TO, like 0012:0011 or current:-1")
		}
	}
	head, err := p.headOf(c)
	if err != nil {
		return err
	}
	if from == fromDatabase {
		if err := p.onSchema(c, setup.SchemaOptions{}, func(s *schema) (err error) {
			head = s.head()
			from, err = s.facts.Revision()
			from = shown(from)
			return err
		}); err != nil {
			return err
		}
	}
	text, err := d.sql(from, to, head)
	if err != nil {
		return err
	}
	if p.json {
		return printJSON(p.streams.Out, sqlJSON{"ok", text})
	}
	return p.print("%s", text)
}

// headOf returns what head means where the database is not asked: the revision of the install's release, if it is one.
func (p *program) headOf(c *cli.Context) (string, error) {
	url, err := namedURL(c)
	if err != nil {
		return "", err
	}
	s, done, err := p.setup(c.String("dir"))
	if err != nil {
		return "", err
	}
	defer done()
	if _, installed, err := s.Dir.State(); err != nil || !installed || !url.Empty() {
		return database.Head(), err
	}
	install, unlock, err := findInstall(c, s, setup.SchemaOptions{Offline: true})
	if err != nil {
		return "", err
	}
	return (&schema{install: install}).head(), unlock()
}

func (d direction) sql(from, to, head string) (string, error) {
	from, err := revisionOf(from, head)
	if err != nil {
		return "", err
	}
	if to, err = revisionOf(to, head); err != nil {
		return "", err
	}
	text, err := database.SQL(from, to)
	if err != nil {
		return "", err
	}
	if d.against(from, to) {
		return "", fault.New(fault.BadInput, fmt.Errorf("%s does not lead from %s to %s", d.name, from, to),
			"type: syncmaster-setup migrate "+d.opposite+" --sql "+from+":"+to)
	}
	return text, nil
}

// against reports whether two revisions, the second one perhaps relative, lie in the other direction.
func (d direction) against(from, to string) bool {
	order := func(revision string) string { return strings.TrimPrefix(revision, database.Base) } // base is before all others
	switch {
	case strings.HasPrefix(to, "+"):
		return !d.up
	case strings.HasPrefix(to, "-"):
		return d.up
	case d.up:
		return order(to) < order(from)
	}
	return order(to) > order(from)
}
