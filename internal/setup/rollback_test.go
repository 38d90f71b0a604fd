package setup

import (
	"strings"
	"testing"

	"github.com/fernet/fernet-go"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/secret"
	"syncmaster-setup/internal/workdir"
)

// TestCheckOlderKey: the files that a rollback brings back must open what stays in the database.
func TestCheckOlderKey(t *testing.T) {
	u := movable(t, "0.3.2", "0.3.1")
	u.merge.files = u.current()
	token := func(key secret.Text) string {
		k, err := fernet.DecodeKey(key.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := fernet.EncryptAndSign([]byte("x"), k)
		if err != nil {
			t.Fatal(err)
		}
		return string(sealed)
	}
	u.tokens = []string{token(u.recorded(fernetSetting))}
	if err := u.checkOlderKey(); err != nil {
		t.Errorf("with the same key: %v", err)
	}
	u.merge.files.AppEnv = strings.Replace(u.merge.files.AppEnv, u.recorded(fernetSetting).Reveal(), strings.Repeat("A", 43)+"=", 1)
	u.state.Previous = 2
	err := u.checkOlderKey()
	if fault.CodeOf(err) != fault.Refused || !strings.Contains(fault.HintOf(err), "/.syncmaster-setup/generations/0002/"+workdir.AppEnvFile) {
		t.Errorf("with another key: %v, %s", err, fault.HintOf(err))
	}
	u.tokens = nil
	if err := u.checkOlderKey(); err != nil {
		t.Errorf("with nothing stored: %v", err)
	}
}
