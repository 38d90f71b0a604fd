package setup

import (
	"slices"
	"testing"

	"syncmaster-setup/internal/backup"
	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/stack"
)

func TestMissingRoles(t *testing.T) {
	const text = `--
-- PostgreSQL database cluster dump
--

\restrict x
SET default_transaction_read_only = off;
SET client_encoding = 'UTF8';

CREATE ROLE grafana;
ALTER ROLE grafana WITH NOSUPERUSER LOGIN PASSWORD 'SCRAM-SHA-256$4096:x;y';
COMMENT ON ROLE grafana IS 'reads
-- in two lines';
CREATE ROLE "My ""Reader""";
ALTER ROLE "My ""Reader""" WITH NOLOGIN;
CREATE ROLE syncmaster;
ALTER ROLE syncmaster WITH SUPERUSER LOGIN PASSWORD 'secret';
ALTER ROLE grafana SET work_mem TO '8MB';
GRANT "My ""Reader""" TO syncmaster WITH INHERIT TRUE GRANTED BY syncmaster;
GRANT pg_monitor TO grafana GRANTED BY syncmaster;
GRANT pg_monitor TO syncmaster GRANTED BY syncmaster;
\unrestrict x
`
	statements, made := missingRoles(text, []string{"syncmaster", "pg_monitor"})
	if want := []string{"grafana", `"My ""Reader"""`}; !slices.Equal(made, want) {
		t.Errorf("makes %q, want %q", made, want)
	}
	want := []string{
		"CREATE ROLE grafana;",
		"ALTER ROLE grafana WITH NOSUPERUSER LOGIN PASSWORD 'SCRAM-SHA-256$4096:x;y';",
		"COMMENT ON ROLE grafana IS 'reads\n-- in two lines';",
		`CREATE ROLE "My ""Reader""";`,
		`ALTER ROLE "My ""Reader""" WITH NOLOGIN;`,
		"ALTER ROLE grafana SET work_mem TO '8MB';",
		`GRANT "My ""Reader""" TO syncmaster WITH INHERIT TRUE GRANTED BY syncmaster;`,
		"GRANT pg_monitor TO grafana GRANTED BY syncmaster;",
	}
	if !slices.Equal(statements, want) {
		t.Errorf("got\n%q\nwant\n%q", statements, want)
	}
	if statements, made := missingRoles(text, []string{"syncmaster", "pg_monitor", "grafana", `"My ""Reader"""`}); len(statements)+len(made) > 0 {
		t.Errorf("with all roles there: %q, %q", statements, made)
	}
}

func TestOtherImages(t *testing.T) {
	r, err := release.Lookup("0.2.5")
	if err != nil {
		t.Fatal(err)
	}
	w := world{release: r}
	server, worker, frontend := w.image("server"), w.image("worker"), w.image("frontend")
	w.observed.Images = map[string]stack.Image{server: {ID: "sha256:1"}, worker: {ID: "sha256:2"}, frontend: {ID: "sha256:3"}}
	m := backup.Manifest{Images: map[string]string{"server": "sha256:1", "worker": "sha256:9", "scheduler": "sha256:4"}} // no frontend ran
	got := w.otherImages(m, []string{"server", "worker", "frontend", "scheduler"})                                       // and the scheduler's is not present
	want := []string{worker + " names another image than the one that worker ran when the backup was made, sha256:9"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
