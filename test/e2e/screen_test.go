package e2e_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// screen is what TestScreen reads of status --output json, beside what [status] has.
type screen struct {
	Services []struct {
		Name, Image, Digest string
		Since               time.Time
		Seconds             int64 `json:"uptime_seconds"`
		Restarts            int
	}
	Database struct{ Pending []string }
	Queues   []struct {
		Slug                       string
		Workers, Messages, Waiting int
	}
	Volumes []struct {
		Name  string
		Bytes int64
	}
	Backup struct {
		Time    time.Time
		Seconds int64 `json:"age_seconds"`
	}
}

func (s *stack) statusScreen(code int) screen {
	s.t.Helper()
	got := s.look("status", "--output", "json").is(s.t, code)
	var sc screen
	if err := json.Unmarshal([]byte(got.stdout), &sc); err != nil {
		s.t.Fatalf("%v\n%s", err, got.said())
	}
	return sc
}

// TestScreen compares what status shows with what engine, database and broker hold.
func TestScreen(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.init(whole...).is(t, 0)
	s.query(seed(s.token()))
	s.mustShowContainers()
	for _, v := range s.statusScreen(0).Volumes {
		if v.Bytes == 0 {
			t.Errorf("%s takes nothing", v.Name)
		}
	}

	t.Run("a restart", func(t *testing.T) {
		if err := syscall.Kill(s.container("frontend").State.Pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() error {
			if c := s.container("frontend"); c.RestartCount != 1 || !c.State.Running {
				return fmt.Errorf("the frontend is %s after %d restarts", c.State.Status, c.RestartCount)
			}
			return nil
		})
		s.mustBecome("frontend", "healthy", "", "")
		s.mustShowContainers()
	})
	t.Run("a pending revision", func(t *testing.T) {
		s.query("UPDATE alembic_version SET version_num = '0011'")
		if got := s.statusScreen(1).Database.Pending; !slices.Equal(got, []string{"0012"}) {
			t.Errorf("pending are %v", got)
		}
		s.look("status").is(t, 1).says(t, "revision 0011, pending 0012")
		s.query("UPDATE alembic_version SET version_num = '0012'")
	})
	t.Run("a message that waits in RabbitMQ", func(t *testing.T) {
		s.compose("stop", "worker").is(t, 0)
		user := s.login("anybody")
		run := s.startRun(user)
		eventually(t, func() error { // the broker counts it a moment later
			if q := s.statusScreen(1).Queues; len(q) != 1 || q[0].Messages != 1 || q[0].Waiting != 1 || q[0].Workers != 0 {
				return fmt.Errorf("the queues are %+v", q)
			}
			return nil
		})
		s.look("status").is(t, 1).says(t, "1-etl  no worker  1 waiting")
		s.compose("start", "worker").is(t, 0)
		s.mustSucceed(run, user)
		if q := s.statusScreen(0).Queues; q[0].Messages != 0 || q[0].Workers != 1 {
			t.Errorf("the queues are %+v", q)
		}
	})
	t.Run("the age of the backup", func(t *testing.T) {
		finish(t, program("backup", "create", "--dir", s.dir)).is(t, 0)
		ended := time.Now()
		eventually(t, func() error {
			at := time.Now()
			got := s.statusScreen(0).Backup
			least, most := int64(at.Sub(ended).Seconds()), int64(time.Since(got.Time).Seconds())+1
			if got.Seconds < least || got.Seconds > most {
				t.Fatalf("a backup of %s is %d s old at %s", got.Time, got.Seconds, at)
			}
			if got.Seconds < 2 {
				return fmt.Errorf("the backup is %d s old", got.Seconds)
			}
			return nil
		})
		s.look("status").is(t, 0).says(t, "s ago")
	})
}

// mustShowContainers compares since when the services run, how often they were restarted and what of with the engine.
func (s *stack) mustShowContainers() {
	s.t.Helper()
	began := time.Now()
	got := s.statusScreen(0)
	if len(got.Services) != len(all) {
		s.t.Errorf("status shows %d services", len(got.Services))
	}
	text := s.look("status").is(s.t, 0).stdout
	for _, one := range got.Services {
		c := s.container(one.Name)
		since, err := time.Parse(time.RFC3339Nano, c.State.StartedAt)
		if err != nil {
			s.t.Fatal(err)
		}
		least, most := int64(began.Sub(since).Seconds()), int64(time.Since(since).Seconds())
		if !one.Since.Equal(since.UTC().Truncate(time.Second)) || one.Seconds < least || one.Seconds > most {
			s.t.Errorf("%s is said to run since %s, %d s; the engine started it at %s", one.Name, one.Since, one.Seconds, since)
		}
		if one.Restarts != c.RestartCount || one.Image != c.Config.Image {
			s.t.Errorf("%s has %d restarts of %s, the engine says %d of %s", one.Name, one.Restarts, one.Image, c.RestartCount, c.Config.Image)
		}
		image, err := docker.ImageInspect(s.t.Context(), c.Image)
		if err != nil {
			s.t.Fatal(err)
		}
		digests := []string{image.ID}
		for _, d := range image.RepoDigests {
			_, digest, _ := strings.Cut(d, "@")
			digests = append(digests, digest)
		}
		if !slices.Contains(digests, one.Digest) {
			s.t.Errorf("%s has the digest %s, the engine says %v", one.Name, one.Digest, digests)
		}
		row := fmt.Sprintf("%s %s", one.Image[strings.LastIndex(one.Image, "/")+1:], strings.TrimPrefix(one.Digest, "sha256:")[:12])
		if !strings.Contains(text, row) {
			s.t.Errorf("the screen does not show %q:\n%s", row, text)
		}
	}
}
