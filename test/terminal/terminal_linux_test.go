package terminal_test

import (
	"os/exec"
	"testing"
	"time"

	"syncmaster-setup/test/terminal"
)

func TestShown(t *testing.T) {
	for _, c := range []struct{ written, text, window, coloured string }{
		{"a\r\nb\r\n", "a\nb\n", "a\nb\n", "a\nb\n"},
		{"1234\r\x1b[Kx", "x\n", "x\n", "x\n"},
		{"1234567\r\x1b[Kx", "12345\nx\n", "12345\nx\n", "12345\nx\n"}, // what had no room is not erased
		{"1234567", "12345\n67\n", "12345\n67\n", "12345\n67\n"},       // a long line goes on in the next one
		{"12345\r\n6", "12345\n6\n", "12345\n6\n", "12345\n6\n"},       // and a full one is only full
		{"1\r\n2\r\n3\r\n4", "1\n2\n3\n4\n", "2\n3\n4\n", "1\n2\n3\n4\n"},
		{"1\r\n2\r\n3\r\n4\x1b[Hx\x1b[K\r\n\x1b[J", "1\nx\n", "x\n", "1\nx\n"},
		{"1\r\n2\x1b[2J\x1b[H3", "3\n", "3\n", "3\n"},
		{"\x1b[32mok\x1b[0m!", "ok!\n", "ok!\n", "‹32›ok‹›!\n"},
		{"\x1b[3A\t", "\\x1b[3A\\t\n", "\\x1b[3A\\t\n", "\\x1b[3A\\t\n"},
	} {
		s := terminal.Shown(c.written, 5, 3)
		if s.Text() != c.text || s.Window() != c.window || s.Coloured() != c.coloured {
			t.Errorf("%q shows %q, in the window %q, in colours %q", c.written, s.Text(), s.Window(), s.Coloured())
		}
	}
}

func TestSession(t *testing.T) {
	s, err := terminal.Start(exec.Command("sh", "-c", `stty size; printf 'who? '; read -r name; echo "hello $name"; exit 3`), 40, 12)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Answer("who? = you\n", time.Minute); err != nil {
		t.Fatal(err)
	}
	code, err := s.Wait(time.Minute)
	if got := terminal.Shown(s.Written(), 40, 12).Text(); err != nil || code != 3 || got != "12 40\nwho? you\nhello you\n" {
		t.Errorf("ended with %d, %v: %q", code, err, got)
	}
	if s, err = terminal.Start(exec.Command("sleep", "60"), 40, 12); err != nil {
		t.Fatal(err)
	}
	if err := s.Type("\x03"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Wait(time.Minute); err == nil || err.Error() != "signal: interrupt" {
		t.Errorf("Ctrl-C ended it with %v", err)
	}
}
