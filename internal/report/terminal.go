package report

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Terminal shows one line a step; the line of the step at work is redrawn in place with the elapsed time, what it
// waits for, and a bar where bytes are known.
type Terminal struct {
	mu    sync.Mutex
	out   io.Writer
	width func() int // columns of the window, asked at each redraw
	color bool
	now   func() time.Time

	current Event // the step at work; Index 0 between steps
	began   time.Time
	stop    chan struct{}
}

// NewTerminal returns a reporter for a terminal of width() columns. Close ends its redrawing.
func NewTerminal(out io.Writer, width func() int, color bool) *Terminal {
	t := &Terminal{out: out, width: width, color: color, now: time.Now, stop: make(chan struct{})}
	go t.tick()
	return t
}

// Close ends the redrawing and leaves the cursor on a fresh line.
func (t *Terminal) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.stop)
	if t.current.Index > 0 {
		t.write("\r\x1b[K")
	}
}

// Report draws the event.
func (t *Terminal) Report(e Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch e.Kind {
	case StepStarted:
		t.current, t.began = e, t.now()
		t.redraw()
	case Progress:
		t.current.Text, t.current.Bytes, t.current.OfBytes = e.Text, e.Bytes, e.OfBytes
	case StepDone, StepFailed:
		mark := t.paint("32", "✓")
		if e.Kind == StepFailed {
			mark = t.paint("31", "✗")
		}
		t.current = Event{}
		t.write("\r\x1b[K" + mark + " " + t.fit(e.Step, duration(e.Elapsed)) + "\n")
	case Note:
		t.write("\r\x1b[K" + t.paint("36", "·") + " " + e.Text + "\n")
		t.redraw()
	case Warning:
		t.write("\r\x1b[K" + t.paint("33", "!") + " " + e.Text + "\n")
		t.redraw()
	}
}

func (t *Terminal) tick() {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-t.stop:
			return
		case <-ticker.C:
			t.mu.Lock()
			t.redraw()
			t.mu.Unlock()
		}
	}
}

func (t *Terminal) redraw() {
	if t.current.Index == 0 {
		return
	}
	text, elapsed := t.current.Step, duration(t.now().Sub(t.began))
	if t.current.OfBytes > 0 {
		text += "  " + bar(t.current.Bytes, t.current.OfBytes, t.room(elapsed)-len([]rune(text))-2)
	}
	if t.current.Text != "" {
		text += "  " + t.current.Text
	}
	if t.current.OfBytes == 0 && t.current.Bytes > 0 {
		text += "  " + Bytes(t.current.Bytes)
	}
	t.write("\r\x1b[K" + t.paint("36", "›") + " " + t.fit(text, elapsed))
}

// fit puts the elapsed time behind text and cuts text so that the line never wraps: a wrapped line cannot be redrawn.
func (t *Terminal) fit(text, elapsed string) string {
	room := t.room(elapsed)
	if runes := []rune(text); room > 1 && len(runes) > room {
		text = string(runes[:room-1]) + "…"
	}
	return text + "  " + t.paint("2", elapsed)
}

// room is what the mark before a text and the elapsed time behind it leave.
func (t *Terminal) room(elapsed string) int { return t.width() - len(elapsed) - 6 }

func (t *Terminal) paint(code, text string) string {
	if !t.color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (t *Terminal) write(s string) { _, _ = io.WriteString(t.out, s) }

// bar shows how much is done; in a small room only the numbers do, or how much of a hundred.
func bar(done, total int64, room int) string {
	const most, least = 20, 5
	amount := Bytes(done) + " of " + Bytes(total)
	cells := min(room-len(amount)-1, most)
	switch {
	case len(amount) > room:
		return fmt.Sprintf("%d%%", min(done, total)*100/total)
	case cells < least:
		return amount
	}
	filled := int(min(done, total) * int64(cells) / total)
	return strings.Repeat("█", filled) + strings.Repeat("░", cells-filled) + " " + amount
}

// Bytes prints a size in powers of 1024, as Docker's users read it: "1.5 GiB".
func Bytes(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, i := float64(n)/unit, 0
	for value >= unit && i < 3 {
		value, i = value/unit, i+1
	}
	return fmt.Sprintf("%.1f %s", value, [...]string{"KiB", "MiB", "GiB", "TiB"}[i])
}
