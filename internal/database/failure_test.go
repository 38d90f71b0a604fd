package database

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	osexec "os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/sqlfile"
)

// countdown makes the statement whose number is in spy.fail_at fail: DDL, the change of alembic_version, or COMMIT.
const countdown = `CREATE SCHEMA spy; CREATE SEQUENCE spy.calls;
CREATE FUNCTION spy.count() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
	IF nextval('spy.calls') = current_setting('spy.fail_at')::bigint THEN RAISE EXCEPTION 'fuse'; END IF;
END $$;
CREATE FUNCTION spy.fuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM spy.count(); END $$;
CREATE FUNCTION spy.row_fuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM spy.count(); RETURN coalesce(NEW, OLD); END $$;
CREATE TRIGGER fuse BEFORE INSERT OR UPDATE OR DELETE ON alembic_version FOR EACH ROW EXECUTE FUNCTION spy.row_fuse();
CREATE CONSTRAINT TRIGGER fuse_commit AFTER INSERT OR UPDATE OR DELETE ON alembic_version
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION spy.row_fuse();
CREATE EVENT TRIGGER fuse ON ddl_command_start EXECUTE FUNCTION spy.fuse()`

// TestFailureAtEveryStatement lets statement k fail, for every k of every revision up and down, with rows in the tables,
// and compares catalogue, revision and rows with those before.
func TestFailureAtEveryStatement(t *testing.T) {
	db := open(t, newDatabase(t))
	exec(t, db, "SET spy.fail_at = -1;"+createVersionTable+";"+countdown)
	for _, direction := range []string{"+1", "-1"} {
		for range Revisions() {
			p, err := db.Plan(t.Context(), direction)
			if err != nil {
				t.Fatal(err)
			}
			before := snapshot(t, db) + contents(t, db, true)
			k := 1
			for ; ; k++ {
				exec(t, db, fmt.Sprintf("SET spy.fail_at = %d; SELECT setval('spy.calls', 1, false)", k))
				result, err := db.Migrate(t.Context(), p, nil)
				if err == nil {
					break
				}
				if !strings.Contains(err.Error(), "fuse") || result.To != p.From || len(result.Applied) != 0 {
					t.Fatalf("%s of %s, statement %d: %v, %+v", direction, p.From, k, err, result)
				}
				if after := snapshot(t, db) + contents(t, db, true); after != before {
					t.Fatalf("%s of %s, statement %d left the database changed", direction, p.From, k)
				}
			}
			exec(t, db, "SET spy.fail_at = -1")
			if want := statementsOf(t, p); k-1 < want || (k-1 > want && p.Steps[0].Revision.ID != trigramRevision) {
				t.Errorf("%s of %s: %d statements failed one after the other, and there are %d", direction, p.From, k-1, want)
			}
			if direction == "+1" {
				exec(t, db, rowsOf[p.To]+";")
			}
		}
	}
	compareCatalog(t, db, "")
}

// statementsOf counts the statements of a plan of one step: its file's, the change of alembic_version and COMMIT, and
// from base the making of the table. An extension's own come on top.
func statementsOf(t *testing.T, p Plan) int {
	t.Helper()
	file, n := embedded().up[p.Steps[0].Revision.ID], 2
	if !p.Steps[0].Up {
		file = embedded().down[p.Steps[0].Revision.ID]
	}
	if p.From == "" {
		n++
	}
	list, err := sqlfile.Statements(file.body)
	if err != nil {
		t.Fatal(err)
	}
	return n + len(list)
}

