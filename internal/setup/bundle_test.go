package setup

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"syncmaster-setup/internal/report"
	"syncmaster-setup/internal/workdir"
)

// TestBundledRuns: the logs of the last runs and the newest plan are in a bundle, without the secrets of any generation,
// however they are spelt.
func TestBundledRuns(t *testing.T) {
	const now, before, marked = "secret-of-now/+%", "secret-of-before", "\"quoted\" secret of now"
	v := wellSight(t)
	dir := v.setup.Dir
	v.texts[workdir.AppEnvFile] = "A_SECRET=" + now + "\nB_SECRET='" + marked + "'\n"
	v.lastGen = 2
	if err := dir.Prepare(); err != nil {
		t.Fatal(err)
	}
	for n, text := range map[int]string{1: "A_SECRET=" + before + "\n", 2: v.texts[workdir.AppEnvFile]} {
		if err := dir.SaveGeneration(n, map[string]string{workdir.AppEnvFile: text}); err != nil {
			t.Fatal(err)
		}
	}
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	v.setup.Now = func() time.Time { at = at.Add(time.Second); return at }
	v.setup.Report = report.Discard{}
	v.redaction = v.redactor()

	logged, end := v.setup.record("init", "", "0.3.1", v.redaction)
	logPlan(logged, "1  write files\n", nil)
	_ = end(nil)
	logged, end = v.setup.record(opUpgrade, "0.3.1", "0.3.2", v.redaction)
	logPlan(logged, "", &MovePlan{Operation: opUpgrade, From: "0.3.1", To: "0.3.2", Steps: []string{"back up: first"}, Warnings: []string{"with " + marked},
		Files: map[string]string{"x": "+y"}, World: map[string]string{"x": "y"}})
	_ = end(nil)
	var spelt []string
	for _, s := range []string{now, before, marked} {
		spelt = append(spelt, s, base64.StdEncoding.EncodeToString([]byte("user:"+s)), hex.EncodeToString([]byte(s)), url.QueryEscape(s), url.PathEscape(s),
			strings.ReplaceAll(s, `"`, `\"`))
	}
	planted := `{"event":"note","text":"` + strings.Join(spelt, " ") + `","password":"of-nobody-knows"}` + "\n" + strings.Join(spelt, "\n") + "\n"
	for name, text := range map[string]string{"20260501T130000.000Z-abort.log": planted, "20260501T130001.000Z-worker.txt": planted, "notes.md": planted} {
		if err := os.WriteFile(filepath.Join(dir.File(workdir.StateDir), "logs", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	v.recallGenerations()
	files := map[string]string{}
	for _, f := range v.bundledRuns() {
		files[f.name] = f.text
		for _, s := range append(spelt, "of-nobody-knows") {
			if strings.Contains(f.text, s) {
				t.Errorf("%s holds %q:\n%s", f.name, s, f.text)
			}
		}
	}
	if len(files) != 5 {
		t.Errorf("the bundle has %d files of runs", len(files))
	}
	plan := files["plan.txt"]
	for _, want := range []string{"-upgrade.log\n{\n", `"back up: first"`, `"to": "0.3.2"`, `"with ****"`} {
		if !strings.Contains(plan, want) {
			t.Errorf("the plan does not hold %q:\n%s", want, plan)
		}
	}
	if strings.Contains(plan, `"+y"`) {
		t.Errorf("the plan holds files:\n%s", plan)
	}
	for name, text := range files {
		if strings.HasSuffix(name, "-init.log") && (!strings.Contains(text, `"event":"plan","text":"1  write files\n"`) || planOf(text) != "1  write files\n") {
			t.Errorf("%s:\n%s", name, text)
		}
	}
	if last, err := dir.Runs(1); err != nil || len(last) != 1 || !strings.HasSuffix(last[0], "-worker.txt") {
		t.Errorf("the newest is %v, %v", last, err)
	}
}

// TestWithoutValues takes out of a YAML file all that may belong to a secret, in each form that YAML has, and no more.
func TestWithoutValues(t *testing.T) {
	const text = `# was: hidden
services:
  worker:
    image: worker:1 # shown
    environment:
      A_SECRET: hidden
      B_SECRET: >-
        hidden

        hidden # hidden
      C_SECRET:
        hidden
      D_SECRET: "hidden
 hidden"
      E: shown
      F_TOKEN: 'hidden''s'
      "G_DSN" : hidden
    labels:
    - api_key=hidden
    - shown=1
    - MY_PASSWORD=hidden two
    private:
    - hidden
    - hidden: hidden
    command: [shown]
    SYNCMASTER__DATABASE__URL: hidden
    KEY_PATH: shown
    MY_KEY_FILE: hidden
  secrets: {a: hidden,
    b: hidden}
  other: {image: shown}
`
	got := withoutValues(text)
	if strings.Contains(got, "hidden") || strings.Count(got, "shown") != strings.Count(text, "shown") || !strings.Contains(got, "      B_SECRET: ****\n") {
		t.Errorf("became\n%s", got)
	}
}

// TestBundledFiles: a Compose file that is ours is in a bundle; another one only where its secrets are known.
func TestBundledFiles(t *testing.T) {
	const override = "services: {worker: {environment: {A: of-nobody-knows}}}\n"
	for _, tt := range []struct {
		name, ours string
		loads      bool
		want       map[string]string
	}{
		{"as written", "services: {}\n", true, map[string]string{workdir.ComposeFile: "services: {}\n", workdir.OverrideFile: "services: {worker: {environment: {A: ****}}}\n"}},
		{"broken override", "services: {}\n", false, map[string]string{workdir.ComposeFile: "services: {}\n", workdir.OverrideFile: "# left out"}},
		{"edited", "services: {b: {}}\n", false, map[string]string{workdir.ComposeFile: "# left out", workdir.OverrideFile: "# left out"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := wellSight(t)
			if err := v.setup.Dir.Prepare(); err != nil {
				t.Fatal(err)
			}
			for name, text := range map[string]string{workdir.ComposeFile: tt.ours, workdir.OverrideFile: override} {
				if err := os.WriteFile(v.setup.Dir.File(name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			v.project.Services["worker"] = serviceWith("of-nobody-knows", "")
			if !tt.loads {
				v.project = nil
			}
			v.redaction = v.redactor()
			found := 0
			for _, f := range v.bundledFiles() {
				if want, has := tt.want[strings.TrimPrefix(f.name, "files/")]; has && strings.HasPrefix(f.text, want) {
					found++
				} else {
					t.Errorf("%s is %q", f.name, f.text)
				}
			}
			if found != len(tt.want) {
				t.Errorf("%d files, want %d", found, len(tt.want))
			}
		})
	}
}
