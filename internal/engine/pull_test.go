package engine_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/client"

	"syncmaster-setup/internal/engine"
	"syncmaster-setup/internal/fault"
)

var (
	here      = "linux/" + runtime.GOARCH
	otherArch = map[bool]string{true: "amd64", false: "arm64"}[runtime.GOARCH == "arm64"]
)

func TestPull(t *testing.T) {
	e := connect(t)
	r := startRegistry(t)
	r.index(t, "two", r.push(t, "amd64", "amd64", 1<<20, 3<<20), r.push(t, "arm64", "arm64", 2<<20))
	r.push(t, "single", runtime.GOARCH, 2<<20)
	refs := []string{r.ref("two"), r.ref("single")}
	removeImages(t, refs...)

	for _, ref := range refs {
		must(t, checked(e.CheckPull(t.Context(), ref, here)))
	}
	var seen []engine.PullProgress
	must(t, e.Pull(t.Context(), refs, here, func(p engine.PullProgress) { seen = append(seen, p) }))

	observed, err := e.Observe(t.Context(), "smeng-nothing", refs)
	must(t, err)
	for _, ref := range refs {
		image, ok := observed.Images[ref]
		if !ok || image.Architecture != runtime.GOARCH || len(image.RepoDigests) != 1 || !strings.HasPrefix(image.RepoDigests[0], r.address+"/smeng/app@sha256:") {
			t.Errorf("%s: %+v", ref, image)
		}
		checkProgress(t, ref, seen)
	}
	last := seen[len(seen)-1]
	if last.AllDone != last.AllTotal || last.AllTotal < 4<<20 {
		t.Errorf("at the end %+v", last)
	}
	must(t, e.Pull(t.Context(), refs, here, nil))
}

// checkProgress looks at the reports of one image: they rise to a full total and end with done.
func checkProgress(t *testing.T, ref string, all []engine.PullProgress) {
	t.Helper()
	var seen []engine.PullProgress
	for _, p := range all {
		if p.Ref == ref {
			seen = append(seen, p)
		}
		if p.Done > p.Total || p.AllDone > p.AllTotal || p.Done > p.AllDone {
			t.Errorf("impossible progress %+v", p)
		}
	}
	last := seen[len(seen)-1]
	if last.Phase != engine.PhaseDone || last.Done != last.Total || last.Total < 1<<20 {
		t.Errorf("%s ended as %+v", ref, last)
	}
	if !slices.ContainsFunc(seen, func(p engine.PullProgress) bool { return p.Phase == engine.PhaseDownloading && p.Done > 0 }) {
		t.Errorf("%s never reported a download", ref)
	}
	if !slices.IsSortedFunc(seen, func(a, b engine.PullProgress) int { return int(a.Done - b.Done) }) {
		t.Errorf("%s went backwards", ref)
	}
}

func TestCredentialsOfTheDockerClient(t *testing.T) {
	r := startRegistry(t)
	r.password = "secret in the config"
	r.push(t, "private", runtime.GOARCH, 1<<10)
	removeImages(t, r.ref("private"))
	err := connect(t).Pull(t.Context(), []string{r.ref("private")}, here, nil)
	if !errors.Is(err, engine.ErrUnauthorized) {
		t.Errorf("without credentials: %v", err)
	}
	logIn(t, r)
	e := connect(t)
	must(t, checked(e.CheckPull(t.Context(), r.ref("private"), here)))
	must(t, e.Pull(t.Context(), []string{r.ref("private")}, here, nil))
}

// logIn gives the docker client the registry's password.
func logIn(t *testing.T, r *registry) {
	t.Helper()
	auth := base64.StdEncoding.EncodeToString([]byte("smeng:" + r.password))
	clientConfig(t, `{"auths":{"`+r.address+`":{"auth":"`+auth+`"}}}`)
}

// TestPullSurvivesACutConnection cuts a layer once, which the engine itself repeats after five seconds, and the
// manifest twice, which it does not.
func TestPullSurvivesACutConnection(t *testing.T) {
	t.Parallel()
	e := connect(t)
	r := startRegistry(t)
	r.push(t, "cut", runtime.GOARCH, 2<<20)
	removeImages(t, r.ref("cut"))
	layer := largest(r)
	r.cut("smeng/app/blobs/"+layer, 1)
	r.cut("smeng/app/manifests/cut", 2)
	retries := 0
	must(t, e.Pull(t.Context(), []string{r.ref("cut")}, here, func(p engine.PullProgress) {
		if p.Phase == engine.PhaseRetrying {
			retries++
		}
	}))
	if retries == 0 || r.asked("smeng/app/blobs/"+layer) < 2 {
		t.Errorf("%d retries, the layer was asked for %d times", retries, r.asked("smeng/app/blobs/"+layer))
	}
}

