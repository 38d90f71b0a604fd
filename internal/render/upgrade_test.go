package render_test

import (
	"strings"
	"testing"

	"syncmaster-setup/internal/config"
	"syncmaster-setup/internal/envfile"
	"syncmaster-setup/internal/release"
)

// translated returns an env file as a newer release names and reads its settings.
func translated(t *testing.T, from, to release.Release, text string) string {
	t.Helper()
	file, err := envfile.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	settings, changes := release.Translate(from, to, file.Map())
	renamed := map[string]string{}
	for _, c := range changes {
		if c.Kind == release.Renamed {
			renamed[c.From] = c.To
		}
	}
	if err := file.Rewrite(settings, renamed); err != nil {
		t.Fatal(err)
	}
	return file.String()
}

// merged brings what to renders into a file that the user has edited since from rendered it.
func merged(t *testing.T, from, to release.Release, base, ours, theirs string) string {
	t.Helper()
	m, err := envfile.Merge(translated(t, from, to, base), translated(t, from, to, ours), theirs, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range m.Conflicts {
		t.Errorf("conflict: %+v", c)
	}
	return m.Text
}

// TestEditsSurviveAnUpgrade upgrades the files of each release to each later one, as written and with edits.
func TestEditsSurviveAnUpgrade(t *testing.T) {
	const edit = "# mine\nSYNCMASTER__SCHEDULER__MISFIRE_GRACE_TIME_SECONDS=77 # late\n"
	for _, from := range release.Known() {
		for _, to := range release.Known() {
			if !from.Before(to) {
				continue
			}
			t.Run(from.Version+" to "+to.Version, func(t *testing.T) {
				options := config.Options{Profiles: []string{"all"}, Superusers: []string{"admin", "root"}}
				before, after := must(t, input(t, from.Version, options)), must(t, input(t, to.Version, options))
				if got := merged(t, from, to, before.Env, before.Env, after.Env); got != after.Env {
					t.Errorf(".env is not that of the release:\n%s", got)
				}
				if got := merged(t, from, to, before.AppEnv, before.AppEnv, after.AppEnv); got != after.AppEnv {
					t.Errorf(".env.docker is not that of the release:\n%s", got)
				}
				edited := strings.Replace(before.AppEnv, "#SYNCMASTER__SCHEDULER__MISFIRE_GRACE_TIME_SECONDS=300\n", edit, 1)
				edited = strings.Replace(edited, "SERVER__DEBUG=true", "SERVER__DEBUG='false'", 1)
				got := merged(t, from, to, before.AppEnv, edited, after.AppEnv)
				want := strings.Replace(after.AppEnv, "#SYNCMASTER__SCHEDULER__MISFIRE_GRACE_TIME_SECONDS=300\n", edit, 1)
				if want = strings.Replace(want, "SERVER__DEBUG=true", "SERVER__DEBUG='false'", 1); got != want {
					t.Errorf("got:\n%s\nwant:\n%s", got, want)
				}
			})
		}
	}
}
