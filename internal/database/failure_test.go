package database

import (
	"context"
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"syncmaster-setup/internal/fault"
)

// countdown makes the DDL statement whose number is in spy.fail_at fail.
const countdown = `CREATE SCHEMA spy; CREATE SEQUENCE spy.calls;
CREATE FUNCTION spy.fuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
	IF nextval('spy.calls') = current_setting('spy.fail_at')::bigint THEN RAISE EXCEPTION 'fuse'; END IF;
END $$;
CREATE EVENT TRIGGER fuse ON ddl_command_start EXECUTE FUNCTION spy.fuse()`

// TestFailureAtEveryStatement lets statement k fail, for every k of every revision up and down, and compares catalogue
// and revision with those before.
func TestFailureAtEveryStatement(t *testing.T) {
	raw := newDatabase(t)
	db := open(t, raw)
	exec(t, db, "SET spy.fail_at = -1;"+countdown)
	for _, direction := range []string{"+1", "-1"} {
		for range Revisions() {
			p, err := db.Plan(t.Context(), direction)
			if err != nil {
				t.Fatal(err)
			}
			before := snapshot(t, db)
			for k := 1; ; k++ {
				exec(t, db, fmt.Sprintf("SET spy.fail_at = %d; SELECT setval('spy.calls', 1, false)", k))
				result, err := db.Migrate(t.Context(), p, nil)
				if err == nil {
					break
				}
				if !strings.Contains(err.Error(), "fuse") || result.To != p.From || len(result.Applied) != 0 {
					t.Fatalf("%s of %s, statement %d: %v, %+v", direction, p.From, k, err, result)
				}
				if after := snapshot(t, db); after != before {
					t.Fatalf("%s of %s, statement %d left the database changed", direction, p.From, k)
				}
			}
			exec(t, db, "SET spy.fail_at = -1")
		}
	}
	compareCatalog(t, db, "")
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
		if err := drv.Run(strings.NewReader(embedded().up["0001"].body[1:])); err == nil && drv.pending != nil {
			t.Errorf("a changed file was run")
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

// migrateForEver goes up and down until it is killed or something fails.
func migrateForEver(ctx context.Context, raw string) error {
	target, err := ParseURL(raw)
	if err != nil {
		return err
	}
	db, err := Connect(ctx, target)
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		p, err := db.Plan(ctx, []string{"head", "0008", "base"}[n%3])
		if err != nil {
			return err
		}
		if _, err := db.Migrate(ctx, p, nil); err != nil {
			return err
		}
	}
}

// TestKilledAtAnyMoment kills a process that migrates up and down for ever, and checks that the database is at one
// revision, structure and all, and that head can be reached.
func TestKilledAtAnyMoment(t *testing.T) {
	kills := 20
	if text := os.Getenv("SYNCMASTER_TEST_KILLS"); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	raw := newDatabase(t)
	seen := map[string]int{}
	for n := range kills {
		command := osexec.Command(os.Args[0])
		command.Env = append(os.Environ(), childVariable+"="+raw)
		var stderr strings.Builder
		command.Stderr = &stderr
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		wait(t, time.Duration(30+n*37%600)*time.Millisecond)
		if err := command.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		err := command.Wait()
		var exit *osexec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != -1 {
			t.Fatalf("the child ended by itself: %v\n%s", err, stderr.String())
		}
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
		if n%5 == 0 {
			to(t, db, "head")
			compareCatalog(t, db, Head())
		}
		if err := db.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("killed at %v", seen)
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
