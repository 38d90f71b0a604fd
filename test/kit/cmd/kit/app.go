package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"syncmaster-setup/test/kit"
)

const usage = `kit makes images for tests and the demo: PostgreSQL, RabbitMQ, a registry and SyncMaster stand-ins.

  kit build [--only GROUP,...]                     make the images whose inputs have changed
  kit list                                         show the kit's images on this engine
  kit registry up [--port N] [--name N] [IMAGE...] start a registry on 127.0.0.1, push the images, print its address
  kit registry down [--name N]                     remove the registry and what it holds
  kit clean                                        remove the kit's registries, images and cache

IMAGE is a reference without the kit's prefix, such as postgres:17; none means all that an installation can ask for.
The cache is a folder named by ` + kit.CacheVariable + `, or by --cache before the command.
`

// run executes one command line. Results go to out, progress to log.
func run(ctx context.Context, args []string, out, log io.Writer) error {
	top := flag.NewFlagSet("kit", flag.ContinueOnError)
	cache := top.String("cache", "", "folder for what is kept between builds")
	top.Usage = func() { _, _ = io.WriteString(top.Output(), usage) } // help that cannot be written helps nobody
	if err := top.Parse(args); err != nil {
		return ignoreHelp(err)
	}
	if *cache != "" {
		if err := os.Setenv(kit.CacheVariable, *cache); err != nil {
			return fmt.Errorf("setting the cache folder: %w", err)
		}
	}
	switch args = top.Args(); {
	case len(args) >= 1 && args[0] == "build":
		return build(ctx, args[1:], log)
	case len(args) == 1 && args[0] == "list":
		return list(ctx, out)
	case len(args) >= 2 && args[0] == "registry" && args[1] == "up":
		return registryUp(ctx, args[2:], out, log)
	case len(args) >= 2 && args[0] == "registry" && args[1] == "down":
		return registryDown(ctx, args[2:])
	case len(args) == 1 && args[0] == "clean":
		return kit.Clean(ctx, log)
	}
	return errors.New("unknown command, see kit --help")
}

func build(ctx context.Context, args []string, log io.Writer) error {
	f := flag.NewFlagSet("kit build", flag.ContinueOnError)
	only := f.String("only", "", "comma-separated groups: "+strings.Join(kit.Groups, ", ")+"; "+kit.Majors+" is made only where it is named")
	if err := f.Parse(args); err != nil {
		return ignoreHelp(err)
	}
	if *only == "" {
		return kit.Build(ctx, log)
	}
	return kit.Build(ctx, log, strings.Split(*only, ",")...)
}

func list(ctx context.Context, out io.Writer) error {
	images, err := kit.List(ctx)
	if err != nil {
		return err
	}
	for _, i := range images {
		if _, err := fmt.Fprintf(out, "%-62s %7.1f MB  %s\n", i.Tag, float64(i.Size)/1e6, i.Hash); err != nil {
			return fmt.Errorf("writing the list: %w", err)
		}
	}
	return nil
}

func registryUp(ctx context.Context, args []string, out, log io.Writer) error {
	f := flag.NewFlagSet("kit registry up", flag.ContinueOnError)
	port := f.Uint("port", 0, "host port, 0 for a free one")
	name := f.String("name", kit.RegistryName, "name of the container")
	if err := f.Parse(args); err != nil {
		return ignoreHelp(err)
	}
	if *port > 65535 {
		return errors.New("--port must be 0 to 65535")
	}
	addr, err := kit.StartRegistry(ctx, log, *name, uint16(*port), f.Args()...)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, addr); err != nil {
		return fmt.Errorf("writing the address: %w", err)
	}
	return nil
}

func registryDown(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("kit registry down", flag.ContinueOnError)
	name := f.String("name", kit.RegistryName, "name of the container")
	if err := f.Parse(args); err != nil {
		return ignoreHelp(err)
	}
	return kit.RemoveRegistry(ctx, *name)
}

// ignoreHelp makes a request for help a success.
func ignoreHelp(err error) error {
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	return err
}
