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
