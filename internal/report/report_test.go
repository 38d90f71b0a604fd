package report

import (
	"strings"
	"testing"
	"time"
)

var events = []Event{
	{Kind: Note, Text: "port 8000 is held by nginx: the server gets 8001"},
	{Kind: StepStarted, Step: "pull 2 images", Index: 1, Total: 12},
	{Kind: Progress, Bytes: 5 << 20, OfBytes: 10 << 20},
	{Kind: StepDone, Step: "pull 2 images", Index: 1, Total: 12, Elapsed: 83 * time.Second},
	{Kind: Warning, Text: "careful"},
	{Kind: StepStarted, Step: "wait", Index: 2, Total: 12},
	{Kind: Progress, Text: "waiting for the broker"},
	{Kind: StepFailed, Step: "wait", Index: 2, Total: 12, Elapsed: 1500 * time.Millisecond},
}

func TestPlainWritesALineForWhatIsOver(t *testing.T) {
	var out strings.Builder
	p := NewPlain(&out)
	for _, e := range events {
		p.Report(e)
	}
	want := "note: port 8000 is held by nginx: the server gets 8001\n" +
		"[ 1/12] pull 2 images  1m23s\n" +
		"warning: careful\n" +
		"[ 2/12] wait  failed after 1.5s\n"
	if out.String() != want {
		t.Errorf("got:\n%swant:\n%s", out.String(), want)
	}
}

func TestVerboseWritesALineForEverything(t *testing.T) {
	var out strings.Builder
	clock := time.Date(2026, 1, 1, 23, 59, 59, 0, time.UTC)
	v := NewVerbose(&out)
	v.now = func() time.Time { return clock }
	for _, e := range events {
		v.Report(e)
	}
	v.Report(Event{Kind: StepStarted, Step: "back up", Why: "nothing is lost", Index: 3, Total: 12})
	v.Report(Event{Kind: Progress, Text: "dumped", Bytes: 1 << 20})
	v.Report(Event{Kind: Progress, Text: "dumped", Bytes: 2 << 20})
	v.Report(Event{Kind: Progress, Text: "checking the dump"})
	clock = clock.Add(time.Second)
	v.Report(Event{Kind: Progress, Text: "checking the dump"})
	want := `23:59:59 note: port 8000 is held by nginx: the server gets 8001
23:59:59 [ 1/12] pull 2 images
23:59:59   5.0 MiB of 10.0 MiB
23:59:59 [ 1/12] pull 2 images  1m23s
23:59:59 warning: careful
23:59:59 [ 2/12] wait
23:59:59   waiting for the broker
23:59:59 [ 2/12] wait  failed after 1.5s
23:59:59 [ 3/12] back up: nothing is lost
23:59:59   dumped  1.0 MiB
23:59:59   checking the dump
00:00:00   checking the dump
`
	if out.String() != want {
		t.Errorf("got:\n%swant:\n%s", out.String(), want)
	}
}

func TestJSONWritesAnObjectForEachEvent(t *testing.T) {
	var out strings.Builder
	j := NewJSON(&out)
	for _, e := range events[1:4] {
		j.Report(e)
	}
	want := `{"event":"step-started","step":"pull 2 images","index":1,"total":12}
{"event":"progress","bytes":5242880,"of_bytes":10485760}
{"event":"step-done","step":"pull 2 images","index":1,"total":12,"seconds":83}
`
	if out.String() != want {
		t.Errorf("got:\n%swant:\n%s", out.String(), want)
	}
}

// screen replays what a terminal of one line would show: the text after the last carriage return of each line.
func screen(raw string) []string {
	var lines []string
	for _, line := range strings.Split(raw, "\n") {
		parts := strings.Split(line, "\r\x1b[K")
		lines = append(lines, parts[len(parts)-1])
	}
	return lines
}

func TestTerminalLeavesOneLineAStepAndNeverWraps(t *testing.T) {
	for _, width := range []int{80, 20, 1} {
		var out strings.Builder
		terminal := &Terminal{out: &out, width: func() int { return width }, now: time.Now, stop: make(chan struct{})}
		for _, e := range events {
			terminal.Report(e)
			terminal.redraw()
		}
		for _, frame := range strings.Split(out.String(), "\r\x1b[K") {
			frame, _, _ = strings.Cut(frame, "\n")
			if strings.HasPrefix(frame, "›") && width > 15 && len([]rune(frame)) > width {
				t.Errorf("a line of %d columns in a window of %d: %q", len([]rune(frame)), width, frame)
			}
		}
		if width == 80 {
			got := strings.Join(screen(out.String()), "\n")
			want := "· port 8000 is held by nginx: the server gets 8001\n✓ pull 2 images  1m23s\n! careful\n✗ wait  1.5s\n"
			if got != want {
				t.Errorf("the screen shows:\n%s\nwant:\n%s", got, want)
			}
		}
	}
}

func TestBarFitsTheWindow(t *testing.T) {
	for width, want := range map[int]string{
		80: "› pull 2 images  ██████████░░░░░░░░░░ 5.0 MiB of 10.0 MiB  0.0s",
		50: "› pull 2 images  ██░░░ 5.0 MiB of 10.0 MiB  0.0s",
		48: "› pull 2 images  5.0 MiB of 10.0 MiB  0.0s",
		40: "› pull 2 images  50%  0.0s",
		20: "› pull 2 im…  0.0s",
	} {
		var out strings.Builder
		terminal := &Terminal{out: &out, width: func() int { return width }, now: func() time.Time { return time.Time{} }, stop: make(chan struct{})}
		for _, e := range events[1:3] {
			terminal.Report(e)
		}
		terminal.redraw()
		if got := screen(out.String()); got[len(got)-1] != want || len([]rune(want)) > width {
			t.Errorf("in %d columns: %q, want %q", width, got[len(got)-1], want)
		}
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1 << 30: "1.0 GiB", 5 << 50: "5120.0 TiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
