package kit

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"runtime"
	"time"

	"syncmaster-setup/test/kit/facts"
)

// layerFile is an entry of a layer: a folder (name ends in a slash), a link or a file.
type layerFile struct {
	name    string
	mode    int64
	owner   int
	link    string
	content []byte
}

// imageArchive is a tar of images in the form that the engine loads. Equal inputs give equal images.
type imageArchive struct {
	bytes.Buffer
	tar      *tar.Writer
	manifest []manifestEntry
}

type manifestEntry struct {
	Config   string
	RepoTags []string
	Layers   []string
}

func newImageArchive() *imageArchive {
	a := &imageArchive{}
	a.tar = tar.NewWriter(&a.Buffer)
	return a
}

// addLayer adds a layer and returns its digest in hexadecimal.
func (a *imageArchive) addLayer(files []layerFile) (string, error) {
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: f.mode, Uid: f.owner, Gid: f.owner, Size: int64(len(f.content)), Linkname: f.link}
		switch {
		case f.link != "":
			h.Typeflag, h.Mode = tar.TypeSymlink, 0o777
		case f.name[len(f.name)-1] == '/':
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return "", fmt.Errorf("packing %s: %w", f.name, err)
		}
		if _, err := w.Write(f.content); err != nil {
			return "", fmt.Errorf("packing %s: %w", f.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return "", fmt.Errorf("packing a layer: %w", err)
	}
	digest := fmt.Sprintf("%x", sha256.Sum256(layer.Bytes()))
	return digest, a.add(digest+".tar", layer.Bytes())
}

// addImage adds an image of layers that are in the archive.
func (a *imageArchive) addImage(tag string, config map[string]any, layers ...string) error {
	entry := manifestEntry{RepoTags: []string{tag}}
	diffs := make([]string, len(layers))
	for i, digest := range layers {
		entry.Layers = append(entry.Layers, digest+".tar")
		diffs[i] = "sha256:" + digest
	}
	text, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux", "created": "2026-01-01T00:00:00Z", "config": config,
		"rootfs": map[string]any{"type": "layers", "diff_ids": diffs},
	})
	if err != nil {
		return fmt.Errorf("describing %s: %w", tag, err)
	}
	entry.Config = fmt.Sprintf("%x.json", sha256.Sum256(text))
	a.manifest = append(a.manifest, entry)
	return a.add(entry.Config, text)
}

func (a *imageArchive) finish() error {
	text, err := json.Marshal(a.manifest)
	if err != nil {
		return fmt.Errorf("describing the images: %w", err)
	}
	if err := a.add("manifest.json", text); err != nil {
		return err
	}
	if err := a.tar.Close(); err != nil {
		return fmt.Errorf("packing the images: %w", err)
	}
	return nil
}

func (a *imageArchive) add(name string, content []byte) error {
	if err := a.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
		return fmt.Errorf("packing %s: %w", name, err)
	}
	if _, err := a.tar.Write(content); err != nil {
		return fmt.Errorf("packing %s: %w", name, err)
	}
	return nil
}

// imageConfig is what the image of a role declares in a release (contract.md, section 1).
func imageConfig(r facts.Release, role, hash string) map[string]any {
	c := map[string]any{
		"Labels": map[string]string{Label: hash, "org.opencontainers.image.version": r.Tag},
		"Env": []string{
			"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
			facts.ReleaseVariable + "=" + r.Tag, facts.RoleVariable + "=" + role,
		},
		"WorkingDir": "/app", "Entrypoint": []string{"/app/entrypoint.sh"},
	}
	if r.Hardened() && role != facts.UI {
		c["User"] = "syncmaster"
	}
	switch role {
	case facts.Server:
		if r.Hardened() {
			c["ExposedPorts"] = map[string]any{"8000/tcp": map[string]any{}}
			c["Healthcheck"] = healthcheck("http://localhost:8000/monitoring/ping")
		}
	case facts.Worker:
		if r.Old() {
			c["Cmd"] = []string{"--loglevel=info"}
		}
	case facts.UI:
		c["WorkingDir"], c["Entrypoint"] = "/", []string{"/entrypoint.sh"}
		c["Cmd"], c["StopSignal"] = []string{"nginx", "-g", "daemon off;"}, "SIGQUIT"
		c["ExposedPorts"] = map[string]any{"3000/tcp": map[string]any{}}
		if r.Hardened() {
			c["Healthcheck"] = healthcheck("http://localhost:3000/")
		}
	}
	return c
}

func healthcheck(address string) map[string]any {
	return map[string]any{
		"Test": []string{"CMD-SHELL", "curl -f " + address}, "Retries": 3,
		"Interval": 30 * time.Second, "Timeout": 5 * time.Second, "StartPeriod": 5 * time.Second,
	}
}
