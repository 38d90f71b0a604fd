package engine_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/moby/client"

	"syncmaster-setup/internal/engine"
	"syncmaster-setup/internal/fault"
)

// sample has build sections as SyncMaster's has, and some that it does not have.
const sample = `
services:
  server: &server
    image: mtsrus/syncmaster-server:${VERSION:-develop}
    build:
      dockerfile: docker/Dockerfile.server
      context: .
      target: prod
      args: {GIVEN: here, PYTHON: "${PYTHON:-3.13}", FROM_OUTSIDE: , NOWHERE: }
    env_file: missing.env
    profiles: [server]
  migrations: *server
  plain:
    image: x
  default:
    build: sub
  gone:
    build: {dockerfile: docker/Dockerfile.gone}
  outside:
    build: {context: sub, dockerfile: ../docker/Dockerfile.server}
  secret:
    build: {context: sub, secrets: [token], dockerfile_inline: "FROM x"}
secrets:
  token: {file: token}
`

func checkoutOf(t *testing.T, compose string, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "docker-compose.yml"), compose)
	for name, content := range files {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o750))
		write(t, filepath.Join(dir, name), content)
	}
	return dir
}

func TestBuilds(t *testing.T) {
	dir := checkoutOf(t, sample, map[string]string{"docker/Dockerfile.server": "FROM x", "sub/Dockerfile": "FROM x", ".env": "PYTHON=3.14\n"})
	t.Setenv("FROM_OUTSIDE", "value")
	builds, err := engine.Builds(t.Context(), dir, "server", "migrations", "default")
	must(t, err)
	server := builds["server"]
	if server.Context != dir || server.Dockerfile != "docker/Dockerfile.server" || server.Target != "prod" {
		t.Errorf("got %+v", server)
	}
	args := server.Args.ToMapping()
	if len(server.Args) != 3 || args["GIVEN"] != "here" || args["PYTHON"] != "3.14" || args["FROM_OUTSIDE"] != "value" {
		t.Errorf("the arguments are %v", args)
	}
	if d := builds["default"]; d.Context != filepath.Join(dir, "sub") || d.Dockerfile != "Dockerfile" || builds["migrations"].Target != "prod" {
		t.Errorf("got %+v", builds)
	}

	_, err = engine.Builds(t.Context(), dir, "plain", "nobody", "gone", "outside", "secret")
	if fault.CodeOf(err) != fault.BadInput {
		t.Fatalf("got %v", err)
	}
	for _, part := range []string{"has no build section for the service plain", "for the service nobody", "the Dockerfile of gone is missing: " + dir + "/docker/Dockerfile.gone",
		`the Dockerfile of outside, "../docker/Dockerfile.server", is not below its context`, "the build section of secret has dockerfile_inline, secrets"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %v", part, err)
		}
	}
	if _, err := engine.Builds(t.Context(), t.TempDir(), "server"); fault.CodeOf(err) != fault.BadInput {
		t.Errorf("without a compose file: %v", err)
	}
}

// section is a build of a context that holds what the Dockerfile says.
func section(t *testing.T, dockerfile string, files map[string]string) types.BuildConfig {
	t.Helper()
	all := map[string]string{"Dockerfile": dockerfile, "file": rand.Text()} // no build before this one is in the cache
	for name, content := range files {
		all[name] = content
	}
	return types.BuildConfig{Context: checkoutOf(t, "", all), Dockerfile: "Dockerfile"}
}

func TestBuild(t *testing.T) {
	e := connect(t)
	value := "argument"
	build := section(t, "FROM "+testImage+" AS base\nARG WORD\nLABEL word=$WORD\nFROM base AS prod\nCOPY --chmod=755 . /all/\nFROM prod AS test\nCOPY nothing /\n",
		map[string]string{".dockerignore": "*.log\n", "drop.log": "x", "hidden/keys": "secret"})
	build.Target, build.Args = "prod", types.MappingWithEquals{"WORD": &value}
	options := engine.BuildOptions{Labels: map[string]string{"of": "test"}, Hidden: filepath.Join(build.Context, "hidden")}
	var steps []string
	options.Progress = func(step string) { steps = append(steps, step) }
	id, said, err := e.Build(t.Context(), build, options)
	must(t, err)
	const ref = "smeng.localhost/built:1"
	removeImages(t, ref)
	must(t, e.Tag(t.Context(), id, ref))
	seen, err := engineAPI.ImageInspect(t.Context(), ref)
	must(t, err)
	if seen.ID != id || seen.Config.Labels["of"] != "test" || seen.Config.Labels["word"] != value || said != "" {
		t.Errorf("got %s with %v, said %q", id, seen.Config.Labels, said)
	}
	if !slices.ContainsFunc(steps, func(s string) bool { return strings.HasPrefix(s, "[prod 1/1] COPY --chmod=755") }) {
		t.Errorf("the steps are %v", steps)
	}
	if again, _, err := e.Build(t.Context(), build, options); err != nil || again != id {
		t.Errorf("the same again gives %s, %v", again, err)
	}
	for path, want := range map[string]bool{"/all/file": true, "/all/drop.log": false, "/all/hidden/keys": false} {
		if content, has := fileIn(t, ref, path); has != want || has && len(content) != len(rand.Text()) {
			t.Errorf("%s: %v %q", path, has, content)
		}
	}

	write(t, filepath.Join(build.Context, "file"), "edited")
	edited, _, err := e.Build(t.Context(), build, options)
	must(t, err)
	must(t, e.Tag(t.Context(), edited, ref))
	must(t, e.RemoveUnused(t.Context(), []string{id, edited, id}))
	if _, err := engineAPI.ImageInspect(t.Context(), id); err == nil || edited == id {
		t.Errorf("the replaced image is still there: %v", err)
	}
	if seen, err := engineAPI.ImageInspect(t.Context(), ref); err != nil || seen.ID != edited {
		t.Errorf("the new image is %v, %v", seen.ID, err)
	}
}

