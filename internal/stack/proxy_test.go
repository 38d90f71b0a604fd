package stack_test

import (
	"slices"
	"testing"

	"syncmaster-setup/internal/stack"
)

func TestProxies(t *testing.T) {
	names, noProxy := stack.Proxies(map[string]string{"http_proxy": "http://u:p@proxy", "HTTPS_PROXY": "", "No_Proxy": "localhost", "NO_PROXY": "db", "PATH": "/bin"})
	if !slices.Equal(names, []string{"http_proxy"}) || noProxy != "db,localhost" {
		t.Errorf("%v, %q", names, noProxy)
	}
	hosts := []string{"localhost", "db"}
	for list, want := range map[string][]string{
		"": hosts, "*": {}, "localhost": {"db"}, "LOCALHOST, .db": {}, "notdb,db.example.com,127.0.0.1": hosts,
	} {
		if got := stack.Proxied(list, hosts); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", list, got, want)
		}
	}
}
