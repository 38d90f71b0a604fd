package e2e_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"syncmaster-setup/internal/probe"
	"syncmaster-setup/internal/secret"
	"syncmaster-setup/test/kit"
	"syncmaster-setup/test/kit/facts"
)

// TestDevRunsSource runs server, scheduler and worker on this host as a developer does from source, with nothing but what
// `dev env` prints, and sends a run through all of them. The kit's stand-ins take the place of Python.
func TestDevRunsSource(t *testing.T) {
	standin := filepath.Join(t.TempDir(), "standin")
	build := exec.Command("go", "build", "-o", standin, "./test/kit/standin")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if err := loud(build); err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"0.3.2", "0.2.5"} {
		t.Run(version, func(t *testing.T) {
			e := newEnvironment(t, "0012")
			e.up("up", "--release", version)
			env := e.env()
			module := func(role string, args ...string) *process {
				cmd := &exec.Cmd{Path: standin, Args: append([]string{"python", "-m"}, args...), Dir: t.TempDir()}
				cmd.Env = []string{facts.ReleaseVariable + "=" + version, facts.RoleVariable + "=" + role}
				for name, value := range env {
					cmd.Env = append(cmd.Env, name+"="+value)
				}
				return begin(t, cmd)
			}
			e.ports.server = freePort(t)
			server := module(facts.Server, "syncmaster.server", "--host", "127.0.0.1", "--port", strconv.Itoa(e.ports.server))
			server.mustBecome(func() error {
				conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", e.ports.server))
				if err == nil {
					err = conn.Close()
				}
				return err
			})
			if status, body := e.get(e.ports.server, "/monitoring/ping"); status != 200 {
				t.Errorf("the server answers %d %s", status, body)
			}

			const sessions = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
			before := e.query(sessions)
			scheduler := module(facts.Scheduler, "syncmaster.scheduler")
			scheduler.mustBecome(func() error {
				if now := e.query(sessions); before != "0" || now != "2" {
					return fmt.Errorf("the scheduler has its two sessions when %s become %s", before, now)
				}
				return nil
			})

			broker := secret.NewText(env["SYNCMASTER__BROKER__URL"])
			worker := module(facts.Worker, "celery", "-A", "syncmaster.worker.celery", "worker", "-Q", "1-etl")
			worker.mustBecome(func() error {
				consumers, err := probe.QueueConsumers(t.Context(), broker, "1-etl")
				if err == nil && consumers != 1 {
					err = fmt.Errorf("the queue has %d consumers", consumers)
				}
				return err
			})

			e.query(seed(encrypt(t, env["SYNCMASTER__ENCRYPTION__SECRET_KEY"])))
			user := e.login("developer")
			e.mustSucceed(e.startRun(user), user)
			for p, code := range map[*process]int{server: 0, worker: 0, scheduler: 130} { // they have run until now
				if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
					t.Fatal(err)
				}
				p.wait().is(t, code)
			}
		})
	}
}

// mustBecome waits for what a process brings about, and tells what it has said where it does not.
func (p *process) mustBecome(check func() error) {
	p.t.Helper()
	defer func() {
		if p.t.Failed() {
			p.t.Logf("%v said:\n%s%s", p.cmd.Args, p.out.String(), p.err.String())
		}
	}()
	eventually(p.t, check)
}

// TestDevAtTheSameMoment has two checkouts on one host whose environments begin at once. Both want the default ports.
func TestDevAtTheSameMoment(t *testing.T) {
	one, two := newEnvironment(t, "0012"), newEnvironment(t, "0012")
	begun := map[*environment]*process{}
	for _, e := range []*environment{one, two} {
		begun[e] = e.beginUp("up")
	}
	for e, p := range begun {
		e.mustBeAt("0012", e.upOf(p.wait()))
		e.env()
	}
	if one.ports.db == two.ports.db || one.env()["SYNCMASTER__BROKER__URL"] == two.env()["SYNCMASTER__BROKER__URL"] {
		t.Errorf("both have the database at port %d", one.ports.db)
	}

	// what was taken since moves before the containers start
	one.query(plantRow)
	one.dev("down").is(t, 0)
	taken, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", one.ports.db))
	if err != nil {
		t.Fatal(err)
	}
	before := one.ports.db
	one.mustBeAt("0012", one.up("up"))
	if one.ports.db == before {
		t.Errorf("the database is said to be at port %d, which is taken", before)
	}
	if got := one.query(countRows); got != "1" {
		t.Errorf("the database has %s rows", got)
	}
	if err := taken.Close(); err != nil {
		t.Error(err)
	}
}

// TestDevResetDeletesNothingInVain refuses before the data is gone where the environment could not be started afresh.
func TestDevResetDeletesNothingInVain(t *testing.T) {
	e := newEnvironment(t, "0012")
	e.up("up")
	e.query(plantRow)
	before := e.identities()
	override := filepath.Join(e.dir, "docker-compose.override.yml")
	write(t, override, "services: [\n")
	e.dev("reset", "--yes", "--registry", kit.Prefix).is(t, 4).says(t, "docker-compose.override.yml", "Nothing was changed")
	mustEqual(t, before, e.identities())
	if got := e.query(countRows); got != "1" {
		t.Errorf("a refused reset has left %s rows", got)
	}
	if err := os.Remove(override); err != nil {
		t.Fatal(err)
	}
	e.mustBeAt("0012", e.up("reset", "--yes"))
	if got := e.query(countRows); got != "0" {
		t.Errorf("after a reset there are %s rows", got)
	}
}
