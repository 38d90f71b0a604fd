package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/moby/moby/client"

	"syncmaster-setup/internal/probe"
	"syncmaster-setup/internal/secret"
	"syncmaster-setup/test/kit"
)

// The tests of `dev` use the default ports, so they do not run beside others.

// devUp is the result object of `dev up` and `dev reset`.
type devUp struct {
	Version, Revision, Project, Dir, Database, Broker string
	Changed                                           bool
	Seconds                                           float64
	API                                               string `json:"api_url"`
	UI                                                string `json:"ui_url"`
	NoWorker                                          bool   `json:"worker_waits_for_queue"`
}

// environment is a development environment, in a checkout that is its own.
type environment struct {
	*stack
	checkout string
}

// newEnvironment returns an environment of which nothing exists but a checkout at a revision.
func newEnvironment(t *testing.T, head string) *environment {
	t.Helper()
	folder := openFolder(t)
	e := &environment{checkout: folder, stack: &stack{t: t, dir: filepath.Join(folder, ".syncmaster-setup-dev"), engine: docker}}
	e.checkOut("0.3.2", head)
	t.Cleanup(e.removeAll)
	return e
}

// removeAll takes away what any run has made for the checkout, also one that did not tell its project.
func (e *environment) removeAll() {
	if _, err := os.Stat(filepath.Join(e.dir, ".env")); err == nil {
		e.project = e.setting(".env", "COMPOSE_PROJECT_NAME")
	}
	if e.project != "" {
		e.remove()
	}
}

// checkOut makes the checkout one of a version, with the revisions up to head.
func (e *environment) checkOut(version, head string) {
	e.t.Helper()
	versions := filepath.Join(e.checkout, "syncmaster", "db", "migrations", "versions")
	if err := os.RemoveAll(versions); err != nil {
		e.t.Fatal(err)
	}
	write(e.t, filepath.Join(e.checkout, "syncmaster", "VERSION"), version+"\n")
	before := "None"
	for n := 1; before != fmt.Sprintf("%q", head); n++ {
		id := fmt.Sprintf("%q", fmt.Sprintf("%04d", n))
		write(e.t, filepath.Join(versions, fmt.Sprintf("2023-11-23_%04d_x.py", n)), "revision = "+id+"\ndown_revision = "+before+"\n")
		before = id
	}
}

// dev runs a subcommand in the checkout.
func (e *environment) dev(args ...string) result {
	e.t.Helper()
	return e.begin(args...).wait()
}

func (e *environment) begin(args ...string) *process {
	e.t.Helper()
	cmd := program(append([]string{"dev"}, args...)...)
	cmd.Dir = e.checkout
	return begin(e.t, cmd)
}

// up runs `dev up` or `dev reset` and reads where everything is.
func (e *environment) up(args ...string) devUp {
	e.t.Helper()
	return e.upOf(e.beginUp(args...).wait())
}

func (e *environment) beginUp(args ...string) *process {
	e.t.Helper()
	return e.begin(append(args, "--registry", kit.Prefix, "--output", "json")...)
}

// upOf reads what has come of `dev up`.
func (e *environment) upOf(got result) devUp {
	e.t.Helper()
	got.is(e.t, 0)
	noSecret(e.t, "the output of "+got.command, got.said(), e.allSecrets()...)
	lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
	var up devUp
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &up); err != nil {
		e.t.Fatal(err)
	}
	address, err := netip.ParseAddrPort(up.Database)
	if err != nil {
		e.t.Fatal(err)
	}
	e.project, e.ports.db = up.Project, int(address.Port())
	return up
}

// mustBeAt fails the test unless the database is at a revision and the rest is as it says.
func (e *environment) mustBeAt(revision string, up devUp) {
	e.t.Helper()
	if got := e.query("SELECT version_num FROM alembic_version"); got != revision || up.Revision != revision {
		e.t.Errorf("the database is at %s, the result says %s, want %s", got, up.Revision, revision)
	}
	e.mustBeHealthy("db", "rabbitmq")
}

