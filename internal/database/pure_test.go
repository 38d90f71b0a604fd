package database

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/migrations"
)

var embeddedFS fs.FS = migrations.FS

func TestParseURL(t *testing.T) {
	cases := []struct{ raw, printed, password, mode string }{
		{"postgresql+asyncpg://u:p@db:5433/syncmaster", "postgresql://u@db:5433/syncmaster", "p", "prefer"},
		{"postgresql+psycopg2://u:p@db/x", "postgresql://u@db:5432/x", "p", "prefer"},
		{"postgres://u:p%40%25%2F%3a@10.0.0.1/x", "postgresql://u@10.0.0.1:5432/x", "p@%/:", "prefer"},
		{"postgresql://u:a/b?c+d#e@h/x", "postgresql://u@h:5432/x", "a/b?c+d#e", "prefer"},
		{"postgresql://u:p@[fe80::1]:6000/x?ssl=true", "postgresql://u@[fe80::1]:6000/x", "p", "require"},
		{"postgresql://u:p@%2Fvar%2Frun%2Fpostgresql/x", "postgresql://u@/x?host=/var/run/postgresql", "p", "prefer"},
		{"postgresql://u:p@/x?host=/tmp&port=6000", "postgresql://u@/x?host=/tmp", "p", "prefer"},
		{"postgresql+asyncpg:///x?host=db:6000&user=u&password=p", "postgresql://u@db:6000/x", "p", "prefer"},
		{"postgresql://db/my%20data?sslmode=verify-full&application_name=z", "postgresql://db:5432/my%20data", "", "verify-full"},
		{"postgresql://u@h/x?sslmode=disable", "postgresql://u@h:5432/x", "", "disable"},
	}
	for _, c := range cases {
		target, err := ParseURL(c.raw)
		if err != nil {
			t.Errorf("%s: %v", c.raw, err)
			continue
		}
		if target.String() != c.printed || target.password.Reveal() != c.password || target.tls["sslmode"] != c.mode {
			t.Errorf("%s: %s, password %q, mode %s", c.raw, target, target.password.Reveal(), target.tls["sslmode"])
		}
		if c.mode == "verify-full" {
			continue
		}
		config, err := target.config()
		if err != nil || (c.password != "" && config.Password != c.password) || config.Database != target.database {
			t.Errorf("%s: %v", c.raw, err)
		}
	}
}

func TestParseURLErrors(t *testing.T) {
	cases := []struct{ raw, want string }{
		{"mysql://u:marked-secret@h/x", "does not start with"},
		{"", "does not start with"},
		{"postgresql://u:marked-secret%@h/x", "password has a %"},
		{"postgresql://u%zz:marked-secret@h/x", "user name has a %"},
		{"postgresql://u:marked@secret@h/x", "more than one @"},
		{"postgresql://u:marked-secret@h:port/x", "port"},
		{"postgresql://u:marked-secret@h:0/x", "port"},
		{"postgresql://u:marked-secret@h1,h2/x", "several hosts"},
		{"postgresql://u:marked-secret@::1/x", "brackets"},
		{"postgresql://u:marked-secret@h/x?ssl=maybe", "sslmode"},
		{"postgresql://u:marked-secret@h/x?nonsense=1", "nonsense"},
		{"postgresql://u:marked-secret@h/%zz", "database name"},
		{"postgresql://u:marked-secret@h/x?a=%zz", "parameters"},
	}
	for _, c := range cases {
		_, err := ParseURL(c.raw)
		if fault.CodeOf(err) != fault.BadInput || !strings.Contains(fmt.Sprint(err), c.want) || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", c.raw, err)
		}
		if strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("password in %v", err)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	f.Add("postgresql://u:marked-secret@[::1]:5432/x?ssl=require&host=/tmp")
	f.Add("postgresql+asyncpg://u:p%40@h/x")
	f.Fuzz(func(t *testing.T, raw string) {
		target, err := ParseURL(raw)
		if err != nil {
			return
		}
		if _, err := ParseURL(target.String()); err != nil {
			t.Errorf("%q is printed as %q: %v", raw, target, err)
		}
	})
}

func TestTargetPrintsWithoutPassword(t *testing.T) {
	target, err := ParseURL("postgresql://u:marked-secret@h/x?ssl=require")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{"target": target, "list": []Target{target}})
	if err != nil {
		t.Fatal(err)
	}
	printed := fmt.Sprintf("%v %+v %#v %s %q %x %d %v", target, target, target, target, target, target, target, &target) + string(text) + target.LogValue().String()
	if strings.Contains(printed, "marked") || strings.Contains(printed, fmt.Sprintf("%x", "marked")) {
		t.Errorf("printed: %s", printed)
	}
}

