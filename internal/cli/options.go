package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"syncmaster-setup/internal/config"
	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/secret"
)

// sharedFlags are those of every command that works on an install folder.
func (p *program) sharedFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "dir", Usage: "install folder", Value: ".", EnvVars: []string{"SYNCMASTER_SETUP_DIR"}},
		&cli.StringFlag{Name: "output", Usage: "text, or json for one object a line", Value: "text"},
		&cli.BoolFlag{Name: "no-color", Usage: "no colours; NO_COLOR with any value does the same"},
		&cli.BoolFlag{Name: "quiet", Usage: "no progress"},
		&cli.BoolFlag{Name: "verbose", Usage: "what each step is for and waits for, with the time of day"},
	}
}

// installFlags say what an install should be.
func installFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "version", Usage: "release of SyncMaster (default: the newest known)"},
		&cli.StringSliceFlag{Name: "profile", Usage: "what to run: server, scheduler, worker, frontend, all (default: all)"},
		&cli.StringFlag{Name: "preset", Usage: "local: for one person on this host; production: for others (default: local)"},
		&cli.StringFlag{Name: "project-name", Usage: "Compose project (default: syncmaster)"},
		&cli.StringSliceFlag{Name: "superuser", Usage: "user who gets the superuser role (default: admin with --preset local)"},
		&cli.StringFlag{Name: "auth", Usage: "login: dummy (any password!), keycloak, oauth2-gateway"},
		&cli.StringFlag{Name: "bind", Usage: "address that server and UI are published on (default: 127.0.0.1, production 0.0.0.0)"},
		&cli.StringFlag{Name: "server-port", Usage: "host port of the server (default: 8000 or the next free one)"},
		&cli.StringFlag{Name: "ui-port", Usage: "host port of the UI (default: 3000 or the next free one)"},
		&cli.StringFlag{Name: "db-port", Usage: "host port of the database on 127.0.0.1 (default: 5432 or the next free one)"},
		&cli.StringFlag{Name: "broker-port", Usage: "host port of the broker on 127.0.0.1 (default: 5672 or the next free one)"},
		&cli.StringFlag{Name: "public-url", Usage: "address of the API as browsers see it"},
		&cli.StringFlag{Name: "ui-url", Usage: "address of the UI as browsers see it"},
		&cli.StringFlag{Name: "registry", Usage: "registry, with a path where needed, that all images come from"},
		&cli.StringFlag{Name: "platform", Usage: "platform of the images, such as linux/amd64 (default: the engine's)"},
		&cli.StringFlag{Name: "timezone", Usage: "time zone of cron expressions (default: UTC)"},
		&cli.StringSliceFlag{Name: "queue", Usage: "slug of a queue that the worker serves; it exists once the queue was created in the UI"},
		&cli.StringSliceFlag{Name: "set", Usage: "a setting of the release, as NAME=VALUE, or NAME to take the value from the environment"},
		&cli.StringFlag{Name: "database-url", Usage: "use this PostgreSQL instead of a container", EnvVars: []string{"SYNCMASTER_SETUP_DATABASE_URL"}},
		&cli.StringFlag{Name: "broker-url", Usage: "use this RabbitMQ instead of a container", EnvVars: []string{"SYNCMASTER_SETUP_BROKER_URL"}},
		&cli.StringFlag{Name: "source", Usage: "SyncMaster checkout: adds its build sections to the Compose file"},
	}
}

// readShared takes the shared flags into the program.
func (p *program) readShared(c *cli.Context) error {
	switch c.String("output") {
	case "text":
	case "json":
		p.json = true
	default:
		return fault.New(fault.BadInput, fmt.Errorf("--output %q is neither text nor json", c.String("output")), "")
	}
	// no EnvVars: urfave/cli would refuse every value but true and false
	p.quiet, p.verbose, p.noColor = c.Bool("quiet"), c.Bool("verbose"), c.Bool("no-color") || os.Getenv("NO_COLOR") != ""
	if p.quiet && p.verbose {
		return fault.New(fault.BadInput, errors.New("--quiet and --verbose exclude each other"), "leave out one of them")
	}
	return swallowedOption(c)
}

// readInstall turns the flags into options. Every flag that cannot be read is reported.
func readInstall(c *cli.Context) (config.Options, error) {
	problems := &fault.Problems{Code: fault.BadInput}
	o := config.Options{
		Version: c.String("version"), Preset: c.String("preset"), Project: c.String("project-name"),
		Profiles: names(c, "profile"), Superusers: names(c, "superuser"), Auth: c.String("auth"),
		Bind: c.String("bind"), PublicURL: c.String("public-url"), UIURL: c.String("ui-url"),
		Registry: c.String("registry"), Platform: c.String("platform"), Timezone: c.String("timezone"),
		Queues: names(c, "queue"), Source: c.String("source"),
		DatabaseURL: secret.NewText(c.String("database-url")), BrokerURL: secret.NewText(c.String("broker-url")),
	}
	o.Ports = config.Ports{
		Server: readPort(c, "server-port", problems), UI: readPort(c, "ui-port", problems),
		Database: readPort(c, "db-port", problems), Broker: readPort(c, "broker-port", problems),
	}
	for _, text := range c.StringSlice("set") {
		name, value, given := strings.Cut(text, "=")
		if !given {
			value, given = os.LookupEnv(name)
		}
		if name == "" || !given {
			problems.Add(fmt.Sprintf("--set %s: neither a value nor a variable of that name in the environment", name),
				"write --set NAME=VALUE, or export NAME and write --set NAME")
			continue
		}
		o.Set = append(o.Set, config.Setting{Name: name, Value: secret.NewText(value)})
	}
	return o, problems.Err()
}

// names returns the values of a flag that may be repeated or given a list with commas.
func names(c *cli.Context, flag string) []string {
	var list []string
	for _, value := range c.StringSlice(flag) {
		for _, name := range strings.Split(value, ",") {
			list = append(list, strings.TrimSpace(name))
		}
	}
	return list
}

// readLimit returns the longest wait for one service.
func readLimit(c *cli.Context) (time.Duration, error) {
	limit := c.Duration("wait-timeout")
	if limit < time.Second {
		return 0, fault.New(fault.BadInput, fmt.Errorf("--wait-timeout %s is too short", limit), "give it a few minutes, like 5m")
	}
	return limit, nil
}

func readPort(c *cli.Context, flag string, problems *fault.Problems) uint16 {
	text := c.String(flag)
	if text == "" {
		return 0
	}
	var port int
	if _, err := fmt.Sscanf(text, "%d", &port); err != nil || fmt.Sprint(port) != text || port < 1 || port > 65535 {
		problems.Add(fmt.Sprintf("--%s %q is not a port from 1 to 65535", flag, text), "")
		return 0
	}
	return uint16(port)
}
