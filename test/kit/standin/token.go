package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

type claims struct {
	Name    string `json:"sub"`
	Expires int64  `json:"exp"`
}

// signToken returns a JSON Web Token (HS256) for a user.
func signToken(secret, name string, expires int64) string {
	body, _ := json.Marshal(claims{Name: name, Expires: expires}) // text and number always encode
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode(body)
	return text + "." + encode(signature(secret, text))
}

// openToken returns the user of a valid token.
func openToken(secret, token string, now time.Time) (name string, ok bool) {
	i := strings.LastIndex(token, ".")
	if i < 0 {
		return "", false
	}
	signed, err := base64.RawURLEncoding.DecodeString(token[i+1:])
	if err != nil || !hmac.Equal(signed, signature(secret, token[:i])) {
		return "", false
	}
	_, payload, _ := strings.Cut(token[:i], ".")
	text, err := base64.RawURLEncoding.DecodeString(payload)
	var c claims
	if err != nil || json.Unmarshal(text, &c) != nil {
		return "", false
	}
	return c.Name, now.Unix() < c.Expires
}

func signature(secret, text string) []byte {
	h := hmac.New(sha256.New, []byte(secret))
	_, _ = h.Write([]byte(text)) // a hash never fails to write
	return h.Sum(nil)
}
