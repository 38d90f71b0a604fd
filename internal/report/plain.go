package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
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

// EventJSON is the object of an event.
type EventJSON struct {
	Event   Kind    `json:"event"`
	Step    string  `json:"step,omitempty"`
	Why     string  `json:"why,omitempty"`
	Index   int     `json:"index,omitempty"`
	Total   int     `json:"total,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`
	Text    string  `json:"text,omitempty"`
	Bytes   int64   `json:"bytes,omitempty"`
	OfBytes int64   `json:"of_bytes,omitempty"`
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
	_ = j.enc.Encode(EventJSON{e.Kind, e.Step, e.Why, e.Index, e.Total, seconds(e.Elapsed), e.Text, e.Bytes, e.OfBytes})
}

// Verbose writes a line for everything that happens, with the time of day.
type Verbose struct {
	mu   sync.Mutex
	out  io.Writer
	now  func() time.Time
	last string    // the words of the last progress
	at   time.Time // of it
}

// NewVerbose returns a reporter that writes to out.
func NewVerbose(out io.Writer) *Verbose { return &Verbose{out: out, now: time.Now} }

// progressEvery bounds how often a line says the same with another amount.
const progressEvery = time.Second

// Report writes the event's line. A failed write is dropped for the reason [Plain.Report] gives.
func (v *Verbose) Report(e Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now, line := v.now(), plainLine(e)
	switch e.Kind {
	case StepStarted:
		line = fmt.Sprintf("[%*d/%d] %s", digits(e.Total), e.Index, e.Total, e.Step)
		if e.Why != "" {
			line += ": " + e.Why
		}
	case Progress:
		if e.Text == v.last && now.Sub(v.at) < progressEvery {
			return
		}
		v.last, v.at = e.Text, now
		line = "  " + strings.TrimSpace(e.Text+"  "+amount(e))
	case StepDone, StepFailed, Note, Warning:
	}
	_, _ = fmt.Fprintf(v.out, "%s %s\n", now.Format(time.TimeOnly), line)
}

// amount is what a progress counts.
func amount(e Event) string {
	switch {
	case e.OfBytes > 0:
		return Bytes(e.Bytes) + " of " + Bytes(e.OfBytes)
	case e.Bytes > 0:
		return Bytes(e.Bytes)
	}
	return ""
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
