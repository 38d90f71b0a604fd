package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestStates brings services into each state that TestStatus does not see, and out of it by what status says.
func TestStates(t *testing.T) {
	t.Parallel()
	images := newPrivateRegistry(t, uniqueName(), "0.3.2")
	s := newStack(t)
	s.init(append(whole, "--registry", images.name)...).is(t, 0)
	s.query(seed(s.token()))

	t.Run("never started", func(t *testing.T) {
		s.compose("rm", "--stop", "--force", "frontend").is(t, 0)
		s.mustBecome("frontend", "never started", "service frontend has no container", "syncmaster-setup init --dir "+s.dir)
		s.compose("create", "frontend").is(t, 0)
		s.mustBecome("frontend", "never started", "was never started", "docker compose start frontend")
		s.compose("start", "frontend").is(t, 0)
		s.mustBecome("frontend", "healthy", "", "")
	})
	t.Run("image missing", func(t *testing.T) {
		s.compose("rm", "--stop", "--force", "frontend").is(t, 0)
		images.untag(imageOf("ui", "0.3.2"))
		s.mustBecome("frontend", "image missing", "the image of frontend is not on this engine", "syncmaster-setup init --dir "+s.dir)
		images.mend("ui", "0.3.2")
		s.init().is(t, 0)
		s.mustBecome("frontend", "healthy", "", "")
	})
	t.Run("starting and unhealthy", func(t *testing.T) {
		s.override("server", "services:\n  server:\n    entrypoint: [python, -m, syncmaster.server, --host, 0.0.0.0, --port, '9999']\n")
		s.mustBecome("server", "starting", "service server does not answer yet", "syncmaster-setup status --dir "+s.dir+" --watch")
		s.look("doctor").says(t, "starting: service server does not answer yet")
		// a minute later, by the engine's clock
		s.env = []string{"DOCKER_HOST=" + engineThatSays(t, "SystemTime", time.Now().Add(time.Hour).Format(time.RFC3339Nano))}
		s.mustBecome("server", "unhealthy", "service server does not answer", "docker compose logs --tail 50 server")
		s.env = nil
		s.override("server", "")
		s.mustBecome("server", "healthy", "", "")
	})
	t.Run("out of memory", func(t *testing.T) {
		s.override("rabbitmq", "services:\n  rabbitmq:\n    entrypoint: [tail, /dev/zero]\n    command: []\n    mem_limit: 20m\n    memswap_limit: 20m\n")
		const next = "docker compose up --detach --no-deps rabbitmq    (give the service or the host more memory first)"
		s.mustBecome("rabbitmq", "out of memory", "service rabbitmq ran out of memory", next)
		for range 10 { // it is restarted meanwhile, again and again
			st := readStatus(t, s.look("status", "--output", "json"))
			if got := st.state("rabbitmq"); got != "out of memory" && got != "starting" {
				t.Errorf("rabbitmq is %s", got)
			}
		}
		s.init().is(t, 1).says(t, "service rabbitmq ran out of memory", next)
		if err := os.Remove(filepath.Join(s.dir, "docker-compose.override.yml")); err != nil {
			t.Fatal(err)
		}
		s.typed("cd "+s.dir+" && "+next).is(t, 0)
		s.init().is(t, 0)
		s.mustBecome("rabbitmq", "healthy", "", "")
		s.mustBecome("worker", "healthy", "", "") // it connects again
	})
	t.Run("failed one-off", func(t *testing.T) {
		s.override("db-migrations", "services:\n  db-migrations:\n    environment:\n      SYNCMASTER__DATABASE__URL: postgresql+asyncpg://nobody:nothing@db/none\n")
		s.mustBecome("db-migrations", "failed", "db-migrations ended with code", "docker compose logs --tail 50 db-migrations")
		s.override("db-migrations", "")
		s.mustBecome("db-migrations", "done", "", "")
	})
	if st := s.status(0); len(st.Problems) != 0 {
		t.Errorf("%+v", st.Problems)
	}
}

// mustBecome waits until status shows a service in a state, with what is wrong and what to type.
func (s *stack) mustBecome(service, state, what, next string) {
	s.t.Helper()
	eventually(s.t, func() error {
		st := readStatus(s.t, s.look("status", "--output", "json"))
		if got := st.state(service); got != state {
			return fmt.Errorf("%s is %s, want %s", service, got, state)
		}
		if what == "" {
			return nil
		}
		for _, p := range st.Problems {
			if strings.Contains(p.What, what) && strings.Contains(p.Next, next) {
				return nil
			}
		}
		return fmt.Errorf("no problem says %q with %q: %+v", what, next, st.Problems)
	})
}
