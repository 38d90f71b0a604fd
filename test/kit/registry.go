package kit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
)

// RegistryName is the container of `kit registry up` unless told otherwise.
const RegistryName = "smkit-registry"

const registryStart = 30 * time.Second // a registry answers within a second; the rest is for a loaded machine

// Registry builds and starts a registry on a free port of 127.0.0.1, pushes the images into it (references without
// [Prefix], such as postgres:17; none means all but the registry and the base) and returns its host:port, which
// `syncmaster-setup --registry` takes, and the function that removes it with all it holds.
func Registry(ctx context.Context, images ...string) (addr string, stop func() error, err error) {
	name := RegistryName + "-" + strings.ToLower(rand.Text()[:8])
	addr, err = StartRegistry(ctx, io.Discard, name, 0, images...)
	if err != nil {
		return "", nil, err
	}
	stop = func() error {
		// The caller's context may be the one that ended.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), registryStart)
		defer cancel()
		return RemoveRegistry(ctx, name)
	}
	return addr, stop, nil
}

// StartRegistry is Registry with a chosen container name and port, 0 for a free one. A failed start leaves nothing.
func StartRegistry(ctx context.Context, log io.Writer, name string, port uint16, images ...string) (addr string, err error) {
	if err := Build(ctx, log, "registry"); err != nil {
		return "", err
	}
	api, err := client.New(client.FromEnv)
	if err != nil {
		return "", fmt.Errorf("connecting to the engine: %w", err)
	}
	defer func() { _ = api.Close() }() // idle connections only
	defer func() {
		if err != nil {
			err = errors.Join(err, removeContainer(context.WithoutCancel(ctx), api, name))
		}
	}()
	if addr, err = runRegistry(ctx, api, name, port); err != nil {
		return "", err
	}
	if images, err = pushList(ctx, api, images); err != nil {
		return "", err
	}
	for _, image := range images {
		_, _ = fmt.Fprintf(log, "kit: pushing %s\n", image) // a lost progress line is no failure
		if err := push(ctx, api, image, addr); err != nil {
			return "", err
		}
	}
	return addr, nil
}

// RemoveRegistry removes a registry started by StartRegistry and its volume. A missing one is no error.
func RemoveRegistry(ctx context.Context, name string) error {
	api, err := client.New(client.FromEnv)
	if err != nil {
		return fmt.Errorf("connecting to the engine: %w", err)
	}
	defer func() { _ = api.Close() }() // idle connections only
	return removeContainer(ctx, api, name)
}

func runRegistry(ctx context.Context, api *client.Client, name string, port uint16) (string, error) {
	inside := network.MustParsePort("5000/tcp")
	host := network.PortBinding{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: strconv.Itoa(int(port))}
	_, err := api.ContainerCreate(ctx, client.ContainerCreateOptions{
		Name: name,
		Config: &container.Config{
			Image: Prefix + "/registry:2", Labels: map[string]string{Label: "registry"},
			ExposedPorts: network.PortSet{inside: {}},
		},
		HostConfig: &container.HostConfig{PortBindings: network.PortMap{inside: {host}}},
	})
	if err != nil {
		return "", fmt.Errorf("creating the registry: %w", err)
	}
	if _, err := api.ContainerStart(ctx, name, client.ContainerStartOptions{}); err != nil {
		return "", fmt.Errorf("starting the registry: %w", err)
	}
	seen, err := api.ContainerInspect(ctx, name, client.ContainerInspectOptions{})
	if err != nil {
		return "", fmt.Errorf("inspecting the registry: %w", err)
	}
	bound := seen.Container.NetworkSettings.Ports[inside]
	if len(bound) == 0 {
		return "", errors.New("starting the registry: its port is not published")
	}
	addr := "127.0.0.1:" + bound[0].HostPort
	return addr, awaitHTTP(ctx, "http://"+addr+"/v2/")
}

func awaitHTTP(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, registryStart)
	defer cancel()
	for {
		err := getOnce(ctx, url)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the registry: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func getOnce(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("asking %s: %w", url, err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		err = fmt.Errorf("asking %s: %s", url, res.Status)
	}
	return errors.Join(err, res.Body.Close())
}

// pushList returns the chosen images, or all that an installation could ask for.
func pushList(ctx context.Context, api *client.Client, chosen []string) ([]string, error) {
	if len(chosen) > 0 {
		return chosen, nil
	}
	images, err := list(ctx, api)
	if err != nil {
		return nil, err
	}
	for _, i := range images {
		ref := strings.TrimPrefix(i.Tag, Prefix+"/")
		if !slices.Contains([]string{"registry:2", MajorsImage, strings.TrimPrefix(baseTag, Prefix+"/")}, ref) {
			chosen = append(chosen, ref)
		}
	}
	return chosen, nil
}

// push copies one image to the registry; the tag that this needs is removed again, the image stays.
func push(ctx context.Context, api *client.Client, image, addr string) error {
	target := addr + "/" + image
	if _, err := api.ImageTag(ctx, client.ImageTagOptions{Source: Prefix + "/" + image, Target: target}); err != nil {
		return fmt.Errorf("tagging %s: %w", target, err)
	}
	err := pushTagged(ctx, api, target)
	_, removeErr := api.ImageRemove(context.WithoutCancel(ctx), target, client.ImageRemoveOptions{})
	return errors.Join(err, removeErr)
}

func pushTagged(ctx context.Context, api *client.Client, target string) error {
	// The engine insists on a login, also where there is none to make.
	res, err := api.ImagePush(ctx, target, client.ImagePushOptions{RegistryAuth: "e30="})
	if err != nil {
		return fmt.Errorf("pushing %s: %w", target, err)
	}
	if err := res.Wait(ctx); err != nil {
		return fmt.Errorf("pushing %s: %w", target, err)
	}
	return nil
}

func removeContainer(ctx context.Context, api *client.Client, name string) error {
	_, err := api.ContainerRemove(ctx, name, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("removing the container %s: %w", name, err)
	}
	return nil
}
