package setup

import (
	"errors"

	"syncmaster-setup/internal/config"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/workdir"
)

// RenderResult is what [Setup.Render] has written.
type RenderResult struct {
	Version string   `json:"version"`
	Dir     string   `json:"dir"`
	Written []string `json:"written"`
}

// Render writes the files of an install without asking an engine; a later Init goes on with them. Ports are the
// defaults, or those that were asked for.
func (s *Setup) Render(asked config.Options) (result RenderResult, err error) {
	unlock, err := s.Dir.Lock("render", s.Now())
	if err != nil {
		return RenderResult{}, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	w, err := s.observeFolder()
	if err != nil {
		return RenderResult{}, err
	}
	w.dir = s.Dir.Path()
	if err := w.recall(asked); err != nil {
		return RenderResult{}, err
	}
	if err := w.validate(); err != nil {
		return RenderResult{}, err
	}
	problems := &fault.Problems{Code: fault.Refused}
	w.checkFolder(problems)
	d, err := w.decide(s.Random, problems)
	if err != nil {
		return RenderResult{}, err
	}
	s.tell(d)
	r := &run{Setup: s, world: w, decision: d}
	result = RenderResult{Version: w.release.Version, Dir: w.dir}
	if d.writes {
		result.Written, err = r.putFiles()
	}
	return result, err
}

// putFiles keeps the rendered files as a generation, records that the install has begun, and puts them into place.
func (r *run) putFiles() ([]string, error) {
	texts := textsOf(r.files)
	r.state.Generation = r.lastGen + 1
	if err := r.Dir.SaveGeneration(r.state.Generation, r.generation(texts)); err != nil {
		return nil, err
	}
	phase := workdir.Installing
	if r.state.Phase == workdir.Installed {
		phase = workdir.Installed
	}
	if err := r.save(phase); err != nil {
		return nil, err
	}
	return r.Dir.WriteProject(texts)
}