// env returns what `dev env` prints, after a login at database and broker with it.
func (e *environment) env() map[string]string {
	e.t.Helper()
	printed := e.dev("env").is(e.t, 0)
	values, err := dotenv.UnmarshalWithLookup(printed.stdout, nil)
	if err != nil || printed.stderr != "" {
		e.t.Fatalf("dev env prints %q beside %v", printed.stderr, err)
	}
	query(e.t, strings.Replace(values["SYNCMASTER__DATABASE__URL"], "+asyncpg", "", 1), "SELECT 1")
	if err := probe.AMQP(secret.NewText(values["SYNCMASTER__BROKER__URL"]))(e.t.Context()); err != nil {
		e.t.Error(err)
	}
	return values
}

// volumes returns the names of the project's volumes.
func (e *environment) volumes() []string {
	e.t.Helper()
	found, err := docker.VolumeList(e.t.Context(), client.VolumeListOptions{Filters: e.filter()})
	if err != nil {
		e.t.Fatal(err)
	}
	var names []string
	for _, v := range found.Items {
		names = append(names, v.Name)
	}
	slices.Sort(names)
	return names
}

const plantRow = `INSERT INTO "user" (username, is_superuser, is_active) VALUES ('planted', false, true)`
const countRows = `SELECT count(*) FROM "user" WHERE username = 'planted'`

// TestDev goes through a day of a developer: up, work, another branch and back, down, up.
func TestDev(t *testing.T) {
	e := newEnvironment(t, "0012")
	up := e.up("up")
	t.Logf("dev up took %.1f s with the images present", up.Seconds)
	e.mustBeAt("0012", up)
	if first := e.env(); first["SYNCMASTER__WORKER"] != "{}" {
		t.Errorf("SYNCMASTER__WORKER is %q", first["SYNCMASTER__WORKER"])
	}
	script := fmt.Sprintf(`eval "$(%s dev env --shell)"; printf %%s "$SYNCMASTER__DATABASE__URL$SYNCMASTER__SERVER__CORS__ALLOW_ORIGINS"`, binary)
	shell := exec.Command("sh", "-c", script)
	shell.Dir = e.checkout
	if got, want := finish(t, shell).is(t, 0).stdout, e.env()["SYNCMASTER__DATABASE__URL"]+`["http://localhost:3000"]`; got != want {
		t.Errorf("a shell gets %s, want %s", got, want)
	}

	e.query(plantRow)
	before := e.snapshot()
	if again := e.up("up"); again.Changed {
		t.Error("a second dev up says that something has changed")
	}
	mustEqual(t, before, e.snapshot())
	containers := e.identities()

	e.mustBeAt("0011", e.up("up", "--release", "0.2.4"))
	if env := e.env(); env["SYNCMASTER__SERVER__SESSION__SECRET_KEY"] == "" || env["SYNCMASTER__WORKER"] != "" {
		t.Error("the settings are not those of 0.2.4")
	}
	e.mustBeAt("0013", e.up("up", "--release", "develop"))
	e.mustBeAt("0012", e.up("up", "--checkout", "."))
	mustEqual(t, containers, e.identities())

	e.dev("down").is(t, 0).says(t, e.project+"-db-1", e.project+"_default")
	if left := e.containers(); len(left) != 0 || len(e.volumes()) != 2 {
		t.Errorf("dev down has left %v and the volumes %v", left, e.volumes())
	}
	e.dev("down").is(t, 0).says(t, "nothing had to be changed")
	e.mustBeAt("0012", e.up("up"))
	if got := e.query(countRows); got != "1" {
		t.Errorf("after down and up there are %s rows", got)
	}
	e.dev("down", "--volumes").is(t, 0).says(t, e.project+"_postgres_data", e.project+"_rabbitmq_data")
	if left := e.volumes(); len(left) != 0 {
		t.Errorf("dev down --volumes has left %v", left)
	}
	e.mustBeAt("0012", e.up("up"))
	if got := e.query(countRows); got != "0" {
		t.Errorf("a fresh database has %s rows", got)
	}
}

