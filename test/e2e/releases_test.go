package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/fernet/fernet-go"

	"syncmaster-setup/test/kit/facts"
)

// some are the releases that are always tried: the oldest, the newest known, and one newer than the program knows.
var some = []string{"0.2.0", "0.3.2", "0.4.0"}

// TestInitEveryRelease goes from an empty folder to a stack that logs in, answers a browser and runs a transfer.
func TestInitEveryRelease(t *testing.T) {
	for _, r := range facts.Releases {
		if !everything && !slices.Contains(some, r.Tag) {
			continue
		}
		t.Run(r.Tag, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			got := s.init(append(whole, "--version", r.Tag)...).is(t, 0).says(t, "healthy")
			s.mustBeHealthy(all...)
			s.mustRunRelease(r)
			s.mustServeBrowsers(r)
			s.mustTransfer()
			if unknown := r.Tag == "0.4.0"; unknown {
				got.says(t, "newer than this program", "its own image migrates the database")
				if c := s.container("db-migrations"); c.State.ExitCode != 0 || c.State.Running {
					t.Errorf("the migrations of the image ended with %d", c.State.ExitCode)
				}
			}
		})
	}
}

// mustRunRelease asks server and database which release they are.
func (s *stack) mustRunRelease(r facts.Release) {
	s.t.Helper()
	var api struct{ Info struct{ Version string } }
	s.call(http.MethodGet, "/openapi.json", nil, "", &api)
	if api.Info.Version != r.API {
		s.t.Errorf("the server says it is %s, want %s", api.Info.Version, r.API)
	}
	if got := s.query("SELECT version_num FROM alembic_version"); got != r.Head {
		s.t.Errorf("the database is at revision %s, want %s", got, r.Head)
	}
}

// mustServeBrowsers does what a browser does before the first click.
func (s *stack) mustServeBrowsers(r facts.Release) {
	s.t.Helper()
	want := fmt.Sprintf(`"http://localhost:%d"`, s.ports.server)
	if r.Number <= 203 { // contract.md, section 7
		want = fmt.Sprintf(`"http://localhost:%d/v1"`, s.ports.server)
	}
	if status, script := s.get(s.ports.ui, "/env-config.js"); status != http.StatusOK || !strings.Contains(script, want) {
		s.t.Errorf("the UI gives browsers %d %s, want %s in it", status, script, want)
	}
	origin := fmt.Sprintf("http://localhost:%d", s.ports.ui)
	for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH"} {
		if method == "PATCH" && r.Number > 201 {
			continue // its UI does not use it
		}
		status, header, body := ask(s.t, http.MethodOptions, s.api("/v1/connections"), map[string]string{
			"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": "authorization",
		}, "")
		if status != http.StatusOK || header.Get("Access-Control-Allow-Origin") != origin ||
			!strings.Contains(strings.ToLower(header.Get("Access-Control-Allow-Headers")), "authorization") {
			s.t.Errorf("the preflight of %s answers %d %s %v", method, status, body, header)
		}
		if r.Number >= 205 && header.Get("Access-Control-Allow-Credentials") != "true" {
			s.t.Errorf("credentialed requests of the UI are refused: %v", header)
		}
	}
}

// mustTransfer logs in as the superuser and sends a run through the queue to the worker, which reads credentials that
// were encrypted with the key of the install.
func (s *stack) mustTransfer() {
	s.t.Helper()
	admin := s.login("admin")
	var me struct {
		Super bool `json:"is_superuser"`
	}
	s.call(http.MethodGet, "/v1/users/me", admin, "", &me)
	if !me.Super {
		s.t.Error("admin is no superuser")
	}
	s.query(seed(s.token()))
	s.mustSucceed(s.startRun(admin), admin)
}

// startRun sends a run of the one transfer to its queue and returns its number.
func (s *stack) startRun(user map[string]string) int {
	s.t.Helper()
	var run struct{ ID int }
	s.call(http.MethodPost, "/v1/runs", user, `{"transfer_id": 1}`, &run)
	return run.ID
}

// mustSucceed waits until a worker has carried a run out.
func (s *stack) mustSucceed(id int, user map[string]string) {
	s.t.Helper()
	var run struct{ Status string }
	eventually(s.t, func() error {
		s.call(http.MethodGet, fmt.Sprintf("/v1/runs/%d", id), user, "", &run)
		if run.Status == "FAILED" {
			s.t.Fatal("the run has failed")
		}
		if run.Status != "FINISHED" {
			return errors.New("the run is " + run.Status)
		}
		return nil
	})
}

// token returns credentials encrypted with the install's key, as SyncMaster stores them.
func (s *stack) token() string {
	s.t.Helper()
	return encrypt(s.t, s.setting(".env.docker", "SYNCMASTER__ENCRYPTION__SECRET_KEY"))
}

func encrypt(t *testing.T, key string) string {
	t.Helper()
	keys, err := fernet.DecodeKeys(key)
	if err != nil {
		t.Fatal(err)
	}
	token, err := fernet.EncryptAndSign([]byte(`{"password": "x", "type": "basic", "user": "y"}`), keys[0])
	if err != nil {
		t.Fatal(err)
	}
	return string(token)
}

// seed is a transfer of the queue 1-etl with all it needs.
func seed(token string) string {
	return `INSERT INTO "user" (username, is_superuser, is_active) VALUES ('owner', false, true);
		INSERT INTO "group" (name, description, owner_id) SELECT 'group', '', id FROM "user" WHERE username = 'owner';
		INSERT INTO queue (name, slug, group_id, description) VALUES ('etl', '1-etl', 1, '');
		INSERT INTO connection (group_id, type, name, description, data) VALUES (1, 'hdfs', 'source', '', '{}');
		INSERT INTO auth_data (connection_id, value) VALUES (1, '` + token + `');
		INSERT INTO transfer (group_id, name, description, source_connection_id, target_connection_id, strategy_params,
			source_params, target_params, transformations, resources, is_scheduled, schedule, queue_id)
		VALUES (1, 'transfer', '', 1, 1, '{}', '{}', '{}', '[]', '{}', false, '', 1)`
}
