package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/client"
)

// sabotage is one way in which an upgrade from 0.2.4 to 0.2.5 goes wrong.
type sabotage struct {
	name    string
	arrange func(s *stack, images privateRegistry) (mend func())
	during  func(s *stack, p *process) // while the upgrade is at work
	args    []string
	says    []string
	noisy   bool // the last lines of its container differ from run to run
}

var sabotages = []sabotage{
	{name: "no-entrypoint", arrange: breaks("server", "/app/gone"), says: []string{"/app/gone"}},
	{name: "crash-loop", arrange: breaks("server", "sh", "-c", "echo cannot allocate a unicorn; exit 3"), says: []string{"cannot allocate a unicorn", ".txt"}},
	{
		name: "never-healthy", arrange: breaks("server", "python", "-m", "syncmaster.server", "--host", "0.0.0.0", "--port", "9999"),
		args: []string{"--wait-timeout", "15s"}, says: []string{"server", "gave up after 15s", "Listening on http://0.0.0.0:9999"},
	},
	{name: "worker-tells-all", arrange: breaks("worker", "env"), says: []string{"worker", "SYNCMASTER__", "****"}, noisy: true},
	{name: "revision-refused", arrange: guarded("true"), says: []string{"no change of tables on Fridays", "0012"}},
	{name: "table-locked", arrange: locked("public.connection", "ACCESS SHARE"), says: []string{"stop server", "locked"}},
	{name: "dump-killed", arrange: bigTable, during: killDump, says: []string{"pg_dump"}},
	{name: "backup-disk-full", arrange: smallBackups, during: fillBackups, says: []string{"no space left on device"}},
}

// TestUpgradeThatFails breaks one upgrade after the other. After each the old release runs, with every row and the key.
func TestUpgradeThatFails(t *testing.T) {
	t.Parallel()
	images := newPrivateRegistry(t, uniqueName(), "0.2.4", "0.2.5")
	s := newStack(t)
	set, env := plantedOptions()
	s.env = env
	s.init(append(append(slices.Clone(whole), set...), "--version", "0.2.4", "--registry", images.name)...).is(t, 0)
	s.env = nil
	s.mustTransfer()
	before := s.stand()
	for _, c := range sabotages {
		t.Run(c.name, func(t *testing.T) { s.within(t).mustSurvive(c, images, before) })
	}
	s.mustHideSecrets(s.allSecrets())
	s.mustHideSecretsInEngine(s.allSecrets())
	if logs := s.logs(); len(logs) < len(sabotages)+3 { // three of them have kept a container's words
		t.Errorf("the logs are %v", slices.Sorted(maps.Keys(logs)))
	}
	if text := s.do("history").is(t, 0).stdout; strings.Count(text, "undone") != len(sabotages) {
		t.Errorf("history tells of other runs than %d that were undone:\n%s", len(sabotages), text)
	}
	t.Run("way back", func(t *testing.T) { s.within(t).mustAbort(images, before) })
	t.Run("compose before the migration", func(t *testing.T) { s := s.within(t); s.mustEndWithCompose(s.waitingToMigrate) })
	t.Run("compose before the start", func(t *testing.T) { s := s.within(t); s.mustEndWithCompose(s.aboutToStart) })
}

// mustSurvive lets an upgrade fail, and finds everything as it was.
func (s *stack) mustSurvive(c sabotage, images privateRegistry, before map[string]string) {
	s.t.Helper()
	mend := c.arrange(s, images)
	p := begin(s.t, s.wrap(s.on("upgrade", append([]string{"--to", "0.2.5"}, c.args...)...)))
	if c.during != nil {
		c.during(s, p)
	}
	got := s.unspoken(p, s.allSecrets())
	mend()
	s.mustBeBack(got, undone, before).says(s.t, append(c.says, "release 0.2.4 ")...)
	if c.noisy {
		got.stderr = lastLines.ReplaceAllString(got.stderr, "its last lines:\n    LINES OF IT\n")
	}
	s.transcript(c.name, got, images.name, "registry.example.com")
}

