package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/consts"
	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/compose/v5/pkg/api"

	"syncmaster-setup/internal/fault"
)

// Load reads the Compose project of a folder as `docker compose` does there: the compose file and its override by
// Compose's default names, .env for interpolation, env_file resolved into the environment. It needs no engine.
//
// name is the project's name; empty for COMPOSE_PROJECT_NAME of .env. profiles nil means COMPOSE_PROFILES of .env.
// Where .env and the process environment disagree, .env wins: the folder alone decides what runs. Variables of the
// process named COMPOSE_… are not read. Services of other profiles are in DisabledServices.
//
// A file that Compose refuses is bad input.
func Load(ctx context.Context, dir, name string, profiles []string) (*types.Project, error) {
	silence()
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("finding the folder %s: %w", dir, err)
	}
	files, err := composeFiles(dir)
	if err != nil {
		return nil, err
	}
	environment, err := environment(dir)
	if err != nil {
		return nil, err
	}
	if name == "" {
		name = environment[consts.ComposeProjectName]
	}
	project, err := load(ctx, dir, name, files, environment, profiles)
	if err != nil {
		return nil, fault.New(fault.BadInput, fmt.Errorf("reading the Compose project in %s: %w", dir, err),
			"see what `docker compose config` says in that folder")
	}
	return project, nil
}

// LoadAhead reads the project that [Load] will read in dir once the compose file, .env and env files that lie in folder
// have come into place there. The override file is the one in dir.
func LoadAhead(ctx context.Context, dir, folder string, profiles []string) (*types.Project, error) {
	silence()
	files, err := composeFiles(dir)
	if err != nil {
		return nil, err
	}
	base := files[0]
	env, err := environment(folder)
	if err != nil {
		return nil, err
	}
	files[0] = filepath.Join(folder, filepath.Base(base))
	project, err := read(ctx, dir, env[consts.ComposeProjectName], files, env, profiles)
	if err != nil {
		return nil, fmt.Errorf("reading the Compose project in %s: %w", folder, err)
	}
	project.ComposeFiles[0] = base
	for _, service := range project.AllServices() {
		for i, file := range service.EnvFiles {
			ahead := filepath.Join(folder, filepath.Base(file.Path))
			if _, err := os.Stat(ahead); err == nil && filepath.Dir(file.Path) == dir {
				service.EnvFiles[i].Path = ahead // the slice is the project's own
			}
		}
	}
	return finish(project)
}

func load(ctx context.Context, dir, name string, files []string, env types.Mapping, profiles []string) (*types.Project, error) {
	project, err := read(ctx, dir, name, files, env, profiles)
	if err != nil {
		return nil, err
	}
	return finish(project)
}

// read is load without what only creation needs.
func read(ctx context.Context, dir, name string, files []string, env types.Mapping, profiles []string) (*types.Project, error) {
	options, err := cli.NewProjectOptions(files,
		cli.WithWorkingDirectory(dir),
		func(o *cli.ProjectOptions) error { o.Environment = env; return nil },
		cli.WithoutEnvironmentResolution,
		cli.WithDefaultProfiles(profiles...),
		cli.WithName(name),
	)
	if err != nil {
		return nil, err
	}
	project, err := options.LoadProject(ctx)
	if err != nil {
		return nil, masked(err)
	}
	return project, nil
}

// finish makes every enabled service of a loaded project ready for creation. env_file is resolved and dropped, or the
// hash would cover its absolute path (compose-sdk.md, pitfall 1); build is dropped, or a failed pull would be swallowed
// (pitfall 10; neither is hashed); the labels are those by which every Compose finds its containers. It may be applied
// again after more services were enabled.
func finish(project *types.Project) (*types.Project, error) {
	project, err := project.WithServicesEnvironmentResolved(true)
	if err != nil {
		return nil, masked(err)
	}
	for name, service := range project.Services {
		service.Build = nil
		service.CustomLabels = map[string]string{
			api.ProjectLabel:     project.Name,
			api.ServiceLabel:     name,
			api.VersionLabel:     api.ComposeVersion,
			api.WorkingDirLabel:  project.WorkingDir,
			api.ConfigFilesLabel: strings.Join(project.ComposeFiles, ","),
			api.OneoffLabel:      "False",
		}
		project.Services[name] = service
	}
	return project, nil
}

// composeFiles returns the compose file of a folder and its override, by Compose's default names and in their order of
// precedence. Unlike Compose it does not look into parent folders.
func composeFiles(dir string) ([]string, error) {
	base, err := firstOf(dir, cli.DefaultFileNames)
	if err != nil {
		return nil, err
	}
	if base == "" {
		return nil, fault.New(fault.BadInput, fmt.Errorf("reading the Compose project in %s: there is no docker-compose.yml", dir),
			"go to the install folder or name it with --dir")
	}
	override, err := firstOf(dir, cli.DefaultOverrideFileNames)
	if err != nil {
		return nil, err
	}
	if override == "" {
		return []string{base}, nil
	}
	return []string{base, override}, nil
}

func firstOf(dir string, names []string) (string, error) {
	for _, name := range names {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		} else if !os.IsNotExist(err) {
			return "", fmt.Errorf("looking for %s: %w", path, err)
		}
	}
	return "", nil
}

// environment is what the compose files are interpolated with.
func environment(dir string) (types.Mapping, error) {
	process := types.Mapping{}
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		if name != "" && !strings.HasPrefix(name, "COMPOSE_") {
			process[name] = value
		}
	}
	env := types.Mapping{}
	path := filepath.Join(dir, ".env")
	if _, err := os.Stat(path); err == nil {
		values, err := dotenv.GetEnvFromFile(process, []string{path})
		if err != nil {
			return nil, fault.New(fault.BadInput, fmt.Errorf("reading %s: %w", path, masked(err)), "correct that line; a value with quotes or spaces needs quotes around it")
		}
		env.Merge(values)
	} else if !os.IsNotExist(err) {
		return nil, fmt.Errorf("reading %s: %w", path, withoutPath(err))
	}
	return env.Merge(process), nil
}

// quotedValue is where compose-go's messages about an env file, or a value with a stray $ in a compose file, begin to
// quote it.
var quotedValue = regexp.MustCompile(`(?s)(line \d+: (?:unterminated quoted value|unexpected character|key cannot contain a space)|to escape any \$ with another \$\.).*`)

// masked is an error about a file without the text that it quotes: that may be a password.
func masked(err error) error {
	if text := quotedValue.ReplaceAllString(err.Error(), "$1"); text != err.Error() {
		return errors.New(text)
	}
	return err
}

// withoutPath is the cause of a file error, for messages that name the path themselves.
func withoutPath(err error) error {
	if e, ok := err.(*fs.PathError); ok { //nolint:errorlint // os returns it unwrapped
		return e.Err
	}
	return err
}
