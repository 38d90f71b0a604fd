package e2e_test

import (
	"fmt"
	"net/http"
	"testing"
)

// TestProductionPreset asks for what only the user can know, and publishes nothing by accident.
func TestProductionPreset(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.mustRefuse(badInput, []string{"--preset", "production"}, "--auth", "dummy login accepts any name", "--public-url")
	api, ui := fmt.Sprintf("http://sync.example.com:%d", s.ports.server), "https://ui.example.com"
	production := []string{"--preset", "production", "--auth", "dummy", "--public-url", api, "--ui-url", ui, "--profile", "frontend"}
	s.init(production...).is(t, 0).says(t, "warning: the dummy login accepts any name", api, ui)
	s.mustBeHealthy("db", "frontend", "rabbitmq", "server")
	if got := s.setting(".env.docker", "SYNCMASTER__SERVER__DEBUG"); got != "false" {
		t.Errorf("debug is %q", got)
	}
	for service, want := range map[string]string{"server": "0.0.0.0", "frontend": "0.0.0.0", "db": "127.0.0.1", "rabbitmq": "127.0.0.1"} {
		for port, bindings := range s.container(service).HostConfig.PortBindings {
			if len(bindings) != 1 || bindings[0].HostIP.String() != want {
				t.Errorf("%s publishes %s on %v, want %s", service, port, bindings, want)
			}
		}
	}
	status, header, _ := ask(t, http.MethodOptions, s.api("/v1/connections"),
		map[string]string{"Origin": ui, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}, "")
	if status != http.StatusOK || header.Get("Access-Control-Allow-Origin") != ui {
		t.Errorf("the preflight of the UI answers %d %v", status, header)
	}
	if status, _, _ := ask(t, http.MethodOptions, s.api("/v1/connections"), map[string]string{"Origin": "http://evil.example.com", "Access-Control-Request-Method": "GET"}, ""); status == http.StatusOK {
		t.Error("the preflight of a stranger is answered")
	}
}
