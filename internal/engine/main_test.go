package engine_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/moby/client"

	"syncmaster-setup/internal/engine"
	"syncmaster-setup/internal/fault"
)

// testImage is the image of all containers of these tests: the static program of testdata/program.
const testImage = "smeng.localhost/program:1"

// childHost tells a child process of the tests to try a connection and say what came of it.
const childHost = "SMENG_CHILD_HOST"

// childImage tells a child process of the tests to ask how large the image with a digest of zeros is.
const childImage = "SMENG_CHILD_IMAGE"

// engineAPI is a plain client for looking at what the package under test has done, program the compiled program.
var (
	engineAPI *client.Client
	program   []byte
)

func TestMain(m *testing.M) {
	if host := os.Getenv(childHost); host != "" {
		_, err := engine.New(context.Background(), engine.Options{Host: host})
		_, _ = fmt.Fprintf(os.Stdout, "%v\n%v\n%d\n", err, fault.HintOf(err), fault.CodeOf(err))
		return
	}
	if ref := os.Getenv(childImage); ref != "" {
		e, err := engine.New(context.Background(), engine.Options{})
		if err != nil {
			log.Panicln(err)
		}
		_, _ = fmt.Fprintln(os.Stdout, e.DownloadBytes(context.Background(), map[string]string{ref: zeros}, here))
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "smeng")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }()
		err = prepare(ctx, dir)
	}
	if err != nil {
		log.Panicln("preparing the tests:", err)
	}
	defer func() {
		_, _ = engineAPI.ImageRemove(ctx, testImage, client.ImageRemoveOptions{Force: true, PruneChildren: true})
	}()
	m.Run()
}

// prepare compiles the program and makes its image. Without an engine that fails: these tests are about one.
func prepare(ctx context.Context, dir string) (err error) {
	if engineAPI, err = client.New(client.FromEnv); err != nil {
		return err
	}
	// The docker client looks once for its configuration; here it must not be the user's.
	if err := os.Setenv("DOCKER_CONFIG", filepath.Join(dir, "config")); err != nil {
		return err
	}
	binary := filepath.Join(dir, "program")
	build := exec.CommandContext(ctx, "go", "build", "-ldflags", "-s -w", "-o", binary, "./testdata/program")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("compiling the program: %w: %s", err, out)
	}
	if program, err = os.ReadFile(binary); err != nil {
		return err
	}
	return buildImage(ctx, testImage, "")
}

// buildImage makes an image of the program; more is appended to its Dockerfile.
func buildImage(ctx context.Context, tag, more string) error {
	dockerfile := "FROM scratch\nCOPY program /program\nENTRYPOINT [\"/program\"]\nCMD [\"serve\"]\n" + more
	result, err := engineAPI.ImageBuild(ctx, tarball(map[string][]byte{"Dockerfile": []byte(dockerfile), "program": program}),
		client.ImageBuildOptions{Tags: []string{tag}, Remove: true, ForceRemove: true})
	if err != nil {
		return err
	}
	defer func() { _ = result.Body.Close() }()
	out, err := io.ReadAll(result.Body)
	if err == nil && bytes.Contains(out, []byte("errorDetail")) {
		err = fmt.Errorf("building %s: %s", tag, out)
	}
	return err
}

func tarball(files map[string][]byte) *bytes.Buffer {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for name, content := range files {
		header := &tar.Header{Name: name, Mode: 0o755, Size: int64(len(content))}
		if err := w.WriteHeader(header); err != nil {
			panic(err)
		}
		if _, err := w.Write(content); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return &buf
}

func connect(t *testing.T) *engine.Engine {
	t.Helper()
	e, err := engine.New(t.Context(), engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// project writes a compose file, loads it under a name of its own and removes everything of it after the test.
func project(t *testing.T, e *engine.Engine, compose string) *types.Project {
	t.Helper()
	dir := t.TempDir()
	name := "smeng-" + strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
	t.Cleanup(func() { removeProject(t, e, name) })
	removeProject(t, e, name)
	return reload(t, dir, name, compose)
}

// running returns a project whose services were made and started.
func running(t *testing.T, compose string) (*engine.Engine, *types.Project) {
	t.Helper()
	e := connect(t)
	p := project(t, e, compose)
	must(t, e.Create(t.Context(), p, engine.CreateOptions{}))
	must(t, e.Start(t.Context(), p))
	return e, p
}

func reload(t *testing.T, dir, name, compose string) *types.Project {
	t.Helper()
	write(t, filepath.Join(dir, "docker-compose.yml"), compose)
	p, err := engine.Load(t.Context(), dir, name, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func removeProject(t *testing.T, e *engine.Engine, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	seen, err := e.Observe(ctx, name, nil)
	if err != nil {
		t.Error(err)
		return
	}
	for _, c := range seen.Containers {
		if _, err := engineAPI.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true}); err != nil {
			t.Error(err)
		}
	}
	if err := e.Remove(ctx, name); err != nil {
		t.Error(err)
	}
	for _, v := range seen.Volumes {
		if _, err := engineAPI.VolumeRemove(ctx, v.Name, client.VolumeRemoveOptions{}); err != nil {
			t.Error(err)
		}
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v\nhint: %s", err, fault.HintOf(err))
	}
}

// ids returns the container ID of each service.
func ids(t *testing.T, e *engine.Engine, project string) map[string]string {
	t.Helper()
	seen, err := e.Observe(t.Context(), project, nil)
	must(t, err)
	out := make(map[string]string)
	for _, c := range seen.Containers {
		out[c.Service] = c.ID
	}
	return out
}