// TestDevIsInvisibleForGit looks at the checkout as git does.
func TestDevIsInvisibleForGit(t *testing.T) {
	e := newEnvironment(t, "0012")
	git := func(args ...string) result {
		t.Helper()
		return finish(t, exec.Command("git", append([]string{"-C", e.checkout, "-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...)).is(t, 0)
	}
	git("init", "-q")
	git("add", "-A")
	git("commit", "-q", "-m", "source")
	e.up("up", "--checkout", ".")
	if got := git("status", "--porcelain").stdout; got != "" {
		t.Errorf("git sees %s", got)
	}

	git("clean", "-q", "-fdx") // takes the passwords away, but not the data
	e.dev("up", "--registry", kit.Prefix).is(t, 4).says(t, e.project+"_postgres_data", "syncmaster-setup dev reset", "Nothing was changed")
	e.mustBeAt("0012", e.up("reset", "--yes"))
	e.env()
}

// TestDevSideBySide has two checkouts on one host, with the default ports.
func TestDevSideBySide(t *testing.T) {
	one, two := newEnvironment(t, "0012"), newEnvironment(t, "0011")
	first := one.up("up", "--checkout", ".")
	second := two.up("up", "--checkout", two.checkout)
	if first.Project == second.Project || first.Database == second.Database || first.Broker == second.Broker {
		t.Errorf("they are in each other's way: %+v and %+v", first, second)
	}
	one.mustBeAt("0012", first)
	two.mustBeAt("0011", second)
	one.query(plantRow)
	two.query(plantRow)

	before := one.snapshot()
	address := two.env()["SYNCMASTER__DATABASE__URL"]
	two.dev("reset").is(t, 4).says(t, two.project, "add --yes", "Nothing was changed")
	if got := two.query(countRows); got != "1" {
		t.Errorf("a refused reset has left %s rows", got)
	}
	two.mustBeAt("0011", two.up("reset", "--yes"))
	if got := two.query(countRows); got != "0" {
		t.Errorf("after a reset there are %s rows", got)
	}
	if now := two.env()["SYNCMASTER__DATABASE__URL"]; now != address {
		t.Error("a reset has changed the address or the password of the database")
	}
	mustEqual(t, before, one.snapshot())

	two.dev("down", "--volumes").is(t, 0)
	mustEqual(t, before, one.snapshot())
	if got := one.query(countRows); got != "1" {
		t.Errorf("the other checkout's database has %s rows", got)
	}
	two.dev("up", "--name", one.project, "--registry", kit.Prefix).is(t, 3).says(t, "leave out --name")
	three := newEnvironment(t, "0012")
	three.dev("up", "--name", one.project, "--registry", kit.Prefix).is(t, 4).says(t, "in use by containers of the folder "+one.dir)
	mustEqual(t, before, one.snapshot())
}

// TestDevRefusesLoss goes to branches whose way leads past a table that would be deleted, or past revisions of others.
func TestDevRefusesLoss(t *testing.T) {
	e := newEnvironment(t, "0012")
	e.up("up", "--checkout", ".")
	e.query(plantRow)
	before := e.snapshot()
	e.checkOut("0.3.2", "0010")
	e.dev("up", "--checkout", ".").is(t, 4).says(t, "apscheduler_jobs", "syncmaster-setup dev reset", "Nothing was changed")
	mustEqual(t, before, e.snapshot())

	db := e.container("db")
	if _, err := docker.ContainerStop(context.WithoutCancel(t.Context()), db.ID, client.ContainerStopOptions{}); err != nil {
		t.Fatal(err)
	}
	files := e.files()
	e.dev("up", "--checkout", ".").is(t, 4).says(t, "syncmaster-setup dev reset")
	mustEqual(t, files, e.files())
	e.mustBeAt("0012", e.up("up"))

	e.query("UPDATE alembic_version SET version_num = '0014'") // the developer's own, made by Alembic
	e.dev("up").is(t, 4).says(t, "0014", "syncmaster-setup dev reset")
	e.checkOut("0.3.2", "0014")
	e.dev("up", "--checkout", ".").is(t, 3).says(t, "this program carries 0001 to 0013")
	e.query("UPDATE alembic_version SET version_num = '0012'")
	if got := e.query(countRows); got != "1" {
		t.Errorf("refusals have left %s rows", got)
	}

	e.checkOut("0.3.2", "0010")
	e.mustBeAt("0010", e.up("reset", "--yes", "--checkout", "."))
}

// TestDevIsNoInstall keeps init and dev out of each other's folders.
func TestDevIsNoInstall(t *testing.T) {
	e := newEnvironment(t, "0012")
	e.up("up")
	before := e.snapshot()
	finish(t, program("init", "--dir", e.dir, "--registry", kit.Prefix)).is(t, 4).says(t, "holds a development environment", "dev up --dir "+e.checkout)
	mustEqual(t, before, e.snapshot())
	finish(t, program("migrate", "current", "--dir", e.dir)).is(t, 0).says(t, "0012")
}
