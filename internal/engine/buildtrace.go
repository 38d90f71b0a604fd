package engine

import (
	"encoding/json"
	"fmt"
	"strings"

	control "github.com/moby/buildkit/api/services/control"
	"github.com/moby/moby/api/types/jsonstream"
	"google.golang.org/protobuf/proto"
)

// stepRunes of a step's command are shown.
const stepRunes = 100

// trace follows a build by what BuildKit tells of its steps.
type trace struct {
	progress func(step string)
	image    string            // its ID, at the end
	steps    map[string]string // by digest
	told     map[string]bool
	said     map[string]*tail
	failed   string // the step's digest
}

func newTrace(progress func(step string)) *trace {
	if progress == nil {
		progress = func(string) {}
	}
	return &trace{progress: progress, steps: map[string]string{}, told: map[string]bool{}, said: map[string]*tail{}}
}

func (t *trace) message(m jsonstream.Message) error {
	if m.Aux == nil {
		return nil
	}
	switch m.ID {
	case "moby.image.id":
		var image struct{ ID string }
		if err := json.Unmarshal(*m.Aux, &image); err != nil {
			return fmt.Errorf("reading the ID of the image: %w", err)
		}
		t.image = image.ID
	case "moby.buildkit.trace":
		var packed []byte
		var status control.StatusResponse
		if err := json.Unmarshal(*m.Aux, &packed); err != nil {
			return fmt.Errorf("reading the progress: %w", err)
		}
		if err := proto.Unmarshal(packed, &status); err != nil {
			return fmt.Errorf("reading the progress: %w", err)
		}
		t.status(&status)
	}
	return nil
}

func (t *trace) status(s *control.StatusResponse) {
	for _, v := range s.GetVertexes() {
		t.steps[v.GetDigest()] = stepName(v.GetName())
		if v.GetStarted() != nil && !v.GetCached() && !t.told[v.GetDigest()] {
			t.told[v.GetDigest()] = true
			t.progress(t.steps[v.GetDigest()])
		}
		if v.GetError() != "" && !strings.Contains(v.GetError(), "context canceled") { // of those that another one has ended
			t.failed = v.GetDigest()
		}
	}
	for _, line := range s.GetLogs() {
		said, has := t.said[line.GetVertex()]
		if !has {
			said = &tail{}
			t.said[line.GetVertex()] = said
		}
		_, _ = said.Write(line.GetMsg()) // keeps it in memory
	}
}

// output returns what the step that failed has written.
func (t *trace) output() string {
	if said, has := t.said[t.failed]; has {
		return said.String()
	}
	return ""
}

// failedStep is a step of a Dockerfile that ended a build; without a name the build did not come that far.
type failedStep struct {
	step string
	err  error
}

func (f *failedStep) Error() string {
	if f.step == "" {
		return f.err.Error()
	}
	return f.step + ": " + f.err.Error()
}

func (f *failedStep) Unwrap() error { return f.err }

// needsRegistry reports whether the step only asks a registry for an image.
func (f *failedStep) needsRegistry() bool {
	return strings.Contains(f.step, "load metadata for") || strings.HasPrefix(f.step, "resolve image config for")
}

// stepName is a step's command on one line.
func stepName(name string) string {
	runes := []rune(strings.Join(strings.Fields(name), " "))
	if len(runes) > stepRunes {
		return string(runes[:stepRunes-1]) + "…"
	}
	return string(runes)
}
