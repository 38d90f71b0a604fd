package database

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"syncmaster-setup/internal/fault"
)

// DriftError is a schema that is not what a revision says.
type DriftError struct{ Drift Drift }

// Error lists the differences.
func (e *DriftError) Error() string {
	return fmt.Sprintf("the schema is not that of revision %s:\n%s", display(e.Drift.Revision), e.Drift)
}

// Stamp writes a revision into alembic_version and runs nothing, where the catalogue proves that the schema is at that
// revision, or in any case with force. The proof is taken under the locks of a migration, so that none comes between.
// What differed is returned; without force also as a [DriftError]. report, which may be nil, hears of what is waited for.
func (db *DB) Stamp(ctx context.Context, to string, force bool, report func(Progress)) (drift Drift, err error) {
	target, err := resolve("", to)
	if err != nil {
		return Drift{}, err
	}
	if err := db.mustBePrimary(ctx); err != nil {
		return Drift{}, err
	}
	drv := db.driver(ctx, report)
	if err := drv.Lock(); err != nil {
		return Drift{}, err
	}
	defer func() { err = errors.Join(err, drv.Unlock()) }()
	if drv.replace = force; !force {
		if _, _, err := drv.Version(); err != nil {
			return Drift{}, err
		}
	}
	if err := drv.begin(number(target)); err != nil {
		return Drift{}, explainWhole(ctx, err)
	}
	if drift, err = db.compareWith(ctx, target); err != nil {
		return Drift{}, err
	}
	if len(drift.Unexplained()) > 0 && !force {
		return drift, fault.New(fault.Refused, &DriftError{Drift: drift}, "migrate to the revision instead, or use --force after reading the differences")
	}
	return drift, explainWhole(ctx, db.certainly(ctx, drv.commit()))
}

// certainly asks the database where a commit's answer was lost.
func (db *DB) certainly(ctx context.Context, err error) error {
	var doubt *InDoubtError
	if errors.As(err, &doubt) {
		db.settle(ctx, doubt)
	}
	return err
}

// SQL returns the statements that lead from one revision to another, both in the words of [DB.Plan] but for relative
// ones, with the changes of alembic_version, one transaction for each revision. Nothing is run and no database needed.
func SQL(from, to string) (string, error) {
	if err := Verify(); err != nil {
		return "", err
	}
	source, err := resolve("", from)
	if err != nil {
		return "", err
	}
	target, err := resolve(source, to)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	if source == "" {
		text.WriteString(createVersionTable + ";\n\n")
	}
	for _, s := range steps(source, target, Facts{}) {
		source = s.write(&text, source)
	}
	return text.String(), nil
}

// write appends a step's transaction and returns the revision after it.
func (s Step) write(text *strings.Builder, from string) string {
	file, to := embedded().up[s.Revision.ID], s.Revision.ID
	if !s.Up {
		file, to = embedded().down[s.Revision.ID], ""
		if n := number(s.Revision.ID); n > 1 {
			to = revisionID(n - 1)
		}
	}
	fmt.Fprintf(text, "-- %s -> %s\n\nBEGIN;\n\nLOCK TABLE public.alembic_version IN ACCESS EXCLUSIVE MODE;\n\n%s\n",
		display(from), display(to), file.body)
	switch {
	case from == "":
		fmt.Fprintf(text, "INSERT INTO public.alembic_version (version_num) VALUES ('%s');\n", to)
	case to == "":
		fmt.Fprintf(text, "DELETE FROM public.alembic_version WHERE version_num = '%s';\n", from)
	default:
		fmt.Fprintf(text, "UPDATE public.alembic_version SET version_num = '%s' WHERE version_num = '%s';\n", to, from)
	}
	text.WriteString("\nCOMMIT;\n\n")
	return to
}