// mustAbort cannot go back by itself, says so, and goes back by abort when the cause is mended.
func (s *stack) mustAbort(images privateRegistry, before map[string]string) {
	s.t.Helper()
	mendImage := breaks("server", "false")(s, images)
	mendGuard := guarded("(SELECT version_num FROM public.alembic_version) = '0012'")(s, images)
	got := s.do("upgrade", "--to", "0.2.5").is(s.t, notUndone).says(s.t, "no change of tables on Fridays", "syncmaster-setup abort")
	s.transcript("way-back-fails", got, images.name, "registry.example.com")
	s.mustHideSecrets(s.allSecrets()) // the journal, too
	for _, command := range []string{"upgrade", "init", "rollback", "render"} {
		open := s.mustLeaveAlone(command, nil, "syncmaster-setup resume", "syncmaster-setup abort")
		s.transcript("way-back-open", open) // each says the same
	}
	again := s.do("abort").is(s.t, notUndone)
	s.transcript("way-back-fails-again", again, images.name, "registry.example.com")
	mendGuard()
	mendImage()
	got = s.do("abort")
	s.mustBeBack(got, 0, before)
	s.transcript("abort", got)
}

// mustEndWithCompose lets somebody type docker compose up -d at an instant of an upgrade. The upgrade ends in one of the
// two releases, with the same rows and keys, and no two schedulers run at once.
func (s *stack) mustEndWithCompose(hold func() (release func(), at *process)) {
	s.t.Helper()
	if s.setting(".env", "VERSION") == "0.2.5" {
		s.do("rollback").is(s.t, 0)
	}
	rows, secrets := s.rows(), s.secrets()
	release, p := hold()
	cmd := exec.Command(composeCLI, "up", "-d")
	cmd.Dir = s.dir
	meanwhile := begin(s.t, cmd)
	schedulers := s.watchSchedulers()
	eventually(s.t, func() error {
		n, err := s.schedulers(s.t.Context())
		if err == nil && n == 0 {
			err = errors.New("nobody has started the scheduler")
		}
		return err
	})
	meanwhile.wait() // what becomes of it is its user's affair; after the upgrade it would bring back what it knows
	release()
	got := p.wait()
	s.t.Logf("%s\n%s", got.command, got.said())
	if most := schedulers(); most != 1 {
		s.t.Errorf("%d schedulers ran at once", most)
	}
	version := map[int]string{0: "0.2.5", undone: "0.2.4"}[got.code]
	if version == "" {
		s.t.Fatalf("it ended with %d\n%s", got.code, got.said())
	}
	s.mustBe(version, rows, secrets)
	for service, c := range s.containers() {
		if strings.Contains(c.Config.Image, "/mtsrus/") && !strings.HasSuffix(c.Config.Image, ":"+version) {
			s.t.Errorf("%s runs %s after\n%s", service, c.Config.Image, got.said())
		}
	}
}

// waitingToMigrate holds an upgrade while it waits to change a table: what runs then is of the old release.
func (s *stack) waitingToMigrate() (release func(), p *process) {
	s.t.Helper()
	release = s.lockYoung("public.connection", "ACCESS SHARE")
	p = begin(s.t, s.on("upgrade", "--to", "0.2.5"))
	s.waitForLock("ALTER TABLE")
	return release, p
}

// aboutToStart holds an upgrade when everything of the new release is in place and nothing of it runs.
func (s *stack) aboutToStart() (release func(), p *process) {
	s.t.Helper()
	p = begin(s.t, s.on("upgrade", "--to", "0.2.5", "--output", "json"))
	holdAt(s.t, p, "start server")
	return func() {
		if err := p.cmd.Process.Signal(syscall.SIGCONT); err != nil {
			s.t.Fatal(err)
		}
	}, p
}

