package setup

import (
	"cmp"
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
	unlock, err := s.Lock("render", s.Now())
	if err != nil {
		return RenderResult{}, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	w, err := s.look(asked)
	if err != nil {
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
	result = RenderResult{Version: w.release.Version, Dir: w.dir, Written: []string{}}
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
	if err := r.save(cmp.Or(r.state.Phase, workdir.Installing)); err != nil {
		return nil, err
	}
	return r.Dir.WriteProject(texts)
}

// generation returns the files to keep as rendered: where the user's own Compose file stays in place, what we would
// have written.
func (r *run) generation(texts map[string]string) map[string]string {
	kept := r.last[workdir.ComposeFile]
	if r.installed && kept != "" && r.files.Compose == r.texts[workdir.ComposeFile] {
		texts = map[string]string{workdir.EnvFile: texts[workdir.EnvFile], workdir.AppEnvFile: texts[workdir.AppEnvFile], workdir.ComposeFile: kept}
	}
	return texts
}
