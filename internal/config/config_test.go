package config_test

import (
	"slices"
	"strings"
	"testing"

	"syncmaster-setup/internal/config"
	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/secret"
)

func TestServices(t *testing.T) {
	for _, tc := range []struct {
		profiles, queues []string
		want             string
		waits            bool
	}{
		{[]string{"all"}, nil, "server scheduler frontend", true},
		{[]string{"all"}, []string{"1-etl"}, "server scheduler worker frontend", false},
		{[]string{"frontend"}, nil, "server frontend", false},
		{[]string{"worker"}, nil, "", true},
		{[]string{"scheduler", "server"}, []string{"1-etl"}, "server scheduler", false},
	} {
		o := config.Options{Profiles: tc.profiles, Queues: tc.queues}
		if got := strings.Join(o.Services(), " "); got != tc.want || o.WorkerWaits() != tc.waits {
			t.Errorf("%v %v: %q, waits %v", tc.profiles, tc.queues, got, o.WorkerWaits())
		}
	}
}

func TestURLs(t *testing.T) {
	ports := config.Ports{Server: 8001, UI: 3001}
	for _, tc := range []struct {
		options config.Options
		api, ui string
	}{
		{config.Options{Bind: "127.0.0.1"}, "http://localhost:8001", "http://localhost:3001"},
		{config.Options{Bind: "0.0.0.0"}, "http://localhost:8001", "http://localhost:3001"},
		{config.Options{Bind: "10.1.2.3"}, "http://10.1.2.3:8001", "http://10.1.2.3:3001"},
		{config.Options{Bind: "fd00::1"}, "http://[fd00::1]:8001", "http://[fd00::1]:3001"},
		{config.Options{Bind: "0.0.0.0", PublicURL: "http://h.example.com:8001/"}, "http://h.example.com:8001", "http://h.example.com:3001"},
		{config.Options{Bind: "0.0.0.0", PublicURL: "https://a.example.com", UIURL: "https://u.example.com/"}, "https://a.example.com", "https://u.example.com"},
	} {
		if api, ui := tc.options.URLs(ports); api != tc.api || ui != tc.ui {
			t.Errorf("%+v: %s, %s", tc.options, api, ui)
		}
	}
}

func TestProductionAsksForWhatOnlyTheUserKnows(t *testing.T) {
	r := release.Newest()
	keycloak := []config.Setting{}
	for _, name := range []string{"API_URL", "REALM_NAME", "CLIENT_ID", "CLIENT_SECRET"} {
		keycloak = append(keycloak, config.Setting{Name: "SYNCMASTER__AUTH__KEYCLOAK__" + name, Value: secret.NewText("https://x.example.com")})
	}
	complete := config.Options{Preset: config.Production, Auth: "keycloak", PublicURL: "https://a.example.com", UIURL: "https://u.example.com", Set: keycloak}
	if err := complete.Defaults(r.Version).Validate(r, nil); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*config.Options){
		"--auth":         func(o *config.Options) { o.Auth = "" },
		"--public-url":   func(o *config.Options) { o.PublicURL = "" },
		"--ui-url":       func(o *config.Options) { o.UIURL = "" },
		"CLIENT_SECRET":  func(o *config.Options) { o.Set = o.Set[:3] },
		"has a path":     func(o *config.Options) { o.UIURL = "https://u.example.com/ui" },
		"is given twice": func(o *config.Options) { o.Set = slices.Concat(o.Set, o.Set[:1]) },
		"not an address": func(o *config.Options) { o.PublicURL = "a.example.com" },
	} {
		o := complete
		change(&o)
		if err := o.Defaults(r.Version).Validate(r, nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	placed := map[string]string{}
	for _, s := range keycloak {
		placed[s.Name] = s.Value.Reveal()
	}
	again := complete
	again.Set = nil
	if err := again.Defaults(r.Version).Validate(r, placed); err != nil {
		t.Errorf("with the settings in place: %v", err)
	}
	if got := complete.Defaults(r.Version).Superusers; len(got) != 0 {
		t.Errorf("superusers %q nobody asked for", got)
	}
}
