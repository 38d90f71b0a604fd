package engine_test

import (
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

// zeros is a digest that no registry has.
var zeros = "sha256:" + strings.Repeat("0", 64)

func TestDownloadBytes(t *testing.T) {
	t.Parallel()
	e := connect(t)
	r := startRegistry(t)
	attestation := r.push(t, "attestation", "unknown", 5<<20)
	attestation.Platform = map[string]string{"os": "unknown", "architecture": "unknown"}
	r.index(t, "two", attestation, r.push(t, "arm64", "arm64", 2<<20), r.push(t, "amd64", "amd64", 1<<20, 3<<20))
	r.push(t, "single", runtime.GOARCH, 1<<20)
	r.twice(t, "twice", r.blob(layerType, []byte("a layer that two instructions have made")))

	for platform, tag := range map[string]string{"linux/amd64": "amd64", "linux/arm64": "arm64", "linux/arm64/v8": "arm64"} {
		got := e.DownloadBytes(t.Context(), map[string]string{r.ref("two"): r.digest("two"), r.ref("twice"): r.digest("twice")}, platform)
		want := map[string]int64{r.ref("two"): r.bytes(t, tag), r.ref("twice"): r.bytes(t, "twice")}
		if !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", platform, got, want)
		}
	}
	if two := r.bytes(t, "amd64"); two < 4<<20 || two > 5<<20 {
		t.Errorf("layers of 4 MiB make %d bytes", two)
	}
	digest, err := e.CheckPull(t.Context(), r.ref("single"), here)
	must(t, err)
	if got := e.DownloadBytes(t.Context(), map[string]string{r.ref("single"): digest}, here); got[r.ref("single")] != r.bytes(t, "single") {
		t.Errorf("one manifest: %v, want %d", got, r.bytes(t, "single"))
	}
	for layer := range r.blobs {
		if n := r.asked("smeng/app/blobs/" + layer); n > 1 { // the engine reads a configuration to learn its platform
			t.Errorf("%s was asked for %d times", layer, n)
		}
	}
}

// TestDownloadBytesWithCredentials uses what the docker client knows, as a pull does, and gives it to no other server.
func TestDownloadBytesWithCredentials(t *testing.T) {
	for name, tokens := range map[string]bool{"basic": false, "token": true} {
		t.Run(name, func(t *testing.T) {
			r, other := startRegistry(t), startRegistry(t)
			r.tokens, r.password, other.password = tokens, "secret of "+name, "another secret"
			r.push(t, "private", runtime.GOARCH, 1<<10)
			other.push(t, "moved", runtime.GOARCH, 1<<10)
			r.redirects["smeng/app/manifests/"+other.digest("moved")] = strings.Replace(other.address, "127.0.0.1", "localhost", 1) // another name: Go takes ports of one for the same server
			asked := map[string]string{r.ref("private"): r.digest("private"), r.ref("moved"): other.digest("moved")}
			if got := connect(t).DownloadBytes(t.Context(), asked, here); len(got) != 0 {
				t.Errorf("without credentials: %v", got)
			}
			logIn(t, r)
			e := connect(t)
			must(t, checked(e.CheckPull(t.Context(), r.ref("private"), here)))
			got, want := e.DownloadBytes(t.Context(), asked, here), map[string]int64{r.ref("private"): r.bytes(t, "private")}
			if !maps.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			if n := other.asked("smeng/app/manifests/" + other.digest("moved")); n == 0 || other.seen != 0 {
				t.Errorf("of %d requests to another server %d carried credentials", n, other.seen)
			}
		})
	}
}

// TestDownloadBytesUnknown leaves out what cannot be told, and waits for it a short while.
func TestDownloadBytesUnknown(t *testing.T) {
	t.Parallel()
	e := connect(t)
	r := startRegistry(t)
	r.push(t, "known", runtime.GOARCH, 1<<10)
	r.push(t, "broken", runtime.GOARCH, 1<<10)
	r.cut("smeng/app/manifests/"+r.digest("broken"), 1000)
	r.push(t, "forged", runtime.GOARCH, 1<<10)
	r.manifests[r.digest("forged")] = r.manifests["known"]
	r.index(t, "foreign", r.push(t, "other", otherArch, 1<<10))
	r.manifest("artifact", manifestType, []byte(`{"schemaVersion":2}`))
	r.manifest("negative", manifestType, []byte(`{"config":{"digest":"`+zeros+`","size":-1}}`))
	r.index(t, "nonsense", descriptor{MediaType: manifestType, Digest: "nonsense", Platform: map[string]string{"os": "linux", "architecture": runtime.GOARCH}})
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = silent.Close() })

	asked := map[string]string{
		r.ref("known"):                           r.digest("known"),
		r.ref("gone"):                            zeros,
		r.ref("mistold"):                         "sha256:0",
		silent.Addr().String() + "/app:1":        zeros,
		freeAddress(t) + "/app:1":                zeros,
		"registry.smeng.invalid/app:1":           zeros,
		strings.Repeat("no reference:", 2) + "/": zeros,
	}
	for _, tag := range []string{"broken", "forged", "foreign", "artifact", "negative", "nonsense"} {
		asked[r.ref(tag)] = r.digest(tag)
	}
	began := time.Now()
	got, want := e.DownloadBytes(t.Context(), asked, here), map[string]int64{r.ref("known"): r.bytes(t, "known")}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("it took %s", took)
	}
	if got := e.DownloadBytes(t.Context(), asked, "amd64"); len(got) != 0 {
		t.Errorf("for a platform without a system: %v", got)
	}
}

