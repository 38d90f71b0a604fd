package secret

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
)

func TestGenerateUsesTheAlphabetEvenly(t *testing.T) {
	const length, rounds = 62, 4000
	count := map[byte]int{}
	for range rounds {
		s, err := Generate(rand.Reader, length)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Reveal()) != length || url.QueryEscape(s.Reveal()) != s.Reveal() {
			t.Fatalf("%d characters", len(s.Reveal()))
		}
		for i := range length {
			count[s.Reveal()[i]]++
		}
	}
	if len(count) != len(alphabet) {
		t.Errorf("%d different characters", len(count))
	}
	// each count is normal about 4000 with deviation 63; a bias of modulo 256 would give 1/4 more to eight letters
	for c, n := range count {
		if !strings.Contains(alphabet, string(c)) || n < rounds-450 || n > rounds+450 {
			t.Errorf("%q came %d times of about %d", c, n, rounds)
		}
	}
}

func TestGenerateRejectsBiasedBytes(t *testing.T) {
	s, err := Generate(bytes.NewReader([]byte{255, 0, 248, 247, 249, 61}), 4)
	if err == nil {
		t.Errorf("%d characters from too few bytes", len(s.Reveal()))
	}
	s, err = Generate(bytes.NewReader([]byte{255, 0, 248, 247, 249, 61}), 2)
	if err != nil || s.Reveal() != "A9" {
		t.Errorf("%q, %v", s.Reveal(), err)
	}
}

func TestGenerateReportsTheReader(t *testing.T) {
	broken := errors.New("no entropy")
	for _, r := range []io.Reader{iotest.ErrReader(broken), io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(broken))} {
		if s, err := Generate(r, 32); !errors.Is(err, broken) || !s.Empty() {
			t.Errorf("Generate: %v", err)
		}
	}
	if _, err := FernetKey(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("FernetKey: %v", err)
	}
	if _, err := FernetKey(strings.NewReader("short")); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("FernetKey: %v", err)
	}
	for _, length := range []int{0, -1} {
		if _, err := Generate(rand.Reader, length); err == nil {
			t.Errorf("length %d is taken", length)
		}
	}
	if s, err := Generate(iotest.OneByteReader(rand.Reader), 32); err != nil || len(s.Reveal()) != 32 {
		t.Errorf("slow reader: %v", err)
	}
}
