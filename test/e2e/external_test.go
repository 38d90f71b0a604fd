package e2e_test

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

const wrongKey = "UBgPTioFrtH2unlC4XFDiGf5sYfzbdSf_VgiUSaQc94="

// servers are a database and a broker that no install has made.
type servers struct{ database, broker, postgres string }

// newServers starts them. Host and containers reach both by the same addresses, those of the host on Docker's default
// network: the engine lets no container talk to one of another network.
func newServers(t *testing.T) servers {
	t.Helper()
	db := runContainer(t, "postgres:17", 0, 5432, "POSTGRES_PASSWORD=outside-secret", "POSTGRES_USER=sync", "POSTGRES_DB=sync")
	mq := runContainer(t, "rabbitmq:4.2", 0, 5672, "RABBITMQ_DEFAULT_USER=sync", "RABBITMQ_DEFAULT_PASS=outside-secret")
	database := relay(t, db, "5432")
	s := servers{
		database: "postgresql+asyncpg://sync:outside-secret@" + database + "/sync",
		broker:   "amqp://sync:outside-secret@" + relay(t, mq, "5672"),
		postgres: "postgres://sync:outside-secret@" + database + "/sync",
	}
	eventually(t, func() error {
		conn, err := pgx.Connect(t.Context(), s.postgres)
		if err != nil {
			return err
		}
		return conn.Close(t.Context())
	})
	return s
}

func (s servers) env() []string {
	return []string{"SYNCMASTER_SETUP_DATABASE_URL=" + s.database, "SYNCMASTER_SETUP_BROKER_URL=" + s.broker}
}

// TestExternalServers uses a database and a broker of the user's own, and guards the credentials in that database.
func TestExternalServers(t *testing.T) {
	t.Parallel()
	outside := newServers(t)
	s := newStack(t)
	s.env = outside.env()
	s.init(whole...).is(t, 0)
	s.mustBeHealthy("frontend", "scheduler", "server", "worker")
	if got := query(t, outside.postgres, "SELECT version_num FROM alembic_version"); got != "0012" {
		t.Errorf("the external database is at %q", got)
	}
	if _, exists := s.containers()["db"]; exists {
		t.Error("there is a database container beside the external database")
	}
	before := s.snapshot()
	s.env = nil // both addresses are recorded in .env.docker
	s.init(whole...).is(t, 0).says(t, "nothing had to be changed")
	mustEqual(t, before, s.snapshot())
	s.login("admin")

	query(t, outside.postgres, seed(s.token()))
	other := newStack(t)
	other.env = outside.env()
	other.mustRefuse(refused, whole, "stored credentials", "--set SYNCMASTER__ENCRYPTION__SECRET_KEY")
	other.env = append(outside.env(), "SYNCMASTER__ENCRYPTION__SECRET_KEY="+wrongKey)
	other.mustRefuse(refused, append(slices.Clone(whole), "--set", "SYNCMASTER__ENCRYPTION__SECRET_KEY"), "does not open the credentials")
	right := s.setting(".env.docker", "SYNCMASTER__ENCRYPTION__SECRET_KEY")
	other.env = append(outside.env(), "SYNCMASTER__ENCRYPTION__SECRET_KEY="+right)
	other.init(append(slices.Clone(whole), "--set", "SYNCMASTER__ENCRYPTION__SECRET_KEY", "--dry-run")...).is(t, 0)

	query(t, outside.postgres, "UPDATE alembic_version SET version_num = '0013'")
	other.mustRefuse(refused, append(slices.Clone(whole), "--set", "SYNCMASTER__ENCRYPTION__SECRET_KEY"), "0013", "newer")
}

// TestExternalServersThatRefuse has wrong passwords and addresses.
func TestExternalServersThatRefuse(t *testing.T) {
	outside := newServers(t)
	t.Run("database password", func(t *testing.T) {
		s := newStack(t)
		s.env = []string{"SYNCMASTER_SETUP_DATABASE_URL=" + strings.Replace(outside.database, "outside-secret", "marker-of-a-wrong-password", 1)}
		s.mustRefuse(badInput, whole, "external database", "password")
		noSecret(t, "the refusal", s.init(whole...).said(), "marker-of-a-wrong-password")
	})
	t.Run("nobody there", func(t *testing.T) {
		s := newStack(t)
		s.env = []string{fmt.Sprintf("SYNCMASTER_SETUP_DATABASE_URL=postgresql+asyncpg://u:p@127.0.0.1:%d/d", freePort(t))}
		s.mustRefuse(refused, whole, "external database", "refused")
	})
	t.Run("broker password", func(t *testing.T) {
		s := newStack(t)
		s.env = []string{"SYNCMASTER_SETUP_BROKER_URL=" + strings.Replace(outside.broker, "outside-secret", "marker-of-a-wrong-password", 1)}
		got := s.init("--wait-timeout", "30s")
		if got.code == 0 {
			t.Errorf("init accepts a broker that refuses its user\n%s", got.said())
		}
		noSecret(t, "the failure", got.said(), "marker-of-a-wrong-password")
	})
}

// relay forwards connections to a port of a container, from an address that host and containers can dial, which it
// returns.
func relay(t *testing.T, name, port string) string {
	t.Helper()
	address, gateway := addressesOf(t, name)
	to := net.JoinHostPort(address, port)
	listener, err := net.Listen("tcp", net.JoinHostPort(gateway, "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() }) // its connections end with their programs
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			go join(from, to)
		}
	}()
	return listener.Addr().String()
}

// join copies both ways between a connection and an address until either side ends.
func join(from net.Conn, address string) {
	to, err := net.Dial("tcp", address)
	if err != nil {
		_ = from.Close() // whoever has dialled sees that
		return
	}
	var both sync.WaitGroup
	for _, c := range [][2]net.Conn{{from, to}, {to, from}} {
		both.Go(func() {
			_, _ = io.Copy(c[0], c[1]) // ends with the connection
			_ = c[0].Close()           // may be closed already
		})
	}
	both.Wait()
}
