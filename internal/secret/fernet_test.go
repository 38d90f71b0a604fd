package secret

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	mathrand "math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/fernet/fernet-go"
)

// judge is Fernet.__init__ of Python's cryptography, which needs the base64 module only.
const judge = `
import base64, binascii, json, sys
def decode(text):
    try:
        return base64.urlsafe_b64decode(text).hex()
    except (binascii.Error, ValueError):
        return None
json.dump([decode(t) for t in json.load(sys.stdin)], sys.stdout)
`

// candidates returns keys, and texts made from keys by small damage.
func candidates(t *testing.T, n int) []string {
	t.Helper()
	random := mathrand.New(mathrand.NewPCG(7, 8))
	damage := []string{"=", "==", "=A", "A=", "\n", " ", "+", "/", "-", "_", "!", "a", "Z9", "é", "\x7f", "====", "%", "\\"}
	list := []string{"", "=", "====", "YQ=", "YQ==", "YQ==YQ==", "YQ=Y", "Y=Q==", "=YQ==", "YWFh=", "YWE=YQ==", "YQ=!=", "YR=="}
	for len(list) < n {
		key, err := FernetKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		text := key.Reveal()
		switch random.IntN(6) {
		case 0:
		case 1:
			text = text[:random.IntN(len(text)+1)]
		case 2:
			text = strings.NewReplacer("-", "+", "_", "/").Replace(text)
		case 3:
			text = text[:random.IntN(16)]
			fallthrough
		default:
			for range 1 + random.IntN(3) {
				at := random.IntN(len(text) + 1)
				text = text[:at] + damage[random.IntN(len(damage))] + text[at:]
			}
		}
		list = append(list, strings.ToValidUTF8(text, "?"))
	}
	return list
}

// TestKeysAreJudgedAsInPython compares with python3's own base64 module.
func TestKeysAreJudgedAsInPython(t *testing.T) {
	list := candidates(t, 20_000)
	input, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command("python3", "-c", judge)
	command.Stdin = strings.NewReader(string(input))
	output, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	var verdicts []*string
	if err := json.Unmarshal(output, &verdicts); err != nil || len(verdicts) != len(list) {
		t.Fatalf("%d verdicts, %v", len(verdicts), err)
	}
	accepted, refused := 0, 0
	for i, verdict := range verdicts {
		want := verdict != nil && len(*verdict) == 2*fernetKeySize
		if want {
			accepted++
		} else {
			refused++
		}
		raw, err := decodeBase64(list[i])
		if (err == nil) != (verdict != nil) || verdict != nil && toHex(raw) != *verdict {
			t.Errorf("%q decodes to %x, %v", list[i], raw, err)
		}
		if err := CheckFernetKey(list[i]); (err == nil) != want {
			t.Errorf("%q: %v", list[i], err)
		}
	}
	if accepted < 1000 || refused < 1000 {
		t.Errorf("%d accepted, %d refused", accepted, refused)
	}
}

func toHex(raw []byte) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for _, c := range raw {
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
	return b.String()
}

func TestCheckFernetKeyDoesNotShowTheKey(t *testing.T) {
	for _, key := range []string{"notbase64key", "c2VjcmV0c2VjcmV0", "schlüssel", ""} {
		err := CheckFernetKey(key)
		if err == nil || key != "" && strings.Contains(err.Error(), key) {
			t.Errorf("%v", err)
		}
	}
}

// The token and key of the Fernet specification's own example (its verify.json).
const (
	specToken = "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA=="
	specKey   = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="
)

func TestDecrypt(t *testing.T) {
	message, err := Decrypt(NewText(specKey), specToken)
	if err != nil || message.Reveal() != "hello" {
		t.Errorf("%q, %v", message.Reveal(), err)
	}
	standard := strings.NewReplacer("-", "+", "_", "/").Replace(specKey)
	if !OpensToken(NewText(standard), specToken) || !OpensToken(NewText(" "+specKey+"\n"), specToken) {
		t.Error("a key in another spelling does not open the token")
	}
	other, err := FernetKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Decrypt(other, specToken); !errors.Is(err, ErrNotOpened) {
		t.Errorf("another key: %v", err)
	}
	if _, err := Decrypt(NewText("no key"), specToken); err == nil || errors.Is(err, ErrNotOpened) {
		t.Errorf("no key: %v", err)
	}
	for i := range len(specToken) - 3 { // of the last three characters some bits hold nothing
		replacement := "A"
		if specToken[i] == 'A' {
			replacement = "B"
		}
		if damaged := specToken[:i] + replacement + specToken[i+1:]; OpensToken(NewText(specKey), damaged) {
			t.Errorf("damage at %d is not seen", i)
		}
		if OpensToken(NewText(specKey), specToken[:i]) {
			t.Errorf("%d characters open", i)
		}
	}
}

func TestDecryptEmptyAndLongMessages(t *testing.T) {
	key, err := FernetKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k, err := fernet.DecodeKey(key.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	for _, length := range []int{0, 1, 15, 16, 17, 5000} {
		message := strings.Repeat("ж", length)[:length]
		token, err := fernet.EncryptAndSign([]byte(message), k)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Decrypt(key, string(token)); err != nil || got.Reveal() != message {
			t.Errorf("%d bytes: %v", length, err)
		}
	}
}

func FuzzDecrypt(f *testing.F) {
	f.Add(specKey, specToken)
	f.Add(base64.StdEncoding.EncodeToString(make([]byte, 32)), "gAAA")
	f.Fuzz(func(_ *testing.T, key, token string) {
		_ = OpensToken(NewText(key), token) // must not panic
	})
}
