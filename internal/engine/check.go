package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/consts"
	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// Check reports why Compose would refuse the texts of a compose file and a .env that are not in dir yet, or nil. An
// override file that is in dir is read with them, and a compose file that is there is not. It needs no engine.
func Check(ctx context.Context, dir, compose, env string) error {
	silence()
	values, err := dotenv.UnmarshalWithLookup(env, nil)
	if err != nil {
		return fmt.Errorf("reading .env: %w", masked(err))
	}
	override, err := firstOf(dir, cli.DefaultOverrideFileNames)
	if err != nil {
		return err
	}
	details := types.ConfigDetails{
		WorkingDir:  dir,
		Environment: types.Mapping(values),
		ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(dir, "docker-compose.yml"), Content: []byte(compose)}},
	}
	if override != "" {
		content, err := os.ReadFile(override)
		if err != nil {
			return fmt.Errorf("reading %s: %w", override, withoutPath(err))
		}
		details.ConfigFiles = append(details.ConfigFiles, types.ConfigFile{Filename: override, Content: content})
	}
	_, err = loader.LoadWithContext(ctx, details, func(o *loader.Options) {
		o.SetProjectName(values[consts.ComposeProjectName], true)
		o.SkipResolveEnvironment = true // .env.docker is not written yet
		o.Profiles = []string{"*"}
	})
	if err != nil {
		return masked(err)
	}
	return nil
}
