package report

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"
)

// Plain writes one line for each finished step, note and warning, for pipes, logs and dumb terminals.
type Plain struct {
	mu  sync.Mutex
	out io.Writer
}

// NewPlain returns a reporter that writes to out.
func NewPlain(out io.Writer) *Plain { return &Plain{out: out} }

// Report writes the event's line. A failed write is dropped: losing a progress line must not end an install.
func (p *Plain) Report(e Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if line := plainLine(e); line != "" {
		_, _ = fmt.Fprintln(p.out, line)
	}
}

// JSON writes one object a line for every event; docs/output.md describes the fields.
type JSON struct {
	mu  sync.Mutex
	enc *json.Encoder
}

// NewJSON returns a reporter that writes NDJSON to out.
func NewJSON(out io.Writer) *JSON { return &JSON{enc: json.NewEncoder(out)} }

// Report writes the event's object. A failed write is dropped for the reason [Plain.Report] gives.
func (j *JSON) Report(e Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	_ = j.enc.Encode(struct {
		Event   Kind    `json:"event"`
		Step    string  `json:"step,omitempty"`
		Index   int     `json:"index,omitempty"`
		Total   int     `json:"total,omitempty"`
		Seconds float64 `json:"seconds,omitempty"`
		Text    string  `json:"text,omitempty"`
		Bytes   int64   `json:"bytes,omitempty"`
		OfBytes int64   `json:"of_bytes,omitempty"`
	}{e.Kind, e.Step, e.Index, e.Total, seconds(e.Elapsed), e.Text, e.Bytes, e.OfBytes})
}

func plainLine(e Event) string {
	switch e.Kind {
	case StepDone:
		return fmt.Sprintf("[%*d/%d] %s  %s", digits(e.Total), e.Index, e.Total, e.Step, duration(e.Elapsed))
	case StepFailed:
		return fmt.Sprintf("[%*d/%d] %s  failed after %s", digits(e.Total), e.Index, e.Total, e.Step, duration(e.Elapsed))
	case Note:
		return "note: " + e.Text
	case Warning:
		return "warning: " + e.Text
	case StepStarted, Progress:
		return ""
	}
	return ""
}

func digits(n int) int { return len(fmt.Sprint(n)) }

func seconds(d time.Duration) float64 {
	return float64(d.Round(time.Millisecond)) / float64(time.Second)
}

func duration(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}
