package cli

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"syncmaster-setup/internal/config"
	"syncmaster-setup/internal/envfile"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/setup"
)

// printDevUp writes where database and broker are, and what to do with them.
func (p *program) printDevUp(c *cli.Context, r setup.Result) error {
	if p.json {
		return printJSON(p.streams.Out, devJSON{"ok", r.Version, r.Revision, r.Project, r.Dir, r.Changed, r.Database, r.Broker, r.API, r.UI, r.Services, r.NoWorker, r.Seconds})
	}
	state := fmt.Sprintf("ready after %.1f s", r.Seconds)
	if !r.Changed {
		state = "ready; nothing had to be changed"
	}
	in := ""
	if base := devBase(c); base != "." {
		in = " --dir " + filepath.Dir(r.Dir)
	}
	what, next := "Database and broker are", "Next, in the checkout, to run server, scheduler and worker:\n  eval \"$(syncmaster-setup dev env"+in+" --shell)\"\n"
	addresses := ""
	if whole := len(r.Services) > 2; whole { // more than database and broker
		what, next = "SyncMaster is", ""
		addresses = detail("UI", r.UI) + detail("API", r.API) + detail("running", strings.Join(r.Services, ", "))
		if r.NoWorker {
			next = "The worker has no queue to serve yet. Create one in the UI, then type this again, with --source and --queue SLUG.\n"
		}
	}
	return p.print("%s %s.\n\n%s"+
		"  database   %s  revision %s, for SyncMaster %s\n"+
		"  broker     %s\n"+
		"  project    %s\n"+
		"  folder     %s\n\n%s",
		what, state, addresses, r.Database, r.Revision, r.Version, r.Broker, r.Project, r.Dir, next)
}

// detail is a value with its name, or nothing where there is none.
func detail(name, value string) string {
	if value == "" {
		return ""
	}
	return fmt.Sprintf("  %-10s %s\n", name, value)
}

func (p *program) printDevDown(removed []string) error {
	if p.json {
		if removed == nil {
			removed = []string{}
		}
		return printJSON(p.streams.Out, devDownJSON{"ok", removed})
	}
	if len(removed) == 0 {
		return p.print("Nothing of this environment was there; nothing had to be changed.\n")
	}
	return p.print("Removed %s.\n", strings.Join(removed, ", "))
}

// printDevEnv writes settings with their secrets, which is what the command is for.
func (p *program) printDevEnv(settings []config.Setting, shell bool) error {
	if p.json {
		values := map[string]string{}
		for _, s := range settings {
			values[s.Name] = s.Value.Reveal()
		}
		return printJSON(p.streams.Out, devEnvJSON{"ok", values})
	}
	var b strings.Builder
	for _, s := range settings {
		if shell {
			fmt.Fprintf(&b, "export %s='%s'\n", s.Name, strings.ReplaceAll(s.Value.Reveal(), "'", `'\''`))
			continue
		}
		value, err := envfile.Quote(s.Value.Reveal())
		if err != nil {
			return fault.New(fault.BadInput, fmt.Errorf("writing %s: %w", s.Name, err), "")
		}
		fmt.Fprintf(&b, "%s=%s\n", s.Name, value)
	}
	return p.print("%s", b.String())
}