// TestSchemaThatIsNotWhatWasMigratedTo spoils the schema after the plan: the check after the run notices.
func TestSchemaThatIsNotWhatWasMigratedTo(t *testing.T) {
	db := open(t, newDatabase(t))
	to(t, db, "0012")
	p, err := db.Plan(t.Context(), "head")
	if err != nil {
		t.Fatal(err)
	}
	exec(t, db, "ALTER TABLE run DROP COLUMN log_url")
	result, err := db.Migrate(t.Context(), p, nil)
	if fault.CodeOf(err) != fault.Failed || !strings.Contains(fmt.Sprint(err), "checking the schema at revision 0013: column run.log_url is missing") || result.To != "0013" {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestFailureKeepsTheRevisionsBefore(t *testing.T) {
	db := open(t, newDatabase(t))
	to(t, db, "0003")
	p, err := db.Plan(t.Context(), "head")
	if err != nil {
		t.Fatal(err)
	}
	exec(t, db, "CREATE TABLE auth_data (x int)") // after the plan, which would refuse it
	result, err := db.Migrate(t.Context(), p, nil)
	if err == nil || result.To != "0005" || len(result.Applied) != 2 {
		t.Fatalf("result %+v, %v", result, err)
	}
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || !strings.Contains(err.Error(), "0006_auth_data.up.sql") || fault.HintOf(err) == "" {
		t.Errorf("error %v, hint %q", err, fault.HintOf(err))
	}
	exec(t, db, "DROP TABLE auth_data")
	if result := to(t, db, "head"); result.From != "0005" {
		t.Errorf("result %+v", result)
	}
}

// TestFileThatEndsItsTransaction runs what the check of the files would have refused.
func TestFileThatEndsItsTransaction(t *testing.T) {
	db := open(t, newDatabase(t))
	for _, body := range []string{"COMMIT", "COMMIT; BEGIN", "ROLLBACK; BEGIN", "ROLLBACK"} {
		drv := db.driver(t.Context(), nil)
		if err := drv.begin(1); err != nil {
			t.Fatal(err)
		}
		if err := drv.runScript(script{name: "trick.sql", body: body}); err == nil {
			t.Errorf("%s was not noticed", body)
		}
		if err := drv.rollback(); err != nil {
			t.Error(err)
		}
	}
}

func TestChangedFileIsNotRun(t *testing.T) {
	db := open(t, newDatabase(t))
	drv := db.driver(t.Context(), nil)
	if err := drv.SetVersion(1, true); err != nil {
		t.Fatal(err)
	}
	if err := drv.Run(strings.NewReader(strings.TrimSuffix(embedded().up["0001"].body, ";\n"))); err == nil {
		t.Error("a file that arrived incomplete was run")
	}
	if got := value(t, db, "SELECT (to_regclass('public.user') IS NULL)::text"); got != "true" || db.conn.PgConn().TxStatus() != 'I' {
		t.Errorf("table absent: %s, status %c", got, db.conn.PgConn().TxStatus())
	}
}

// childVariable makes the test binary a process that migrates and can be killed.
const childVariable = "SYNCMASTER_TEST_MIGRATE"

func TestMain(m *testing.M) {
	if raw := os.Getenv(childVariable); raw != "" {
		fmt.Fprintln(os.Stderr, migrateForEver(context.Background(), raw))
		return
	}
	m.Run() // its result becomes the exit code
}

// manyRows is what the migrated tables hold at head: the transfers of one statement, so all or none.
const manyRows = `INSERT INTO transfer (group_id, name, description, source_connection_id, target_connection_id, strategy_params, source_params,
		target_params, transformations, resources, is_scheduled, schedule, queue_id)
	SELECT 1, 'transfer ' || n, '', 1, 2, '{}', '{"table_name": "a.b"}', '{}', '[]', '{}', false, '', 1 FROM generate_series(3, 300) n`

// migrateForEver goes up and down, with rows in the tables, until it is killed or something fails.
func migrateForEver(ctx context.Context, raw string) error {
	target, err := ParseURL(raw)
	if err != nil {
		return err
	}
	db, err := Connect(ctx, target)
	if err != nil {
		return err
	}
	rows := manyRows
	for i := len(Revisions()) - 1; i >= 0; i-- {
		rows = rowsOf[Revisions()[i].ID] + rows
	}
	for n := 0; ; n++ {
		goal := []string{"base", "head", "0011", "head", "0008"}[n%5]
		p, err := db.Plan(ctx, goal)
		if err != nil {
			return err
		}
		if _, err := db.Migrate(ctx, p, nil); err != nil {
			return err
		}
		if n%5 == 1 {
			if _, err := db.conn.PgConn().Exec(ctx, rows).ReadAll(); err != nil {
				return err
			}
		}
		if n == 1 {
			if _, err := fmt.Fprintln(os.Stdout, "begins"); err != nil { // what the parent waits for
				return err
			}
		}
	}
}

// TestKilledAtAnyMoment kills a process that migrates up and down for ever, at random moments, and checks that the
// database is at one revision, structure and all, with all rows or none, and that head is reached.
func TestKilledAtAnyMoment(t *testing.T) {
	kills := 20
	if text := os.Getenv("SYNCMASTER_TEST_KILLS"); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	raw := newDatabase(t)
	seen := map[string]int{}
	full := 0
	for range kills {
		killOne(t, raw, time.Duration(random.Int64N(int64(600*time.Millisecond))))
		db := open(t, raw)
		drv := db.driver(t.Context(), nil)
		if err := drv.Lock(); err != nil { // free when the server has noticed the death
			t.Fatal(err)
		}
		if _, _, err := drv.Version(); err != nil {
			t.Fatal(err)
		}
		compareCatalog(t, db, drv.current)
		seen[display(drv.current)]++
		if err := drv.Unlock(); err != nil {
			t.Fatal(err)
		}
		to(t, db, "head")
		compareCatalog(t, db, Head())
		switch n := value(t, db, "SELECT count(*)::text FROM transfer"); n {
		case "0":
		case "300":
			full++
		default:
			t.Errorf("%s transfers are left of 300", n)
		}
		if err := db.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("killed at %v, %d times with rows", seen, full)
	if kills >= 20 && (len(seen) < 4 || full == 0) {
		t.Errorf("killed at %v only, %d times with rows", seen, full)
	}
}

// killOne starts a process that migrates, and kills it a while after it has begun.
func killOne(t *testing.T, raw string, after time.Duration) {
	t.Helper()
	command := osexec.Command(os.Args[0])
	command.Env = append(os.Environ(), childVariable+"="+raw)
	var stderr strings.Builder
	command.Stderr = &stderr
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "begins\n" {
		t.Errorf("the child said %q, %v", line, err)
	}
	wait(t, after)
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var exit *osexec.ExitError
	if err := command.Wait(); !errors.As(err, &exit) || exit.ExitCode() != -1 {
		t.Fatalf("the child ended by itself: %v\n%s", err, stderr.String())
	}
}

// wait lets time pass while another process works.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
}

func TestSixRunnersAtOnce(t *testing.T) {
	raw := newDatabase(t)
	var group sync.WaitGroup
	var mu sync.Mutex
	applied := map[string]int{}
	for range 6 {
		db := open(t, raw)
		group.Go(func() {
			p, err := db.Plan(t.Context(), "head")
			if err != nil {
				t.Error(err)
				return
			}
			result, err := db.Migrate(t.Context(), p, nil)
			if err != nil || result.To != Head() {
				t.Errorf("%+v, %v", result, err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, a := range result.Applied {
				applied[a.To]++
			}
		})
	}
	group.Wait()
	if len(applied) != len(Revisions()) {
		t.Errorf("applied %v", applied)
	}
	for id, times := range applied {
		if times != 1 {
			t.Errorf("revision %s was applied %d times", id, times)
		}
	}
	compareCatalog(t, open(t, raw), Head())
}
