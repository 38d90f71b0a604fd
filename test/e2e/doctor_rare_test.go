package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestDoctorOnRareFaults gives a running stack the faults that TestDoctor does not: each is found, and gone after its
// own advice was followed.
func TestDoctorOnRareFaults(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.init(whole...).is(t, 0)
	s.query(seed(s.token()))
	s.databaseFaults(t)
	s.brokerFaults(t)
	s.fileFaults(t)
	s.engineFaults(t)
	if !t.Failed() {
		s.compose("start").is(t, 0)
		s.init().is(t, 0)
		s.mustBeHealthy(all...)
	}
}

// override writes the user's Compose file and makes a service anew; without a text the file goes.
func (s *stack) override(service, text string) {
	s.t.Helper()
	path := filepath.Join(s.dir, "docker-compose.override.yml")
	if text == "" {
		if err := os.Remove(path); err != nil {
			s.t.Fatal(err)
		}
	} else {
		write(s.t, path, text)
	}
	s.compose("up", "--detach", "--no-deps", service).is(s.t, 0)
}

func (s *stack) databaseFaults(t *testing.T) {
	t.Run("a stopped database", func(t *testing.T) {
		s.compose("stop", "db").is(t, 0)
		s.follow(s.found("database", "fail", "does not run"))
	})
	t.Run("another database", func(t *testing.T) {
		s.override("db", "services:\n  db:\n    volumes:\n      - elsewhere:/var/lib/postgresql/data\nvolumes:\n  elsewhere: {}\n")
		if f := s.found("identity", "fail", "system identifier differs"); !strings.Contains(f.Next, "volume") {
			t.Errorf("%+v", f)
		}
		s.found("revision", "fail", "no revision")
		s.override("db", "")
		s.found("identity", "pass", "")
		s.found("revision", "pass", "0012")
	})
	t.Run("a schema of an older release", func(t *testing.T) {
		s.compose("stop", "server", "scheduler", "worker", "frontend").is(t, 0)
		s.do("migrate downgrade", "--yes", "0011").is(t, 0)
		s.follow(s.found("revision", "fail", "the schema is at 0011, release 0.3.2 needs 0012"))
		s.compose("start", "server", "scheduler", "worker", "frontend").is(t, 0)
	})
}

func (s *stack) brokerFaults(t *testing.T) {
	t.Run("a broker without a name", func(t *testing.T) {
		const line = "    hostname: rabbitmq\n"
		s.edit("docker-compose.yml", line, "")
		f := s.found("broker-hostname", "fail", "no fixed host name")
		_, back, ok := strings.Cut(f.Next, "    (")
		if !ok || !strings.Contains(f.Next, strings.TrimSpace(line)) {
			t.Fatalf("%+v", f)
		}
		f.Next = back // the other way that it names: the file as it was written
		s.follow(f)
	})
	t.Run("a broker that is too new", func(t *testing.T) {
		port := strconv.Itoa(s.ports.broker)
		s.edit(".env", "BROKER_PORT="+port, "BROKER_PORT="+newerBroker(t, port))
		s.found("broker-version", "pass", "set to permit the queues that Celery declares") // a worker consumes
		s.compose("stop", "worker").is(t, 0)
		s.found("broker-version", "fail", "refuses the queues that Celery declares")
		s.compose("start", "worker").is(t, 0)
		s.edit(".env", s.setting(".env", "BROKER_PORT"), port)
		s.found("broker-version", "pass", "RabbitMQ ")
	})
}

// newerBroker returns a port where the real broker answers, but as version 9.
func newerBroker(t *testing.T, broker string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() }) // nobody asks any more
	version := regexp.MustCompile(`(version\x53\x00\x00\x00.)\d`)
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", "127.0.0.1:"+broker)
			if err != nil {
				_ = from.Close() // the program sees that
				continue
			}
			go func() { _, _ = io.Copy(to, from); _ = to.Close() }() // ends with the connection
			go func() {
				said := make([]byte, 64<<10)
				for {
					n, err := to.Read(said)
					if _, writeErr := from.Write(version.ReplaceAll(bytes.Clone(said[:n]), []byte("${1}9"))); err != nil || writeErr != nil {
						_ = from.Close()
						return
					}
				}
			}()
		}
	}()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func (s *stack) fileFaults(t *testing.T) {
	t.Run("a percent sign", func(t *testing.T) {
		const name = "SYNCMASTER__DATABASE__URL"
		plain := s.setting(".env.docker", name)
		u, err := url.Parse(plain)
		if err != nil {
			t.Fatal(err)
		}
		password, _ := u.User.Password()
		s.edit(".env.docker", ":"+password+"@", fmt.Sprintf(":%%%02X%s@", password[0], password[1:]))
		s.found("percent", "warn", "Alembic cannot read")
		s.found("database", "pass", "") // everybody else can
		s.edit(".env.docker", s.setting(".env.docker", name), plain)
		s.found("percent", "pass", "")
	})
	t.Run("a log without end", func(t *testing.T) {
		const ours = "51m"
		limit := regexp.MustCompile(`,?"max-size":"([^"]*)"`) // the engine's own default, which its user may not have set
		host := engineBehind(t, "/containers/[0-9a-f]+/json", func(body []byte) ([]byte, error) {
			return limit.ReplaceAllFunc(body, func(found []byte) []byte {
				if bytes.Contains(found, []byte(ours)) {
					return found
				}
				return nil
			}), nil
		})
		s.env = []string{"DOCKER_HOST=" + host}
		defer func() { s.env = nil }()
		if err := os.Truncate(s.container("frontend").LogPath, 1<<30+1); err != nil { // a hole: nothing is written
			t.Fatal(err)
		}
		f := s.found("logs", "warn", "frontend has written 1.0 GiB")
		s.override("frontend", "services:\n  frontend:\n    logging:\n      options: {max-size: "+ours+"}\n")
		if !strings.Contains(f.Next, "docker-compose.override.yml") {
			t.Errorf("%+v", f)
		}
		s.found("logs", "pass", "")
		s.override("frontend", "")
	})
}

func (s *stack) engineFaults(t *testing.T) {
	with := func(host string, check func()) {
		s.env = []string{"DOCKER_HOST=" + host}
		defer func() { s.env = nil }()
		check()
	}
	t.Run("little memory", func(t *testing.T) {
		with(engineThatSays(t, "MemTotal", 512<<20), func() { s.found("memory", "fail", "the engine has 512.0 MiB") })
		with(engineThatSays(t, "MemTotal", 2<<30), func() { s.found("memory", "warn", "transfers run well from") })
		with(engineThatSays(t, "MemTotal", int64(16)<<30), func() { s.found("memory", "pass", "") })
	})
	t.Run("a clock that is wrong", func(t *testing.T) {
		late := time.Now().Add(-time.Hour).Format(time.RFC3339Nano)
		with(engineThatSays(t, "SystemTime", late), func() { s.found("clock", "warn", "differs from this one by 1h") })
		s.found("clock", "pass", "")
	})
	t.Run("an engine elsewhere", func(t *testing.T) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = listener.Close() }) // nobody asks any more
		near := &proxy{listener: listener}
		go near.accept(engineSocket())
		with("tcp://"+listener.Addr().String(), func() { s.found("remote", "warn", "on another machine") })
		s.found("remote", "pass", "")
	})
}
