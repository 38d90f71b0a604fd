package secret

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
)

// alphabet survives URLs, YAML, Compose's interpolation, ini files and shells unquoted.
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// Generate returns a secret of length letters and digits, each equally probable, about 5.95 bits each. r must be a
// source of random bytes, such as crypto/rand's Reader; its failure is the only one besides a length below 1.
func Generate(r io.Reader, length int) (Text, error) {
	if length < 1 {
		return Text{}, errors.New("generating a secret: its length must be at least 1")
	}
	// bytes from here on would make the first letters more probable
	const limit = 256 - 256%len(alphabet)
	value := make([]byte, 0, length)
	buffer := make([]byte, length)
	for len(value) < length {
		missing := buffer[:length-len(value)]
		if _, err := io.ReadFull(r, missing); err != nil {
			return Text{}, fmt.Errorf("generating a secret: %w", err)
		}
		for _, b := range missing {
			if int(b) < limit {
				value = append(value, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return NewText(string(value)), nil
}

// FernetKey returns a new key for SYNCMASTER__ENCRYPTION__SECRET_KEY: 32 bytes of r in URL-safe base64 with padding.
func FernetKey(r io.Reader) (Text, error) {
	var key [fernetKeySize]byte
	if _, err := io.ReadFull(r, key[:]); err != nil {
		return Text{}, fmt.Errorf("generating a Fernet key: %w", err)
	}
	return NewText(base64.URLEncoding.EncodeToString(key[:])), nil
}
