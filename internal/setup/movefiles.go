package setup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"syncmaster-setup/internal/report"
	"syncmaster-setup/internal/workdir"
)

// putNew puts the target's files in place, unless somebody has edited one of them since they were laid aside.
func (m *move) putNew(context.Context) error {
	if edited, err := m.edited(); err != nil || len(edited) > 0 {
		return errors.Join(err, wasEdited(edited))
	}
	if _, err := m.put(m.To); err != nil {
		return err
	}
	return m.standAt(m.To)
}

// putOld puts the files back that were found. One that somebody has edited since is kept beside.
func (m *move) putOld(context.Context) error {
	edited, err := m.edited()
	if err != nil {
		return err
	}
	for _, name := range edited {
		kept, err := m.Dir.KeepEdited(m.Now(), name)
		if err != nil {
			return err
		}
		m.Report.Report(report.Event{Kind: report.Warning, Text: fmt.Sprintf("%s was edited meanwhile: that is kept as %s, and the one from before is put back", name, kept)})
	}
	if _, err := m.put(m.From); err != nil {
		return err
	}
	return m.standAt(m.From)
}

// edited names the files that are neither as they were found nor as they will be.
func (m *move) edited() ([]string, error) {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(m.files[m.From.Generation])) {
		text, exists, err := m.Dir.Read(name)
		if err != nil {
			return nil, err
		}
		if name == workdir.ComposeFile && m.KeepCompose { // it is not written
			continue
		}
		if exists && text != m.files[m.From.Generation][name] && text != m.files[m.To.Generation][name] {
			list = append(list, name)
		}
	}
	return list, nil
}

func wasEdited(names []string) error {
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf("%s was edited while this command was at work", strings.Join(names, ", "))
}

// put writes the files of a stand, and leaves a Compose file alone that the user keeps.
func (m *move) put(at stand) ([]string, error) {
	texts := map[string]string{}
	for name, text := range m.files[at.Generation] {
		if name != workdir.ComposeFile || !m.KeepCompose {
			texts[name] = text
		}
	}
	return m.Dir.WriteProject(texts)
}

// record makes the target what is installed.
func (m *move) record(context.Context) error {
	m.To.State.Changed = m.Now().UTC().Truncate(time.Second)
	return m.Dir.SaveState(m.To.State)
}

func (m *move) unrecord(context.Context) error { return m.Dir.SaveState(m.From.State) }
