package setup

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"

	"syncmaster-setup/internal/checkout"
	"syncmaster-setup/internal/config"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/workdir"
)

const source = "/home/anna/syncmaster"

// An environment stays what it was made for, until something else is asked for.
func TestDevSourceIsKept(t *testing.T) {
	s := devSetup(t)
	made := workdir.State{Format: 1, Phase: workdir.Installed, Version: "0.3.2", Project: "p",
		Options: config.Options{Dev: true, Source: source, Head: "0014", ImageMigrates: true, Queues: []string{"1-etl"}}}
	unlock, err := s.Dir.Lock("test", s.Now()) // makes the folder
	if err := errors.Join(err, s.Dir.SaveState(made), unlock()); err != nil {
		t.Fatal(err)
	}
	at := func(head string) *checkout.Checkout { return &checkout.Checkout{Version: "0.3.2", Head: head} }
	for _, tc := range []struct {
		name     string
		asked    DevOptions
		source   string
		head     string
		migrates bool
	}{
		{"nothing asked", DevOptions{}, source, "0014", true},
		{"another queue", DevOptions{Queues: []string{"2-x"}}, source, "0014", true},
		{"the checkout at a head that is carried", DevOptions{Source: source, Checkout: at("0013")}, source, "0013", false},
		{"the checkout at its own head", DevOptions{Source: source, Checkout: at("0015")}, source, "0015", true},
		{"only what it runs against", DevOptions{Checkout: at("0012")}, "", "0012", false},
		{"a release", DevOptions{Release: "0.2.4"}, "", "0011", false},
	} {
		tc.asked.Known = carried
		asked, err := s.devOptions(tc.asked)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		w, err := s.look(asked)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		if o := w.options; o.Source != tc.source || w.head() != tc.head || w.imageMigrates() != tc.migrates {
			t.Errorf("%s: got %q at %s, by the image: %v", tc.name, o.Source, w.head(), w.imageMigrates())
		}
		if runs := len(w.options.Services()) > 0; runs != (tc.source != "") {
			t.Errorf("%s: %v run", tc.name, w.options.Services())
		}
	}
}

func TestBuilt(t *testing.T) {
	for _, tc := range []struct {
		name    string
		options config.Options
		want    []string
	}{
		{"all", config.Options{Profiles: []string{"all"}, Queues: []string{"1-a"}}, []string{"server", "scheduler", "worker"}},
		{"no queue", config.Options{Profiles: []string{"all"}}, []string{"server", "scheduler"}},
		{"a part", config.Options{Profiles: []string{"scheduler"}}, []string{"scheduler"}},
		{"a part, and its migrations", config.Options{Profiles: []string{"scheduler"}, ImageMigrates: true}, []string{"scheduler", "server"}},
	} {
		tc.options.Dev, tc.options.Source, tc.options.Version, tc.options.Head = true, source, "0.3.2", "0012"
		w := fresh(t, tc.options)
		if got := w.built(); !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.name, got, tc.want)
		}
		for _, ref := range w.images() {
			if name := strings.TrimPrefix(ref, w.options.Project+"-"); w.isBuilt(ref) != slices.Contains(tc.want, strings.TrimSuffix(name, ":dev")) {
				t.Errorf("%s: %s is built: %v", tc.name, ref, w.isBuilt(ref))
			}
		}
	}
	if w := fresh(t, config.Options{Source: source, Version: "0.3.2"}); len(w.built()) > 0 {
		t.Errorf("an install builds %v", w.built())
	}
}

// What is built is neither looked for in a registry nor pulled; without a build it must be there.
func TestBuiltImagesAreNotPulled(t *testing.T) {
	w := fresh(t, config.Options{Dev: true, Source: source, Version: "0.3.2", Head: "0012"})
	for _, ref := range w.images() {
		if w.isBuilt(ref) {
			delete(w.observed.Images, ref)
		}
	}
	if missing := (&run{world: w}).missingImages(); len(missing) > 0 {
		t.Errorf("%v are pulled", missing)
	}
	p := &fault.Problems{}
	if w.checkImages(p); len(p.List) != 2 || !strings.Contains(p.List[0].Hint, "dev up --source "+source+" --dir ") {
		t.Errorf("got %+v", p.List)
	}
	p, w.builds = &fault.Problems{}, map[string]types.BuildConfig{}
	if w.checkImages(p); len(p.List) > 0 {
		t.Errorf("got %+v", p.List)
	}
	if w.host.OS = "windows"; !strings.Contains(w.preflight().Error(), "it has no BuildKit") {
		t.Errorf("got %v", w.preflight())
	}
}

func TestReadableLines(t *testing.T) {
	said := "\x1b[31mred\x1b[0m\r\nload 10%\rload 50%\rload 100%\n\nbell\x07 \xff\n"
	if got := readableLines(said); got != "red\nload 100%\n\nbell \uFFFD" {
		t.Errorf("got %q", got)
	}
}
