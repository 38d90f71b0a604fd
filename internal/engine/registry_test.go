package engine_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// registry is a small OCI registry with one repository, which can be told to misbehave.
type registry struct {
	address   string
	mu        sync.Mutex
	blobs     map[string][]byte
	manifests map[string]manifest // by tag and digest
	faults    map[string]int      // path → how many more requests are cut half-way
	status    map[string]int      // path → answer
	requests  map[string]int
	redirects map[string]string // path → address of another registry
	password  string            // of the user "smeng", where the registry wants one
	tokens    bool              // it wants a token instead, which that password gets
	seen      int               // requests with credentials of any kind
}

type manifest struct {
	mediaType string
	content   []byte
}

const (
	manifestType = "application/vnd.docker.distribution.manifest.v2+json"
	indexType    = "application/vnd.docker.distribution.manifest.list.v2+json"
	configType   = "application/vnd.docker.container.image.v1+json"
	layerType    = "application/vnd.docker.image.rootfs.diff.tar.gzip"
)

type descriptor struct {
	MediaType string            `json:"mediaType"`
	Size      int               `json:"size"`
	Digest    string            `json:"digest"`
	Platform  map[string]string `json:"platform,omitempty"`
}

func startRegistry(t *testing.T) *registry {
	t.Helper()
	r := &registry{
		blobs: map[string][]byte{}, manifests: map[string]manifest{},
		faults: map[string]int{}, status: map[string]int{}, requests: map[string]int{}, redirects: map[string]string{},
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	r.address = listener.Addr().String()
	server := &http.Server{Handler: r, ReadHeaderTimeout: 5 * time.Second, ErrorLog: log.New(&bytes.Buffer{}, "", 0)}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return r
}

// push puts an image for one architecture under a tag, with random layers of the given sizes, and returns the
// manifest's descriptor.
func (r *registry) push(t *testing.T, tag, arch string, layers ...int) descriptor {
	t.Helper()
	var diffIDs []string
	var described []descriptor
	for i, size := range layers {
		content := make([]byte, size)
		random := rand.NewChaCha8([32]byte{byte(i), byte(time.Now().UnixNano()), byte(time.Now().UnixNano() >> 8)})
		_, _ = random.Read(content)
		plain := tarOf(t, "file"+strconv.Itoa(i), content)
		diffIDs = append(diffIDs, digestOf(plain))
		described = append(described, r.blob(layerType, compress(t, plain)))
	}
	config := marshal(t, map[string]any{
		"architecture": arch, "os": "linux", "config": map[string]any{},
		"rootfs": map[string]any{"type": "layers", "diff_ids": diffIDs},
	})
	content := marshal(t, map[string]any{
		"schemaVersion": 2, "mediaType": manifestType, "config": r.blob(configType, config), "layers": described,
	})
	d := r.manifest(tag, manifestType, content)
	d.Platform = map[string]string{"os": "linux", "architecture": arch}
	return d
}

// index puts a list of manifests under a tag.
func (r *registry) index(t *testing.T, tag string, manifests ...descriptor) {
	t.Helper()
	r.manifest(tag, indexType, marshal(t, map[string]any{"schemaVersion": 2, "mediaType": indexType, "manifests": manifests}))
}

func (r *registry) ref(tag string) string { return r.address + "/smeng/app:" + tag }

func (r *registry) blob(mediaType string, content []byte) descriptor {
	digest := digestOf(content)
	r.blobs[digest] = content
	return descriptor{MediaType: mediaType, Size: len(content), Digest: digest}
}

func (r *registry) manifest(tag, mediaType string, content []byte) descriptor {
	digest := digestOf(content)
	r.manifests[tag] = manifest{mediaType, content}
	r.manifests[digest] = r.manifests[tag]
	return descriptor{MediaType: mediaType, Size: len(content), Digest: digest}
}

// cut makes the next requests for a path end half-way.
func (r *registry) cut(path string, times int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults[path] = times
}

func (r *registry) asked(path string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests[path]
}

func (r *registry) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	path := strings.TrimPrefix(request.URL.Path, "/v2/")
	r.mu.Lock()
	r.requests[path]++
	cut := r.faults[path] > 0
	if cut {
		r.faults[path]--
	}
	status := r.status[path]
	if request.Header.Get("Authorization") != "" {
		r.seen++
	}
	r.mu.Unlock()
	rest, isManifest := strings.CutPrefix(path, "smeng/app/manifests/")
	digest, isBlob := strings.CutPrefix(path, "smeng/app/blobs/")
	found, known := r.manifests[rest]
	switch {
	case status != 0:
		if status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Basic realm="smeng"`)
		}
		refuse(w, status, map[int]string{401: "UNAUTHORIZED", 403: "DENIED", 503: "UNAVAILABLE"}[status])
	case path == "/token":
		r.giveToken(w, request)
	case r.password != "" && !r.known(request):
		w.Header().Set("WWW-Authenticate", r.challenge())
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED")
	case r.redirects[path] != "":
		http.Redirect(w, request, "http://"+r.redirects[path]+request.URL.Path, http.StatusTemporaryRedirect)
	case path == "":
		w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	case isManifest && known:
		w.Header().Set("Content-Type", found.mediaType)
		w.Header().Set("Docker-Content-Digest", digestOf(found.content))
		serve(w, request, found.content, cut)
	case isBlob && r.blobs[digest] != nil:
		w.Header().Set("Content-Type", "application/octet-stream")
		serve(w, request, r.blobs[digest], cut)
	case isManifest:
		refuse(w, http.StatusNotFound, "MANIFEST_UNKNOWN")
	default:
		refuse(w, http.StatusNotFound, "NAME_UNKNOWN")
	}
}

// known reports whether a request carries the user "smeng" and the registry's password, or the token for them.
func (r *registry) known(request *http.Request) bool {
	if r.tokens {
		return request.Header.Get("Authorization") == "Bearer token of "+r.password
	}
	user, password, _ := request.BasicAuth()
	return user == "smeng" && password == r.password
}

func (r *registry) challenge() string {
	if r.tokens {
		return fmt.Sprintf(`Bearer realm="http://%s/token",service="smeng",scope="repository:smeng/app:pull"`, r.address)
	}
	return `Basic realm="smeng"`
}

// giveToken answers as token servers do: a GET with the password in its header, or a POST with it in a form.
func (r *registry) giveToken(w http.ResponseWriter, request *http.Request) {
	user, password, _ := request.BasicAuth()
	if request.Method == http.MethodPost {
		user, password = request.PostFormValue("username"), request.PostFormValue("password")
	}
	if user != "smeng" || password != r.password {
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"token":"token of %[1]s","access_token":"token of %[1]s","expires_in":60}`, password)
}

// serve answers with the content, or the range of it that is asked for.
func serve(w http.ResponseWriter, request *http.Request, content []byte, cut bool) {
	if !cut {
		http.ServeContent(w, request, "", time.Time{}, bytes.NewReader(content))
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	_, _ = w.Write(content[:len(content)/2])
	panic(http.ErrAbortHandler)
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"errors":[{"code":%q,"message":%q}]}`, code, strings.ToLower(strings.ReplaceAll(code, "_", " ")))
}

func tarOf(t *testing.T, name string, content []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	must(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}))
	_, err := w.Write(content)
	must(t, err)
	must(t, w.Close())
	return buf.Bytes()
}

func compress(t *testing.T, content []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	_, err := w.Write(content)
	must(t, err)
	must(t, w.Close())
	return buf.Bytes()
}

func marshal(t *testing.T, value any) []byte {
	t.Helper()
	out, err := json.Marshal(value)
	must(t, err)
	return out
}

func digestOf(content []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(content)) }
