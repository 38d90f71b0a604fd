package release

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// fixture returns the fields of the lines of a file in testdata.
func fixture(t *testing.T, name string) [][]string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") {
			rows = append(rows, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
		}
	}
	if len(rows) < 10 {
		t.Fatalf("%s has %d rows", name, len(rows))
	}
	return rows
}

// describe writes a setting as the fixture does.
func describe(s Setting) string {
	kind, def, need, privacy, when, renamed := string(s.Type), "-", "optional", "public", string(s.When), s.RenamedTo
	if s.Type == Enum {
		kind += ": " + strings.Join(s.Values, "|")
	}
	if s.Nullable {
		kind += "|null"
	}
	if s.HasDefault {
		def = "=" + s.Default
	}
	if s.Required {
		need = "required"
	}
	if s.Secret {
		privacy = "secret"
	}
	if when == "" {
		when = "always"
	}
	if renamed == "" {
		renamed = "-"
	}
	letters := map[Component]string{Server: "S", Scheduler: "C", Worker: "W", Migrations: "M", Frontend: "F"}
	var readers strings.Builder
	for _, c := range s.Components {
		readers.WriteString(letters[c])
	}
	return strings.Join([]string{kind, def, need, privacy, readers.String(), when, renamed}, "\t")
}

// TestTableIsTheFixture proves the compact table against every setting of every release, both ways.
func TestTableIsTheFixture(t *testing.T) {
	position := map[string]int{}
	for i, r := range Known() {
		position[r.Version] = i
	}
	checked := 0
	for i, r := range Known() {
		unseen := map[string]bool{}
		for _, s := range r.Settings() {
			if unseen[s.Name] {
				t.Errorf("%s: %s twice", r, s.Name)
			}
			unseen[s.Name] = true
		}
		for _, row := range fixture(t, "settings.tsv") {
			if i < position[row[0]] || i > position[row[1]] {
				continue
			}
			name, want := row[2], strings.Join(row[3:], "\t")
			checked++
			if open, ok := strings.CutSuffix(name, "<OPTION>"); ok {
				if s, ok := r.Setting(open + "SOMETHING"); !ok || !s.Open || s.Type != Any {
					t.Errorf("%s: %s is not open: %+v", r, name, s)
				}
				continue
			}
			s, ok := r.Setting(strings.ToLower(name))
			if !ok {
				t.Errorf("%s: %s is missing", r, name)
				continue
			}
			want = strings.Replace(want, "SYNCMASTER__LOGGING (structure)", "SYNCMASTER__LOGGING", 1)
			if got := describe(s); got != want {
				t.Errorf("%s: %s\n got %s\nwant %s", r, name, got, want)
			}
			delete(unseen, name)
		}
		for name := range unseen {
			t.Errorf("%s: %s is not in releases.json", r, name)
		}
	}
	if checked < 700 {
		t.Errorf("only %d settings checked", checked)
	}
}

func TestFactsAreTheFixture(t *testing.T) {
	rows := fixture(t, "facts.tsv")
	if len(rows) != len(Known()) {
		t.Fatalf("%d releases, %d in the fixture", len(Known()), len(rows))
	}
	yes := map[bool]string{true: "yes", false: "no"}
	for i, r := range Known() {
		command := "-"
		if c := r.WorkerCommand("q"); c[0] == "worker" {
			command = "worker"
		}
		superusers, _, err := r.Superusers([]string{"admin"})
		if err != nil {
			t.Error(err)
		}
		v1 := "false"
		if strings.HasSuffix(r.APIAddress("http://h"), "/v1") {
			v1 = "true"
		}
		var users, names, providers []string
		for _, c := range []Component{Server, Scheduler, Worker} {
			users = append(users, r.Image(c).User)
		}
		for _, c := range []Component{Server, Scheduler, Worker, Migrations, Frontend} {
			names = append(names, r.Image(c).Repository)
		}
		for _, p := range r.AuthProviders() {
			providers = append(providers, strings.ReplaceAll(p.Name, "-", "_"))
		}
		checks := yes[r.Image(Server).HealthCheck] + "," + yes[r.Image(Frontend).HealthCheck]
		got := []string{r.Version, r.Date, r.Head, command, superusers, v1, strings.Join(users, ","), checks,
			strings.Join(providers, ","), rows[i][9], strings.Join(names, ",")}
		if !slices.Equal(got, rows[i]) {
			t.Errorf("\n got %q\nwant %q", got, rows[i])
		}
		if tag := r.Image(Broker).Tag; !strings.HasPrefix(tag, rows[i][9]) {
			t.Errorf("%s: RabbitMQ %s is not the sample's %s", r, tag, rows[i][9])
		}
	}
}

func TestEverySettingHasHelpAndAValidDefault(t *testing.T) {
	for _, r := range Known() {
		for _, s := range r.Settings() {
			if s.Help == "" && s.Caveat == "" {
				t.Errorf("%s has no help", s.Name)
			}
			if !s.HasDefault || s.Name == apiAddress { // the image's own default is wrong for some releases
				continue
			}
			if err := r.CheckSetting(s.Name, s.Default); err != nil {
				t.Errorf("%s: default of %v", r, err)
			}
		}
	}
}