// TestDownloadBytesWithoutTrust asks registries as the engine does: on loopback it wants no certificate, elsewhere it does.
func TestDownloadBytesWithoutTrust(t *testing.T) {
	t.Parallel()
	e := connect(t)
	r := startRegistry(t)
	r.push(t, "here", runtime.GOARCH, 1<<10)
	want := r.bytes(t, "here")
	secure := httptest.NewTLSServer(r)
	t.Cleanup(secure.Close)
	outside := httptest.NewUnstartedServer(r)
	outside.Listener = listenOutside(t)
	outside.Start()
	t.Cleanup(outside.Close)
	ref := func(address string) string { return address + "/smeng/app:here" }
	unknownCertificate, plain := ref(secure.Listener.Addr().String()), ref(outside.Listener.Addr().String())
	got := e.DownloadBytes(t.Context(), map[string]string{
		unknownCertificate: r.digest("here"), plain: r.digest("here"), ref(strings.Replace(r.address, "127.0.0.1", "localhost", 1)): r.digest("here"),
	}, here)
	if got[unknownCertificate] != want || got[plain] != 0 || len(got) != 2 {
		t.Errorf("got %v, want %d for %s and for localhost", got, want, unknownCertificate)
	}
}

// listenOutside listens on an address that is not a loopback.
func listenOutside(t *testing.T) net.Listener {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	must(t, err)
	for _, a := range addresses {
		if a, isIP := a.(*net.IPNet); isIP && a.IP.To4() != nil && !a.IP.IsLoopback() {
			listener, err := net.Listen("tcp", a.IP.String()+":0")
			must(t, err)
			return listener
		}
	}
	t.Fatal("this machine has no address")
	return nil
}

// TestDownloadBytesThroughAProxy runs in a process of its own, since the environment's proxy is read once.
func TestDownloadBytesThroughAProxy(t *testing.T) {
	t.Parallel()
	wanted := make(chan string, 100)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wanted <- r.Method + " " + r.Host
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(proxy.Close)
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childImage+"=registry.smeng.invalid/app:1", "HTTPS_PROXY="+proxy.URL, "NO_PROXY=")
	out, err := child.CombinedOutput()
	if err != nil || string(out) != "map[]\n" {
		t.Errorf("%v: %s", err, out)
	}
	select {
	case got := <-wanted:
		if got != "CONNECT registry.smeng.invalid:443" {
			t.Errorf("the proxy was asked for %s", got)
		}
	default:
		t.Error("the proxy was not asked")
	}
}

// twice puts an image under a tag that names one layer two times.
func (r *registry) twice(t *testing.T, tag string, layer descriptor) {
	t.Helper()
	config := r.blob(configType, []byte(`{"os":"linux"}`))
	r.manifest(tag, manifestType, marshal(t, map[string]any{"schemaVersion": 2, "mediaType": manifestType, "config": config, "layers": []descriptor{layer, layer}}))
}

// digest is that of the manifest under a tag.
func (r *registry) digest(tag string) string { return digestOf(r.manifests[tag].content) }

// bytes adds up the files that the manifest under a tag names.
func (r *registry) bytes(t *testing.T, tag string) (sum int64) {
	t.Helper()
	var m struct {
		Config descriptor
		Layers []descriptor
	}
	must(t, json.Unmarshal(r.manifests[tag].content, &m))
	files := map[string]bool{m.Config.Digest: true}
	for _, layer := range m.Layers {
		files[layer.Digest] = true
	}
	for digest := range files {
		sum += int64(len(r.blobs[digest]))
	}
	return sum
}
