package kit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"
)

// CacheVariable names the folder that keeps the base system and the compiled stand-in between builds.
const CacheVariable = "SYNCMASTER_KIT_CACHE"

// builder makes images on one engine.
type builder struct {
	api     *client.Client
	log     io.Writer
	root    string // the checkout
	cache   string
	present map[string]Image // by tag
}

// target is a set of tags made from the same inputs.
type target struct {
	tags []string
	hash string
	make func(ctx context.Context, b *builder, t target) error
}

func newBuilder(log io.Writer) (*builder, error) {
	root, err := checkout()
	if err != nil {
		return nil, err
	}
	cache := cacheDir(root)
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, fmt.Errorf("making the kit's cache: %w", err)
	}
	api, err := client.New(client.FromEnv)
	if err != nil {
		return nil, fmt.Errorf("connecting to the engine: %w", err)
	}
	return &builder{api: api, log: log, root: root, cache: cache}, nil
}

func (b *builder) close() { _ = b.api.Close() } // idle connections only

// lock waits until no other process builds; the kernel drops the lock with its process.
func (b *builder) lock(ctx context.Context) (func() error, error) {
	f, err := os.OpenFile(filepath.Join(b.cache, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the kit's lock: %w", err)
	}
	for said := false; ; said = true {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f.Close, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("locking the kit's cache: %w", err), f.Close())
		}
		if !said {
			b.say("waiting for another build of the kit")
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("waiting for another build of the kit: %w", ctx.Err()), f.Close())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (b *builder) build(ctx context.Context, only []string) error {
	images, err := list(ctx, b.api)
	if err != nil {
		return err
	}
	b.present = map[string]Image{}
	for _, i := range images {
		b.present[i.Tag] = i
	}
	if len(only) == 0 {
		only = Groups
	}
	for _, group := range only {
		t, err := b.target(group)
		if err != nil {
			return err
		}
		if err := b.ensure(ctx, t); err != nil {
			return fmt.Errorf("building the %s images: %w", group, err)
		}
	}
	return nil
}

func (b *builder) target(group string) (target, error) {
	switch group {
	case "postgres":
		return debianTarget("postgres", baseTarget(), "postgres:17")
	case Majors:
		postgres, err := b.target("postgres")
		if err != nil {
			return target{}, err
		}
		return debianTarget(Majors, postgres, MajorsImage)
	case "rabbitmq":
		return debianTarget("rabbitmq", baseTarget(), "rabbitmq:4.2", "rabbitmq:4")
	case "registry":
		return debianTarget("registry", baseTarget(), "registry:2")
	default:
		return standinTarget(b.root)
	}
}

// ensure makes a target unless all of its tags carry its hash, and removes the images it replaces.
func (b *builder) ensure(ctx context.Context, t target) error {
	old := map[string]bool{}
	current := true
	for _, tag := range t.tags {
		if have, ok := b.present[tag]; !ok || have.Hash != t.hash {
			current = false
			if ok {
				old[have.ID] = true
			}
		}
	}
	if current {
		return nil
	}
	start := time.Now()
	if err := t.make(ctx, b, t); err != nil {
		return err
	}
	for _, tag := range t.tags { // another target may be built on it
		b.present[tag] = Image{Tag: tag, Hash: t.hash}
	}
	for id := range old {
		if _, err := b.api.ImageRemove(ctx, id, client.ImageRemoveOptions{PruneChildren: true}); err != nil {
			b.say("keeping the replaced image %.19s: %v", id, err) // a container still uses it
		}
	}
	b.say("made %s in %.1f s", describe(t.tags), time.Since(start).Seconds())
	return nil
}

func (b *builder) say(format string, args ...any) {
	_, _ = fmt.Fprintf(b.log, "kit: "+format+"\n", args...) // a lost progress line is no failure
}

// checkout returns the folder of go.mod, found upwards from the working directory.
func checkout() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the checkout: %w", err)
	}
	for {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(text, []byte("module syncmaster-setup\n")) {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("finding the checkout: no go.mod of syncmaster-setup in or above the working directory")
		}
		dir = parent
	}
}

func cacheDir(root string) string {
	if dir := os.Getenv(CacheVariable); dir != "" {
		return dir
	}
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(dir, "syncmaster-setup-kit")
	}
	return filepath.Join(root, ".cache", "kit")
}

func describe(tags []string) string {
	if len(tags) <= 2 {
		return fmt.Sprint(tags)
	}
	return fmt.Sprintf("%d images, %s to %s", len(tags), tags[0], tags[len(tags)-1])
}