// fileIn reads a file of an image.
func fileIn(t *testing.T, ref, path string) (string, bool) {
	t.Helper()
	p := reload(t, t.TempDir(), "smeng-filein", "services: {x: {image: '"+ref+"', command: [cat, '"+path+"']}}")
	e := connect(t)
	defer removeProject(t, e, "smeng-filein")
	exit, err := e.RunOneOff(t.Context(), p, "x")
	must(t, err)
	return exit.Tail, exit.Code == 0
}

func TestBuildFails(t *testing.T) {
	e := connect(t)
	for _, tc := range []struct{ name, dockerfile, err, said string }{
		{"a step", "FROM " + testImage + " AS prod\nRUN [\"/program\", \"exit\", \"7\"]\n", `[2/2] RUN ["/program", "exit", "7"]`, "on stderr\n"},
		{"a file that is not there", "FROM " + testImage + "\nCOPY nothing /\n", "COPY nothing /", ""},
		{"a word", "FROM " + testImage + "\nRUMP x\n", "unknown instruction: RUMP", ""},
	} {
		id, said, err := e.Build(t.Context(), section(t, tc.dockerfile, nil), engine.BuildOptions{})
		if err == nil || !strings.Contains(err.Error(), tc.err) || !strings.Contains(said, tc.said) || id != "" {
			t.Errorf("%s: got %v, said %q", tc.name, err, said)
		}
	}
	_, _, err := e.Build(t.Context(), section(t, "FROM smeng.localhost:1/none:1\n", nil), engine.BuildOptions{})
	if !strings.Contains(fault.HintOf(err), "docker pull") {
		t.Errorf("a base image that cannot be had: %v, hint %q", err, fault.HintOf(err))
	}
	unreadable := section(t, "FROM "+testImage+"\n", map[string]string{".dockerignore": "[a-"})
	if _, _, err := e.Build(t.Context(), unreadable, engine.BuildOptions{}); !strings.Contains(fault.HintOf(err), ".dockerignore") {
		t.Errorf("a context that cannot be sent: %v, hint %q", err, fault.HintOf(err))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancelAt := engine.BuildOptions{Progress: func(step string) {
		if strings.Contains(step, "60000") {
			cancel()
		}
	}}
	if _, _, err := e.Build(ctx, section(t, "FROM "+testImage+"\nCOPY file /\nRUN [\"/program\", \"exit\", \"0\", \"60000\"]\n", nil), cancelAt); !errors.Is(err, context.Canceled) {
		t.Errorf("a build that is ended: %v", err)
	}
}

// TestBuildWithoutBuildKit asks the engine's other builder, through a proxy that changes the question.
func TestBuildWithoutBuildKit(t *testing.T) {
	if !strings.HasPrefix(engineAPI.DaemonHost(), "unix://") {
		t.Fatal("this test needs an engine behind a socket")
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", strings.TrimPrefix(engineAPI.DaemonHost(), "unix://"))
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Transport: &http.Transport{DialContext: dial},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", "engine"
			query := r.Out.URL.Query()
			query.Del("version")
			query.Set("t", "smeng.localhost/classic:1")
			r.Out.URL.RawQuery = query.Encode()
		},
	})
	t.Cleanup(proxy.Close)
	e, err := engine.New(t.Context(), engine.Options{Host: strings.Replace(proxy.URL, "http://", "tcp://", 1)})
	must(t, err)
	t.Cleanup(func() { _ = e.Close() })
	removeImages(t, "smeng.localhost/classic:1")
	_, _, err = e.Build(t.Context(), section(t, "FROM "+testImage+"\nCOPY file /\n", nil), engine.BuildOptions{})
	if !errors.Is(err, engine.ErrNoBuildKit) || !strings.Contains(fault.HintOf(err), "20.10") {
		t.Errorf("got %v, hint %q", err, fault.HintOf(err))
	}
	if _, err := engineAPI.ImageRemove(t.Context(), "smeng.localhost/classic:1", client.ImageRemoveOptions{}); err != nil {
		t.Errorf("the other builder was not asked: %v", err)
	}
}
