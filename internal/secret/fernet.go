package secret

import (
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/fernet/fernet-go"
)

const (
	fernetKeySize = 32
	// version, time, initialisation vector, one block and the signature
	fernetTokenSize = 1 + 8 + 16 + 16 + 32
)

// ErrNotOpened means that a token was not made with the key, or is damaged.
var ErrNotOpened = errors.New("the key does not open this token")

// CheckFernetKey accepts exactly what Fernet(key) of Python's cryptography accepts, so also the standard base64
// alphabet and stray characters. The error tells what is wrong, not the key.
func CheckFernetKey(value string) error {
	_, err := decodeKey(value)
	return err
}

// OpensToken reports whether a key opens a Fernet token, of whatever age.
func OpensToken(key Text, token string) bool {
	_, err := Decrypt(key, token)
	return err == nil
}

// Decrypt returns what a Fernet token holds, of whatever age. The error is [ErrNotOpened], or that of [CheckFernetKey].
func Decrypt(key Text, token string) (Text, error) {
	k, err := decodeKey(key.Reveal())
	if err != nil {
		return Text{}, err
	}
	raw, err := decodeBase64(token)
	if err != nil || len(raw) < fernetTokenSize {
		return Text{}, ErrNotOpened
	}
	message := fernet.VerifyAndDecrypt([]byte(base64.URLEncoding.EncodeToString(raw)), 0, []*fernet.Key{k})
	if message == nil {
		return Text{}, ErrNotOpened
	}
	return NewText(string(message)), nil
}

func decodeKey(value string) (*fernet.Key, error) {
	raw, err := decodeBase64(value)
	if err != nil {
		return nil, fmt.Errorf("reading a Fernet key: %w", err)
	}
	if len(raw) != fernetKeySize {
		return nil, fmt.Errorf("reading a Fernet key: it has %d bytes instead of %d, in URL-safe base64", len(raw), fernetKeySize)
	}
	key := fernet.Key(raw)
	return &key, nil
}

// decodeBase64 decodes as Python's base64.urlsafe_b64decode does with a text: foreign characters are passed over,
// padding ends the data only where it completes four characters, and must do so where the data is not whole.
func decodeBase64(text string) ([]byte, error) {
	var out []byte
	var bits uint32
	quad, pads := 0, 0
	for i := range len(text) {
		c := text[i]
		if c >= 0x80 {
			return nil, errors.New("it contains a character that is not ASCII")
		}
	}
	for i := range len(text) {
		if text[i] == '=' {
			if quad >= 2 {
				pads++
			}
			if quad >= 2 && quad+pads >= 4 {
				return out, nil
			}
			continue
		}
		value, ok := sixBits(text[i])
		if !ok {
			continue
		}
		pads = 0
		bits = bits<<6 | value
		if quad > 0 {
			out = append(out, byte(bits>>(6-2*quad)&0xff))
		}
		quad = (quad + 1) % 4
	}
	if quad != 0 {
		return nil, errors.New("its base64 is not whole: characters or the padding at the end are missing")
	}
	return out, nil
}

// sixBits returns what a character of either base64 alphabet stands for.
func sixBits(c byte) (uint32, bool) {
	switch {
	case c >= 'A' && c <= 'Z':
		return uint32(c - 'A'), true
	case c >= 'a' && c <= 'z':
		return uint32(c-'a') + 26, true
	case c >= '0' && c <= '9':
		return uint32(c-'0') + 52, true
	case c == '+' || c == '-':
		return 62, true
	case c == '/' || c == '_':
		return 63, true
	}
	return 0, false
}
