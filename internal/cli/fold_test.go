package cli

import (
	"slices"
	"testing"
)

func TestFolded(t *testing.T) {
	got := folded("12345\n123456\n\n"+red+"1234"+plain+"56é89\n", 5)
	want := []string{"12345", "12345", "6", "", red + "1234" + plain + "5", "6é89"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestHung(t *testing.T) {
	plan := " 1  write files        settings, keys and the Compose file in /srv/syncmaster\n" +
		"settings   A_VARIABLE=true is added (the frontend sends credentials, since 0.2.5)\n" +
		"    + A_LINE_OF_A_FILE=that is longer than the window, and what is behind it\n" +
		"      start what ran of release 0.2.4 and wait until it is healthy\n" +
		"short\n"
	want := " 1  write files        settings, keys and the\n" +
		"                       Compose file in\n" +
		"                       /srv/syncmaster\n" +
		"settings   A_VARIABLE=true is added (the\n" +
		"           frontend sends credentials, since\n" +
		"           0.2.5)\n" +
		"    + A_LINE_OF_A_FILE=that is longer than the window, and what is behind it\n" +
		"      start what ran of release 0.2.4 and wait\n" +
		"        until it is healthy\n" +
		"short\n"
	if got := hungAt(plan, 48); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if got := hungAt("a-word-that-is-longer-than-the-window and others\n", 10); got != "a-word-that-is-longer-than-the-window\n  and\n  others\n" {
		t.Errorf("got %q", got)
	}
	if got := hung(plan, nil); got != plan {
		t.Errorf("a pipe gets %q", got)
	}
}
