package nearest

import "testing"

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"same", "same", 0}, {"inti", "init", 1}, {"vresion", "version", 1},
		{"upgrde", "upgrade", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3}, {"abcd", "badc", 2},
	} {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("from %q to %q are %d changes, want %d", test.a, test.b, got, test.want)
		}
		if got := distance(test.b, test.a); got != test.want {
			t.Errorf("from %q to %q are %d changes, want %d", test.b, test.a, got, test.want)
		}
	}
}

func TestWithin(t *testing.T) {
	words := []string{"init", "render", "reader"}
	for word, want := range map[string]string{"inti": "init", "rendre": "render", "readr": "reader", "status": "", "": ""} {
		if got := Within(word, words, 2); got != want {
			t.Errorf("%q was taken for %q, want %q", word, got, want)
		}
	}
}
