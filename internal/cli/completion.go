package cli

import (
	"embed"
	"strings"

	"github.com/urfave/cli/v2"
)

// completionScripts are the halves of the completion that run in the shells; they ask __complete for candidates.
//
//go:embed completion
var completionScripts embed.FS

// completionShells says how each shell loads its script.
var completionShells = []struct{ name, load string }{
	{"bash", `echo 'eval "$(syncmaster-setup completion bash)"' >> ~/.bashrc`},
	{"zsh", `echo 'source <(syncmaster-setup completion zsh)' >> ~/.zshrc    # behind compinit`},
	{"fish", `syncmaster-setup completion fish > ~/.config/fish/completions/syncmaster-setup.fish`},
	{"powershell", `syncmaster-setup completion powershell >> $PROFILE`},
}

func (p *program) completionCommand() *cli.Command {
	c := &cli.Command{
		Name:            "completion",
		Usage:           "print the script that completes commands in a shell",
		HideHelpCommand: true,
		OnUsageError:    usageError,
		Action: func(c *cli.Context) error {
			if !c.Args().Present() {
				return cli.ShowSubcommandHelp(c)
			}
			return unknownCommand(c)
		},
	}
	examples := make([]string, len(completionShells))
	for i, shell := range completionShells {
		c.Subcommands = append(c.Subcommands, p.completionScript(shell.name, shell.load))
		examples[i] = shell.load
	}
	c.Description = "Example: " + strings.Join(examples, "\n         ") + `

Completes commands, options, releases, profiles, revisions, and the services and backups of an install; needs no
engine.

` + printExitCodes
	return c
}

func (p *program) completionScript(shell, load string) *cli.Command {
	return describe(&cli.Command{
		Name:  shell,
		Usage: "print the script for " + shell,
		Action: func(*cli.Context) error {
			script, err := completionScripts.ReadFile("completion/" + shell)
			if err != nil {
				return err
			}
			return p.print("%s", script)
		},
	}, "Example: "+load, printExitCodes)
}
