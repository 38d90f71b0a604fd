package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
)

const planted = `pL@n+ed/%"s3cret$'é`

func TestRedactorKnowsTheForms(t *testing.T) {
	r := NewRedactor(NewText("other"), NewText(planted), NewText(""), NewText("abc"))
	quoted, err := json.Marshal(planted)
	if err != nil {
		t.Fatal(err)
	}
	user := url.URL{Scheme: "amqp", User: url.UserPassword("user", planted), Host: "h"}
	for _, text := range []string{
		planted, user.String(), url.QueryEscape(planted), url.PathEscape(planted), strings.ToLower(url.PathEscape("%%%")) + planted,
		string(quoted), fmt.Sprintf("%q", planted), hex.EncodeToString([]byte(planted)), fmt.Sprintf("%X", planted),
		strings.ReplaceAll(planted, "%", "%%"), strings.ReplaceAll(planted, "$", "$$"),
	} {
		if got := r.String("before " + text + " after"); !strings.Contains(got, mask) || strings.Contains(got, "s3cret") || strings.Contains(got, hex.EncodeToString([]byte("s3cret"))) || !strings.HasSuffix(got, " after") || !strings.HasPrefix(got, "before ") {
			t.Errorf("%q became %q", text, got)
		}
	}
	if got := r.String("abc is too short, nothing else changes"); got != "abc is too short, nothing else changes" {
		t.Error(got)
	}
}

// TestRedactorFindsBase64Inside encodes the secret with something before and after it, at every offset.
func TestRedactorFindsBase64Inside(t *testing.T) {
	r := NewRedactor(NewText(planted))
	for _, before := range []string{"", "u", "us", "user:", "x:"} {
		for _, after := range []string{"", "\n", "ab", "abc"} {
			for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding, base64.RawURLEncoding} {
				text := encoding.EncodeToString([]byte(before + planted + after))
				got := r.String(text)
				if !strings.Contains(got, mask) || len(got) > len(before)*2+len(after)*2+16 {
					t.Errorf("%q + secret + %q: %q became %q", before, after, text, got)
				}
			}
		}
	}
}

func TestOverlappingSecretsAreOneMask(t *testing.T) {
	r := NewRedactor(NewText("abcdef"), NewText("defghi"), NewText("abcd"))
	for text, want := range map[string]string{
		"xabcdefghix": "x****x",
		"abcdabcdef":  "********",
		"abcdefx":     "****x",
		"":            "",
	} {
		if got := r.String(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

// TestWriterRedactsAcrossWrites cuts texts at random places; the result must be that of the whole text.
func TestWriterRedactsAcrossWrites(t *testing.T) {
	r := NewRedactor(NewText("abcab"), NewText("cabba"), NewText(planted))
	random := rand.New(rand.NewPCG(9, 10))
	pieces := []string{"abcab", "cabba", planted, "a", "b", "c", "ab", "\n", planted[:7], planted[7:]}
	for range 3000 {
		var text strings.Builder
		for range random.IntN(12) {
			text.WriteString(pieces[random.IntN(len(pieces))])
		}
		var out bytes.Buffer
		w := r.Writer(&out)
		for rest := text.String(); rest != ""; {
			n := 1 + random.IntN(len(rest))
			if written, err := w.Write([]byte(rest[:n])); err != nil || written != n {
				t.Fatalf("%d of %d, %v", written, n, err)
			}
			rest = rest[n:]
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if want := r.String(text.String()); out.String() != want {
			t.Fatalf("%q:\n got %q\nwant %q", text.String(), out.String(), want)
		}
	}
}

func TestWriterHoldsNothingInnocent(t *testing.T) {
	var out bytes.Buffer
	w := NewRedactor(NewText(planted)).Writer(&out)
	if _, err := w.Write([]byte("pulling… 10 %\n")); err != nil || out.String() != "pulling… 10 %\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

type brokenWriter struct{ err error }

func (b brokenWriter) Write([]byte) (int, error) { return 0, b.err }

func TestWriterReportsErrors(t *testing.T) {
	broken := errors.New("closed")
	w := NewRedactor(NewText("secret")).Writer(brokenWriter{broken})
	if _, err := w.Write([]byte("x")); !errors.Is(err, broken) {
		t.Error(err)
	}
	if _, err := w.Write([]byte("secr")); err != nil {
		t.Error(err)
	}
	if err := w.Flush(); !errors.Is(err, broken) {
		t.Error(err)
	}
}

func TestTextPrintsAsMask(t *testing.T) {
	s := NewText(planted)
	marshalled, err := json.Marshal(map[string]any{"a": s, "b": &s})
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%v %+v %#v %q %x %s %d %v", s, s, s, s, s, &s, s, struct{ S Text }{s}) + string(marshalled)
	if strings.Contains(text, "s3cret") || strings.Contains(text, hex.EncodeToString([]byte("s3cret"))) || strings.Count(text, mask) != 10 {
		t.Error(text)
	}
}
