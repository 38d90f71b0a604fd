package cli

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"syncmaster-setup/internal/backup"
	"syncmaster-setup/internal/config"
	"syncmaster-setup/internal/database"
	"syncmaster-setup/internal/engine"
	"syncmaster-setup/internal/release"
)

// values returns what may be the value of an option. Of a list with commas only the last word is being typed.
func (l *line) values(option, typed string) []candidate {
	switch option {
	case "version", "to", "release":
		return releases()
	case "profile":
		return after(typed[:strings.LastIndex(typed, ",")+1], config.Profiles)
	case "preset":
		return after("", []string{config.Local, config.Production})
	case "auth":
		return logins()
	case "output":
		return after("", []string{"text", "json"})
	case "dir", "source", "checkout":
		return folders
	case "env-file", "plan", "plan-out", "bundle":
		return files
	}
	return nil
}

// argumentValues returns what may be the next argument of a command.
func (l *line) argumentValues(ctx context.Context) []candidate {
	if l.command == "logs" {
		return l.services(ctx)
	}
	if len(l.arguments) > 0 {
		return nil
	}
	switch l.command {
	case "migrate upgrade":
		return append([]candidate{{"head", "the newest revision"}, {"+1", "one revision on"}}, revisions()...)
	case "migrate downgrade":
		return append([]candidate{{database.Base, "before the first revision"}}, revisions()...)
	case "migrate show", "migrate stamp":
		return append([]candidate{{"head", "the newest revision"}}, revisions()...)
	case "backup verify", "backup restore":
		return l.backups()
	}
	return nil
}

// steps returns the arguments that begin like an option.
func (l *line) steps() []candidate {
	if l.command == "migrate downgrade" && len(l.arguments) == 0 {
		return []candidate{{"-1", "one revision back"}}
	}
	return nil
}

func releases() []candidate {
	var list []candidate
	for _, r := range slices.Backward(release.Known()) {
		list = append(list, candidate{r.Version, "release of " + r.Date})
	}
	return list
}

func logins() []candidate {
	var list []candidate
	for _, provider := range release.Newest().AuthProviders() {
		list = append(list, candidate{value: provider.Name})
	}
	return list
}

// revisions returns the revisions, the newest first, and the releases that stand for one.
func revisions() []candidate {
	var list []candidate
	for _, r := range slices.Backward(database.Revisions()) {
		list = append(list, candidate{r.ID, r.Name + ", SyncMaster " + r.Since})
	}
	return append(list, releases()...)
}

// dir returns the install folder of the line.
func (l *line) dir() string {
	dir := cmp.Or(l.given["dir"], os.Getenv("SYNCMASTER_SETUP_DIR"))
	if below, home := strings.CutPrefix(dir, "~/"); home { // the shell has not replaced it yet
		if path, err := os.UserHomeDir(); err == nil {
			dir = filepath.Join(path, below)
		}
	}
	return dir
}

// backups returns those of the install, the newest first. A folder that cannot be read has none.
func (l *line) backups() []candidate {
	found, err := backup.In(filepath.Join(l.dir(), "backups")).List()
	if err != nil {
		return nil
	}
	list := make([]candidate, len(found.Backups))
	for i, m := range found.Backups {
		list[i] = candidate{m.Name, "SyncMaster " + m.Version + ", " + m.Reason}
	}
	return list
}

// services returns those of the install's Compose file that were not named yet. A folder that cannot be read has none.
func (l *line) services(ctx context.Context) []candidate {
	project, err := engine.Load(ctx, l.dir(), "", []string{"*"})
	if err != nil {
		return nil
	}
	names := slices.DeleteFunc(project.ServiceNames(), func(name string) bool { return slices.Contains(l.arguments, name) })
	return after("", names)
}

// after returns names behind what stands before them.
func after(before string, names []string) []candidate {
	list := make([]candidate, len(names))
	for i, name := range names {
		list[i] = candidate{value: before + name}
	}
	return list
}
