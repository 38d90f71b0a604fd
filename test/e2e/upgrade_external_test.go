package e2e_test

import "testing"

// TestUpgradeExternalDatabase moves an install whose database is elsewhere: only where its user does without a backup
// of ours, and back by itself where a revision fails.
func TestUpgradeExternalDatabase(t *testing.T) {
	t.Parallel()
	outside := newServers(t)
	s := newStack(t)
	s.env = outside.env()
	s.init("--profile", "server", "--version", "0.2.4").is(t, 0)
	s.env = nil // both addresses are recorded in .env.docker
	query(t, outside.postgres, seed(s.token()))
	rows := query(t, outside.postgres, allRows)
	refusal := s.mustLeaveAlone("upgrade", []string{"--to", "0.2.5"}, "not a container of this install", "--no-backup")
	noSecret(t, "the refusal", refusal.said(), "outside-secret")
	s.transcript("external-refused", refusal)

	query(t, outside.postgres, guard("true"))
	got := s.do("upgrade", "--to", "0.2.5", "--no-backup").is(t, undone).says(t, "no change of tables on Fridays", "release 0.2.4 runs and is healthy")
	noSecret(t, "the failure", got.said(), "outside-secret")
	s.transcript("external-revision-refused", got)
	query(t, outside.postgres, unguard)
	s.mustBeHealthy("server")
	if now := query(t, outside.postgres, allRows); now != rows {
		t.Errorf("the rows have changed from\n%s\nto\n%s", rows, now)
	}

	s.do("upgrade", "--to", "0.2.5", "--no-backup").is(t, 0)
	s.mustBeHealthy("server")
	if got := query(t, outside.postgres, "SELECT version_num FROM alembic_version"); got != "0012" {
		t.Errorf("the external database is at %q", got)
	}
}