func TestWithAddress(t *testing.T) {
	target, err := ParseURL("postgresql://u:p@db:5432/x")
	if err != nil {
		t.Fatal(err)
	}
	moved, err := target.WithAddress("[::1]:6000")
	if err != nil || moved.String() != "postgresql://u@[::1]:6000/x" || target.String() != "postgresql://u@db:5432/x" {
		t.Errorf("%s, %s, %v", moved, target, err)
	}
	for _, address := range []string{"", "h", "h:", ":5432", "h:99999"} {
		if _, err := target.WithAddress(address); fault.CodeOf(err) != fault.BadInput {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestEmbeddedFiles(t *testing.T) {
	if err := Verify(); err != nil {
		t.Fatal(err)
	}
	all := Revisions()
	if len(all) != 13 || Head() != "0013" || all[0].ID != "0001" {
		t.Errorf("revisions %v", all)
	}
	for i, r := range all {
		if number(r.ID) != i+1 || revisionID(i+1) != r.ID || r.Since == "" || r.Name == "" {
			t.Errorf("revision %+v at %d", r, i)
		}
		if _, _, err := fingerprint(r.ID); err != nil {
			t.Error(err)
		}
		for _, file := range []script{embedded().up[r.ID], embedded().down[r.ID]} {
			if strings.Contains(file.body, "GENERATED") && strings.Count(file.body, "GENERATED") != strings.Count(file.body, "STORED") {
				t.Errorf("%s: a generated column does not say STORED", file.name)
			}
		}
	}
}

func TestFilesThatAreRefused(t *testing.T) {
	names, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]func(fstest.MapFS){
		"no down file":   func(f fstest.MapFS) { delete(f, "0003_queue.down.sql") },
		"do not pair":    func(f fstest.MapFS) { delete(f, "0013_celery_date_done.up.sql") },
		"is not named":   func(f fstest.MapFS) { f["14_x.up.sql"] = &fstest.MapFile{Data: []byte("SELECT 1")} },
		"cannot be part": func(f fstest.MapFS) { f["0014_x.up.sql"] = &fstest.MapFile{Data: []byte("commit;")} },
		"its checksum":   func(f fstest.MapFS) { f["0003_queue.up.sql"] = &fstest.MapFile{Data: []byte("SELECT 1")} },
	}
	for want, edit := range cases {
		files := fstest.MapFS{}
		for _, name := range append(names, "manifest") {
			content, err := fs.ReadFile(migrations.FS, name)
			if err != nil {
				t.Fatal(err)
			}
			files[name] = &fstest.MapFile{Data: content}
		}
		edit(files)
		if err := readFiles(files).err; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestNoSessionWithChangedFiles refuses every use of a database where the program's own files are not what they were.
func TestNoSessionWithChangedFiles(t *testing.T) {
	target, err := ParseURL(newDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	original := embedded
	t.Cleanup(func() { embedded = original })
	files := original()
	files.err = errors.New("checking the embedded file x")
	embedded = func() embeddedFiles { return files }
	if _, err := Connect(t.Context(), target); err == nil || !strings.Contains(err.Error(), "the embedded file x") {
		t.Errorf("connected: %v", err)
	}
}

// TestSQLScript runs what --sql prints, up and down, in one session.
func TestSQLScript(t *testing.T) {
	db := open(t, newDatabase(t))
	for _, way := range [][3]string{{"base", "head", "0013"}, {"0013", "0011", "0011"}, {"0011", "+1", "0012"}, {"0012", "base", ""}} {
		text, err := SQL(way[0], way[1])
		if err != nil {
			t.Fatal(err)
		}
		exec(t, db, text)
		compareCatalog(t, db, way[2])
		if drift, err := db.Check(t.Context()); err != nil || drift.Revision != way[2] {
			t.Errorf("%v: at %s, %v", way, drift.Revision, err)
		}
	}
	if _, err := SQL("0099", "head"); fault.CodeOf(err) != fault.BadInput {
		t.Errorf("error %v", err)
	}
}

func TestObservations(t *testing.T) {
	raw := newDatabase(t)
	db := open(t, raw)
	if tokens, err := db.SampleAuthData(t.Context(), 5); err != nil || len(tokens) != 0 {
		t.Errorf("%v, %v", tokens, err)
	}
	to(t, db, "head")
	for _, r := range Revisions() {
		exec(t, db, rowsOf[r.ID]+";")
	}
	exec(t, db, "ANALYZE; CREATE TABLE mine (id int)")
	tokens, err := db.SampleAuthData(t.Context(), 1)
	if err != nil || len(tokens) != 1 || !strings.HasPrefix(tokens[0], "gAAAAAB-token-") {
		t.Errorf("%v, %v", tokens, err)
	}
	open(t, raw)
	facts, err := db.Observe(t.Context())
	if err != nil || facts.EncryptedRows < 2 || strings.Join(facts.ForeignTables, "") != "mine" || len(facts.Sessions) != 1 {
		t.Errorf("%+v, %v", facts, err)
	}
	if run, ok := facts.Table("run"); !ok || run.Rows < 2 || run.Bytes == 0 || !run.Owned {
		t.Errorf("%+v", run)
	}
	p, err := db.Plan(t.Context(), "0007")
	if err != nil || p.Lossless() || p.Steps[len(p.Steps)-1].Drops[0].Rows != 2 {
		t.Errorf("%+v, %v", p.Steps, err)
	}
	address := value(t, db, "SELECT host(client_addr) FROM pg_stat_activity WHERE pid = pg_backend_pid()")
	if n, err := db.SessionsFrom(t.Context(), netip.MustParseAddr(address)); err != nil || n < 1 {
		t.Errorf("%d sessions from %s, %v", n, address, err)
	}
	if n, err := db.SessionsFrom(t.Context(), netip.MustParseAddr("192.0.2.1")); err != nil || n != 0 {
		t.Errorf("%d sessions, %v", n, err)
	}
}