// watchSchedulers counts the schedulers that run until it is asked for the most of them at once.
func (s *stack) watchSchedulers() (most func() int) {
	ended, result := make(chan struct{}), make(chan int)
	go func() {
		most := 0
		for {
			if n, err := s.schedulers(context.Background()); err == nil {
				most = max(most, n)
			}
			select {
			case <-ended:
				result <- most
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return func() int {
		close(ended)
		return <-result
	}
}

// schedulers counts those that run now.
func (s *stack) schedulers(ctx context.Context) (int, error) {
	found, err := docker.ContainerList(ctx, client.ContainerListOptions{Filters: s.filter().Add("label", "com.docker.compose.service=scheduler")})
	return len(found.Items), err
}

// breaks gives a role of the target another entry point.
func breaks(role string, entrypoint ...string) func(*stack, privateRegistry) func() {
	return func(_ *stack, images privateRegistry) func() {
		images.breakImage(role, "0.2.5", entrypoint...)
		return func() { images.mend(role, "0.2.5") }
	}
}

// guarded lets each ALTER TABLE fail where a condition holds.
func guarded(condition string) func(*stack, privateRegistry) func() {
	return func(s *stack, _ privateRegistry) func() {
		s.query(guard(condition))
		return func() { s.query(unguard) }
	}
}

func guard(condition string) string {
	return `CREATE SCHEMA dba; CREATE FUNCTION dba.refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
		IF ` + condition + ` THEN RAISE EXCEPTION 'no change of tables on Fridays'; END IF; END $$;
		CREATE EVENT TRIGGER refuse ON ddl_command_start WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION dba.refuse()`
}

const unguard = "DROP EVENT TRIGGER refuse; DROP SCHEMA dba CASCADE"

// locked holds a table for longer than the program is ready to wait.
func locked(table, mode string) func(*stack, privateRegistry) func() {
	return func(s *stack, _ privateRegistry) func() { return s.lock(table, mode) }
}

// bigTable makes pg_dump wait for a table of megabytes that do not compress.
func bigTable(s *stack, _ privateRegistry) func() {
	s.query(`CREATE SCHEMA dba; CREATE TABLE dba.big AS
		SELECT string_agg(sha512(random()::text::bytea), ''::bytea) AS noise FROM generate_series(1, 40000) GROUP BY random() < 0.5`)
	release := s.lock("dba.big", "ACCESS EXCLUSIVE")
	return func() {
		release()
		s.query("DROP SCHEMA IF EXISTS dba CASCADE")
	}
}

// killDump ends pg_dump's session.
func killDump(s *stack, _ *process) {
	s.waitForLock("LOCK TABLE%dba.big")
	s.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pg_dump'")
}

// smallBackups gives the backups a disk of their own, for the program alone.
func smallBackups(s *stack, images privateRegistry) func() {
	folder := filepath.Join(s.dir, "backups")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		s.t.Fatal(err)
	}
	s.isolate("mount -t tmpfs -o size=64m tmpfs " + folder)
	return bigTable(s, images)
}

// fillBackups fills that disk while pg_dump waits, then lets pg_dump go on.
func fillBackups(s *stack, p *process) {
	s.t.Helper()
	s.waitForLock("LOCK TABLE%dba.big")
	file, err := os.Create(fmt.Sprintf("/proc/%d/root%s/backups/filler", p.cmd.Process.Pid, s.dir))
	if err != nil {
		s.t.Fatal(err)
	}
	for block := bytes.Repeat([]byte("x"), 1<<20); err == nil; {
		_, err = file.Write(block)
	}
	_ = file.Close() // it is full, as it should be
	s.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%LOCK TABLE dba.big IN ACCESS EXCLUSIVE%' AND pid <> pg_backend_pid()")
}

// waitForLock waits until a statement waits for a lock.
func (s *stack) waitForLock(statement string) {
	s.t.Helper()
	eventually(s.t, func() error {
		if n := s.query("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND (query LIKE '%" + statement + "%')"); n == "0" {
			return fmt.Errorf("nobody waits for %s", statement)
		}
		return nil
	})
}
