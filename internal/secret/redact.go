package secret

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Shorter secrets are not looked for: they would be found in innocent words, and nothing here generates them.
const shortest = 4

// shortestBase64 is the least number of base64 characters that are taken for a part of a secret.
const shortestBase64 = 8

// Redactor replaces known secrets in text by ****, as they are and percent-encoded, in base64 (also inside a longer
// encoded text), hexadecimal, JSON and doubled for ini files and Compose. It is the last guard of all output.
type Redactor struct{ patterns []string }

// NewRedactor returns a Redactor of secrets. Secrets of less than four bytes are ignored.
func NewRedactor(secrets ...Text) *Redactor {
	r := &Redactor{}
	for _, s := range secrets {
		if len(s.value) >= shortest {
			r.patterns = append(r.patterns, forms(s.value)...)
		}
	}
	slices.Sort(r.patterns)
	r.patterns = slices.Compact(r.patterns)
	return r
}

// String returns text with every secret replaced. Overlapping secrets become one mask.
func (r *Redactor) String(text string) string {
	var out strings.Builder
	at := 0
	for _, s := range r.spans(text) {
		out.WriteString(text[at:s.start] + mask)
		at = s.end
	}
	return out.String() + text[at:]
}

// Writer returns a writer to w that redacts, also what is split over several writes: the beginning of a possible secret
// is held back until the next write, or Flush, shows what it is. It may be used from several goroutines.
func (r *Redactor) Writer(w io.Writer) *RedactingWriter {
	return &RedactingWriter{redactor: r, out: w}
}

// RedactingWriter is made by [Redactor.Writer].
type RedactingWriter struct {
	redactor *Redactor
	out      io.Writer

	mu   sync.Mutex
	held string
}

// Write passes on what cannot become a secret. It reports all of p as written unless w fails.
func (w *RedactingWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := w.held + string(p)
	cut := w.redactor.settled(text)
	w.held = text[cut:]
	if cut == 0 {
		return len(p), nil
	}
	if _, err := io.WriteString(w.out, w.redactor.String(text[:cut])); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush writes what is held back.
func (w *RedactingWriter) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := w.held
	w.held = ""
	if text == "" {
		return nil
	}
	_, err := io.WriteString(w.out, w.redactor.String(text))
	return err
}

type span struct{ start, end int }

// spans returns where secrets stand, sorted and merged.
func (r *Redactor) spans(text string) []span {
	var found []span
	for _, p := range r.patterns {
		for at := 0; ; {
			i := strings.Index(text[at:], p)
			if i < 0 {
				break
			}
			found = append(found, span{at + i, at + i + len(p)})
			at += i + 1
		}
	}
	slices.SortFunc(found, func(a, b span) int { return a.start - b.start })
	var merged []span
	for _, s := range found {
		if n := len(merged); n > 0 && s.start < merged[n-1].end {
			merged[n-1].end = max(merged[n-1].end, s.end)
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

// settled returns up to where more text cannot change what is redacted.
func (r *Redactor) settled(text string) int {
	cut := len(text)
	for _, p := range r.patterns {
		for n := min(len(p)-1, len(text)); n > len(text)-cut; n-- {
			if strings.HasSuffix(text, p[:n]) {
				cut = len(text) - n
				break
			}
		}
	}
	for _, s := range r.spans(text) { // a secret is never cut in two
		if s.start < cut && cut < s.end {
			return s.start
		}
	}
	return cut
}

// forms returns the spellings of a secret.
func forms(value string) []string {
	list := []string{
		value,
		url.QueryEscape(value),
		url.PathEscape(value),
		strings.TrimPrefix(url.UserPassword("", value).String(), ":"),
		strings.ReplaceAll(url.QueryEscape(value), "+", "%20"),
		strings.ReplaceAll(value, "%", "%%"),
		strings.ReplaceAll(value, "$", "$$"),
		strings.ReplaceAll(value, "'", `\'`),
		hex.EncodeToString([]byte(value)),
		strings.ToUpper(hex.EncodeToString([]byte(value))),
	}
	for _, form := range list[:5] {
		list = append(list, lowerEscapes(form))
	}
	goQuoted := strconv.Quote(value)
	list = append(list, goQuoted[1:len(goQuoted)-1])
	if quoted, err := json.Marshal(value); err == nil {
		list = append(list, string(quoted[1:len(quoted)-1]))
	}
	return append(list, base64Forms(value)...)
}

// base64Forms returns the characters that stand for the secret alone, wherever it begins in the encoded text.
func base64Forms(value string) []string {
	var list []string
	for offset := range 3 {
		encoded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", offset) + value))
		first := []int{0, 2, 3}[offset]       // characters that hold bits of what stands before
		last := (offset + len(value)) * 8 / 6 // the one after may hold bits of what follows
		if last-first < shortestBase64 {
			continue
		}
		inner := encoded[first:last]
		list = append(list, inner, strings.NewReplacer("+", "-", "/", "_").Replace(inner))
	}
	return list
}

// lowerEscapes writes percent escapes with lower-case digits.
func lowerEscapes(text string) string {
	b := []byte(text)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:i+3], strings.ToLower(string(b[i+1:i+3])))
		}
	}
	return string(b)
}
