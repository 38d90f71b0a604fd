package setup

import (
	"fmt"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/journal"
	"syncmaster-setup/internal/workdir"
)

// readJournal adds to what the folder holds the journal that a run has left, or keeps.
func (s *Setup) readJournal(w *world) {
	w.open, w.stopped, w.openErr = nil, "", nil
	text, exists, err := s.Dir.Journal()
	if err == nil && !exists {
		return
	}
	if err != nil {
		w.openErr = fault.New(fault.Refused, err, "make the file readable for you")
		return
	}
	record, err := journal.Parse([]byte(text))
	if err != nil {
		w.openErr = s.brokenJournal(err)
		return
	}
	w.open, w.stopped = &record, record.Interrupted()
	if last := len(record.Entries) - 1; w.stopped == "" && last >= 0 {
		w.stopped = "the end of: " + record.Entries[last].Step
	} else if w.stopped == "" {
		w.stopped = "its beginning"
	}
}

// brokenJournal is the error of a journal by which nobody can go on or back. Only a damaged disk or an editor makes one:
// it is always written as a whole.
func (s *Setup) brokenJournal(err error) error {
	file, log := s.Dir.File(workdir.StateDir+"/journal.json"), "the newest file in "+s.Dir.File(workdir.StateDir+"/logs")
	if logs, listErr := s.Dir.Logs(); listErr == nil && len(logs) > 0 {
		log = logs[len(logs)-1].Path
	}
	return fault.New(fault.Refused, err, fmt.Sprintf("how far it came stands in %s; put the journal aside: mv %s %s.broken; "+
		"then see what is wrong: syncmaster-setup doctor --dir %s; the backup that was made first comes back with: syncmaster-setup backup restore --dir %[4]s",
		log, file, file, s.Dir.Path()))
}