func TestPullGivesUp(t *testing.T) {
	t.Parallel()
	e := connect(t)
	r := startRegistry(t)
	r.push(t, "cut", runtime.GOARCH, 1<<10)
	r.cut("smeng/app/manifests/cut", 1000)
	tries := 0
	err := e.Pull(t.Context(), []string{r.ref("cut")}, here, func(p engine.PullProgress) {
		if p.Phase == engine.PhaseWaiting {
			tries++
		}
	})
	if !errors.Is(err, engine.ErrRegistryUnreachable) || tries != 3 {
		t.Errorf("after %d tries: %v", tries, err)
	}
}

func TestPullEndsWithItsContext(t *testing.T) {
	t.Parallel()
	e := connect(t)
	r := startRegistry(t)
	r.push(t, "cancelled", runtime.GOARCH, 1<<20)
	r.cut("smeng/app/blobs/"+largest(r), 1000)
	ctx, cancel := context.WithCancel(t.Context())
	err := e.Pull(ctx, []string{r.ref("cancelled")}, here, func(p engine.PullProgress) {
		if p.Phase == engine.PhaseDownloading {
			cancel()
		}
	})
	cancel()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want cancelled", err)
	}
}

func TestUnpullable(t *testing.T) {
	t.Parallel()
	e := connect(t)
	r := startRegistry(t)
	r.push(t, "foreign", otherArch, 1<<10)
	r.index(t, "foreignlist", r.push(t, "hidden", otherArch, 1<<10))
	r.status["smeng/app/manifests/secret"] = http.StatusUnauthorized
	r.status["smeng/app/manifests/denied"] = http.StatusForbidden
	tests := []struct {
		ref  string
		want error
	}{
		{r.ref("absent"), engine.ErrNoImage},
		{r.address + "/smeng/nothing:1", engine.ErrNoImage},
		{r.ref("secret"), engine.ErrUnauthorized},
		{r.ref("denied"), engine.ErrUnauthorized},
		{r.ref("foreign"), engine.ErrPlatform},
		{r.ref("foreignlist"), engine.ErrPlatform},
		{freeAddress(t) + "/smeng/app:1", engine.ErrRegistryUnreachable},
		{"registry.smeng.invalid/app:1", engine.ErrRegistryUnreachable},
	}
	for _, tt := range tests {
		t.Run(tt.ref[strings.LastIndex(tt.ref, "/")+1:], func(t *testing.T) {
			removeImages(t, tt.ref)
			if err := checked(e.CheckPull(t.Context(), tt.ref, here)); !errors.Is(err, tt.want) || fault.HintOf(err) == "" {
				t.Errorf("CheckPull: %v, want %v with a hint", err, tt.want)
			}
			if errors.Is(tt.want, engine.ErrRegistryUnreachable) {
				return // TestPullGivesUp waits for the retries
			}
			if err := e.Pull(t.Context(), []string{tt.ref}, here, nil); !errors.Is(err, tt.want) || fault.HintOf(err) == "" {
				t.Errorf("Pull: %v, want %v with a hint", err, tt.want)
			}
		})
	}
	if err := e.Pull(t.Context(), nil, "amd64", nil); fault.CodeOf(err) != fault.BadInput {
		t.Errorf("a platform without a system: %v", err)
	}
}

func largest(r *registry) (digest string) {
	for d, content := range r.blobs {
		if len(content) > len(r.blobs[digest]) {
			digest = d
		}
	}
	return digest
}

// removeImages removes images now and after the test.
func removeImages(t *testing.T, refs ...string) {
	t.Helper()
	remove := func() {
		for _, ref := range refs {
			_, _ = engineAPI.ImageRemove(context.Background(), ref, client.ImageRemoveOptions{Force: true, PruneChildren: true})
		}
	}
	remove()
	t.Cleanup(remove)
}

// checked is the error of a check, which also wants a digest where there is none.
func checked(digest string, err error) error {
	if err == nil && !strings.HasPrefix(digest, "sha256:") {
		return fmt.Errorf("the digest is %q", digest)
	}
	return err
}
