package setup

import (
	"testing"

	"syncmaster-setup/internal/config"
	"syncmaster-setup/internal/workdir"
)

// TestRecallReadsTheAddressOfEnv: the user may edit .env, and an option is about what is there.
func TestRecallReadsTheAddressOfEnv(t *testing.T) {
	for env, want := range map[string]string{
		"BIND_ADDRESS=0.0.0.0\n": "0.0.0.0", "BIND_ADDRESS=[::1]\n": "::1", "BIND_ADDRESS=localhost\n": "127.0.0.1", "": "127.0.0.1",
	} {
		w := world{installed: true, texts: map[string]string{workdir.EnvFile: env}, last: map[string]string{}}
		w.state.Version, w.state.Options = "0.3.2", config.Options{Bind: "127.0.0.1"}
		if err := w.recall(config.Options{}); err != nil || w.options.Bind != want {
			t.Errorf("%q: %s, want %s (%v)", env, w.options.Bind, want, err)
		}
		if err := w.recall(config.Options{Bind: "192.168.1.5"}); err != nil || w.options.Bind != "192.168.1.5" {
			t.Errorf("%q: %s although another one was asked for (%v)", env, w.options.Bind, err)
		}
	}
}
