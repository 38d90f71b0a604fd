// Package secret generates passwords and keys and carries them through the program so that they print as ****.
package secret

import (
	"fmt"
	"io"
	"log/slog"
)

const mask = "****"

// Text is a secret string. Every way of printing or marshalling it gives "****"; only [Text.Reveal] gives the value.
// The zero value is the empty secret.
type Text struct{ value string }

// NewText wraps a value that must not be printed.
func NewText(value string) Text { return Text{value: value} }

// Reveal returns the value itself, for writing it into a 0600 file or handing it to a protocol.
func (t Text) Reveal() string { return t.value }

// Empty reports whether there is no value.
func (t Text) Empty() bool { return t.value == "" }

// String returns the mask.
func (t Text) String() string { return mask }

// GoString returns the mask.
func (t Text) GoString() string { return mask }

// Format writes the mask for every verb, also for %x and %q, which would otherwise reach the field.
func (t Text) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, mask) // fmt gives no way to report it
}

// MarshalText returns the mask, for JSON and YAML encoders.
func (t Text) MarshalText() ([]byte, error) { return []byte(mask), nil }

// LogValue returns the mask.
func (t Text) LogValue() slog.Value { return slog.StringValue(mask) }
