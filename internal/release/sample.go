package release

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
)

// sampleSecrets are the SHA-256 sums of the keys and passwords in the samples that SyncMaster publishes, so that the
// program itself does not hand them on.
var sampleSecrets = []string{
	"08de5fa3e9e2a3f6b40549e0fa34e0b54188f81ecc45cbfad278ff49393a607b", // the Fernet key
	"057ba03d6c44104863dc7361fe4578965d1887360f90a0895882e58a6248fc86", // the database password
	"84983c60f7daadc1cb8698621f802c0d9f9a3c3c295c810748fb048115c186ec", // the broker password
	"910fc5de20f8b0e4092b2476ee99e1e1b01a3131e4eb5ba10918592b76db9ac2", // the key of the session cookie
	"0b41447db20617c08a626b85c1c96e17e3a64c01372760da6d60c5bfacf45988", // the key of the access tokens
	"6db47af17fe6d60746a57c045e39352d3ed09b99f1b9f45854c1bc3f5df2ade1", // the Keycloak client's
	"3ecb0ddc917178d402cd49809175323779eff9b49cc9ac04a1d39f2858d5ef4b", // the HWM store's
}

// IsSampleSecret reports whether a setting holds a key or password that SyncMaster's samples publish, also as the
// password in a URL. Besides the secret settings of the release it knows the passwords of the database and broker
// containers.
func (r Release) IsSampleSecret(name, value string) bool {
	name = strings.ToUpper(name)
	if s, read := r.Setting(name); (!read || !s.Secret) && !slices.Contains([]string{"POSTGRES_PASSWORD", "RABBITMQ_PASSWORD", "RABBITMQ_DEFAULT_PASS"}, name) {
		return false
	}
	// base64 has two alphabets, and both make the same Fernet key
	candidates := []string{value, strings.NewReplacer("+", "-", "/", "_").Replace(value)}
	if u, err := url.Parse(value); err == nil && u.User != nil {
		password, _ := u.User.Password()
		candidates = append(candidates, password)
	}
	return slices.ContainsFunc(candidates, func(c string) bool {
		sum := sha256.Sum256([]byte(strings.TrimSpace(c)))
		return slices.Contains(sampleSecrets, hex.EncodeToString(sum[:]))
	})
}
