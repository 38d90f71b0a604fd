package setup

import (
	"fmt"
	"path/filepath"
	"slices"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/workdir"
)

// checkFolder refuses a folder whose files this install neither wrote nor may replace.
func (w world) checkFolder(p *fault.Problems) {
	if w.writable != nil {
		p.Add(w.writable.Error(), "choose a folder that you may write to with --dir")
	}
	p.Merge(w.checkJournal("init"))
	if !w.installed {
		w.checkForeignFiles(p)
		return
	}
	if w.asked.Dev != w.state.Options.Dev {
		w.refuseOtherKind(p)
		return
	}
	if !w.options.Dev && w.options.Version != w.state.Version {
		p.Add(fmt.Sprintf("release %s is installed in %s, not %s", w.state.Version, w.dir, w.options.Version),
			"init does not change the release; to a newer one: syncmaster-setup upgrade --to "+w.options.Version)
	}
	if w.options.Project != w.state.Project {
		p.Add(fmt.Sprintf("the project in %s is named %q: under another name its data would seem to be gone", w.dir, w.state.Project),
			"run init without --project-name")
	}
	if (!w.asked.DatabaseURL.Empty()) && !w.state.Options.ExternalDatabase {
		p.Add("this install has a database of its own", "to move its data to another one, dump and restore it first; run init without --database-url")
	}
	if (!w.asked.BrokerURL.Empty()) && !w.state.Options.ExternalBroker {
		p.Add("this install has a broker of its own", "run init without --broker-url")
	}
	if key, _ := w.fernetKey(); key != w.recorded(fernetSetting) && w.recorded(fernetSetting).Reveal() != "" {
		p.Add("init never changes "+fernetSetting+": the stored credentials could not be read any more", "run it without that --set")
	}
	if w.state.Phase == workdir.Installing {
		return // the generation has every file that a killed run has not put into place
	}
	for _, name := range []string{workdir.EnvFile, workdir.AppEnvFile, workdir.ComposeFile} {
		if _, exists := w.texts[name]; !exists {
			kept := filepath.Join(workdir.StateDir, "generations", fmt.Sprintf("%04d", w.state.Generation), name)
			p.Add(fmt.Sprintf("%s is missing in %s", name, w.dir), fmt.Sprintf("put back what was written last: cd %s && cp -p %s %s", w.dir, kept, name))
		}
	}
}

// checkForeignFiles refuses a folder without a state that holds files of the names that init writes.
func (w world) checkForeignFiles(p *fault.Problems) {
	_, env := w.texts[workdir.EnvFile]
	_, app := w.texts[workdir.AppEnvFile]
	_, compose := w.texts[workdir.ComposeFile]
	if key, has := w.value(workdir.AppEnvFile, fernetSetting); app && has && key != "" {
		p.Add(fmt.Sprintf("%s in %s holds an encryption key, but this folder has no install of syncmaster-setup: the key may be the only one that opens stored credentials", workdir.AppEnvFile, w.dir),
			"use an empty folder with --dir; to go on with this key, put it into the environment and add: --set "+fernetSetting)
		return
	}
	for _, f := range []struct {
		name   string
		exists bool
	}{{workdir.ComposeFile, compose}, {workdir.EnvFile, env}, {workdir.AppEnvFile, app}} {
		if f.exists {
			p.Add(fmt.Sprintf("%s exists in %s and was not written by syncmaster-setup: another project uses this folder", f.name, w.dir),
				"use an empty folder with --dir")
		}
	}
}

// checkJournal refuses while another operation than the one that asks has not come to its end.
func (w world) checkJournal(operation string) error {
	first := w.open != nil && !slices.Contains(moves, w.open.Operation) // init goes on with it
	if w.open == nil || first && operation == "init" {
		return nil
	}
	if first {
		return fault.New(fault.Refused, fmt.Errorf("a run in %s was interrupted at: %s", w.dir, w.stopped),
			"let it end first: syncmaster-setup "+w.continueWith())
	}
	if w.open.Backward {
		return fault.New(fault.Refused, fmt.Errorf("an operation in %s has not come to its end: %s was being taken back, from: %s", w.dir, w.open.Operation, w.stopped),
			fmt.Sprintf("go on with the way back: syncmaster-setup abort --dir %s; syncmaster-setup resume does the same", w.dir))
	}
	return fault.New(fault.Refused, fmt.Errorf("an operation in %s has not come to its end: %s was interrupted at: %s", w.dir, w.open.Operation, w.stopped),
		fmt.Sprintf("go on with: syncmaster-setup resume --dir %s; or go back with: syncmaster-setup abort --dir %s", w.dir, w.dir))
}
