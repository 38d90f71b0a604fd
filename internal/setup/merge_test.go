package setup

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"syncmaster-setup/internal/envfile"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/workdir"
)

func TestLineDiff(t *testing.T) {
	for name, tc := range map[string]struct{ a, b, want string }{
		"equal":              {"a\nb\n", "a\nb\n", ""},
		"nothing at all":     {"", "", ""},
		"from nothing":       {"", "a\nb\n", "+ a\n+ b\n"},
		"to nothing":         {"a\n", "", "- a\n"},
		"in the middle":      {"a\nb\nc\n", "a\nx\nc\n", "- b\n+ x\n"},
		"at the beginning":   {"b\n", "a\nb\n", "+ a\n"},
		"at the end":         {"a\n", "a\nb\n", "+ b\n"},
		"two places":         {"a\nb\nc\nd\ne\n", "a\nB\nc\nd\n", "- b\n+ B\n- e\n"},
		"moved":              {"a\nb\nc\n", "b\nc\na\n", "- a\n+ a\n"},
		"repeated lines":     {"a\na\na\n", "a\na\n", "- a\n"},
		"last end of line":   {"a", "a\n", "- a\n+ a\n"},
		"an empty line more": {"a\nb\n", "a\n\nb\n", "+ \n"},
		"ends of lines":      {"a\r\n", "a\n", "- a\r\n+ a\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := lineDiff(tc.a, tc.b); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// A Compose file that was edited is refused with the difference, or kept where the release changes nothing in it.
func TestMergeCompose(t *testing.T) {
	edit := func(text string) string { return text + "# POSTGRES_PASSWORD=PASSWORD\n" }
	for name, tc := range map[string]struct {
		from, to string
		edit     func(string) string
		keep     bool
		keeps    bool
		want     string
	}{
		"as written":             {"0.3.1", "0.3.2", nil, false, false, ""},
		"as written, to be kept": {"0.3.1", "0.3.2", nil, true, false, ""},
		"edited": {"0.3.1", "0.3.2", edit, false, false,
			"docker-compose.yml was edited by hand:\n    + # POSTGRES_PASSWORD=****"},
		"edited and kept": {"0.3.1", "0.3.2", edit, true, true, ""},
		"edited, and the release needs another one": {"0.2.5", "0.3.0", edit, true, false,
			"docker-compose.yml was edited by hand and cannot be kept: release 0.3.0 needs other services in it than 0.2.5"},
		"a line less": {"0.3.1", "0.3.2", func(text string) string { return strings.Replace(text, "services:\n", "", 1) }, false, false,
			"docker-compose.yml was edited by hand:\n    - services:"},
	} {
		t.Run(name, func(t *testing.T) {
			u := movable(t, tc.from, tc.to)
			if tc.edit != nil {
				u.texts = maps.Clone(u.texts)
				text := tc.edit(u.texts[workdir.ComposeFile])
				password, _ := u.value(workdir.EnvFile, "POSTGRES_PASSWORD")
				u.texts[workdir.ComposeFile] = strings.Replace(text, "PASSWORD=PASSWORD", "PASSWORD="+password, 1)
			}
			err := u.merged(t, UpgradeOptions{KeepCompose: tc.keep})
			if tc.want == "" {
				if err != nil || u.merge.keepsCompose != tc.keeps {
					t.Errorf("%v; kept: %v", err, u.merge.keepsCompose)
				}
				if _, changes := u.changedFiles()[workdir.ComposeFile]; changes == tc.keeps {
					t.Errorf("the plan has a change of it: %v", changes)
				}
				if (u.composeThen() == u.texts[workdir.ComposeFile]) != tc.keeps {
					t.Error("another one is checked than will be in place")
				}
				return
			}
			var problems *fault.Problems
			if !errors.As(err, &problems) || len(problems.List) != 1 || problems.List[0].What != tc.want {
				t.Fatalf("got %v", err)
			}
			hint := problems.List[0].Hint
			const back = "cp /srv/install/.syncmaster-setup/generations/0001/docker-compose.yml /srv/install/docker-compose.yml"
			if !strings.Contains(hint, back) || strings.Contains(hint, "--keep-compose") == tc.keep {
				t.Errorf("hint %q", hint)
			}
		})
	}
}

// Every conflict is told at once, with what was, what the user wrote and what the release writes, and ends with a choice.
func TestConflicts(t *testing.T) {
	u := movable(t, "0.3.1", "0.3.2")
	const base, ours, theirs = "A=1\nB=1\nPASSWORD=old\nVERSION=1\n", "A=2\nB=2\nPASSWORD=mine\nVERSION=2\n", "A=3\nB=1\nPASSWORD=new\nVERSION=3\n"
	var m merged
	problems := &fault.Problems{Code: fault.Refused}
	u.mergeEnv(workdir.EnvFile, base, ours, theirs, nil, &m, problems)
	want := []fault.Problem{
		{What: `.env: A was changed by you and by release 0.3.2: it was "1", yours is "2", the release's is "3"`, Hint: "keep yours with --ours A, or take the release's with --theirs A"},
		{What: `.env: PASSWORD was changed by you and by release 0.3.2: it was ****, yours is ****, the release's is ****`, Hint: "keep yours with --ours PASSWORD, or take the release's with --theirs PASSWORD"},
	}
	if !slices.Equal(problems.List, want) {
		t.Errorf("told %+v", problems.List)
	}
	problems = &fault.Problems{Code: fault.Refused}
	got := u.mergeEnv(workdir.EnvFile, base, ours, theirs, map[string]envfile.Side{"A": envfile.Ours, "PASSWORD": envfile.Theirs}, &m, problems)
	if len(problems.List) > 0 || got != "A=2\nB=2\nPASSWORD=new\nVERSION=3\n" {
		t.Errorf("got %q and %+v", got, problems.List)
	}
}

func TestShownValues(t *testing.T) {
	u := movable(t, "0.3.1", "0.3.2")
	for _, tc := range []struct {
		name, value string
		there       bool
		want        string
	}{
		{"UI_PORT", "30 00", true, `"30 00"`},
		{"UI_PORT", "", true, `""`},
		{"UI_PORT", "", false, "gone"},
		{"POSTGRES_PASSWORD", "x", true, "****"},
		{"POSTGRES_PASSWORD", "", false, "gone"},
		{"MY_API_KEY", "x", true, "****"},
	} {
		if got := u.shown(tc.name, tc.value, tc.there); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.name, got, tc.want)
		}
	}
}

// An env file that cannot be read, or that lacks what the release needs, is told with its name.
func TestMergeRefusesWhatItCannotRead(t *testing.T) {
	for name, tc := range map[string]struct{ file, text, want string }{
		"an open quote":     {workdir.AppEnvFile, "A='b\n", "reading .env.docker: "},
		"no key any more":   {workdir.AppEnvFile, "SYNCMASTER__SERVER__DEBUG=true\n", "release 0.3.2 needs SYNCMASTER__"},
		"an open quote too": {workdir.EnvFile, "A=\"b\n", "reading .env: "},
	} {
		t.Run(name, func(t *testing.T) {
			u := movable(t, "0.3.1", "0.3.2")
			u.texts = maps.Clone(u.texts)
			u.texts[tc.file] = tc.text
			err := u.merged(t, UpgradeOptions{})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestBrought: the plan tells of each setting that the files will have and do not have now, whoever brings it along.
func TestBrought(t *testing.T) {
	for _, from := range release.Known() {
		for _, to := range release.Known() {
			if !from.Before(to) {
				continue
			}
			u := movable(t, from.Version, to.Version)
			if err := u.merged(t, UpgradeOptions{}); err != nil {
				t.Fatalf("%s to %s: %v", from, to, err)
			}
			told := map[string]bool{"VERSION": true}
			for _, c := range u.merge.changes {
				if told[c.From+">"+c.To] {
					t.Errorf("%s to %s: %s %s is told twice", from, to, c.From, c.To)
				}
				told[c.From], told[c.To], told[c.From+">"+c.To] = true, true, true
			}
			for _, texts := range [][2]string{{u.current().Env, u.merge.files.Env}, {u.current().AppEnv, u.merge.files.AppEnv}} {
				was, errWas := envfile.Parse(texts[0])
				now, errNow := envfile.Parse(texts[1])
				if err := errors.Join(errWas, errNow); err != nil {
					t.Fatal(err)
				}
				for name, value := range now.Map() {
					if old, had := was.Get(name); (!had || old != value) && !told[name] {
						t.Errorf("%s to %s: %s becomes %q, which nobody tells", from, to, name, value)
					}
				}
				for name := range was.Map() {
					if _, has := now.Get(name); !has && !told[name] {
						t.Errorf("%s to %s: %s is gone, which nobody tells", from, to, name)
					}
				}
			}
		}
	}
}
