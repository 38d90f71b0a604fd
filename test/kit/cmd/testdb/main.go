// Command testdb runs a command beside a PostgreSQL of its own: "testdb [--major N] COMMAND [ARG…]". The command finds
// the server's superuser URL in SYNCMASTER_TEST_POSTGRES; the server ends with it. The kit's images must have been built,
// and the group majors for another major than 17.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"syncmaster-setup/internal/probe"
	"syncmaster-setup/test/kit"
)

// defaultMajor is that of the image that an install runs.
const defaultMajor = 17

// variable is read by the tests of internal/database.
const variable = "SYNCMASTER_TEST_POSTGRES"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:])
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		os.Exit(ended.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testdb:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("testdb", flag.ContinueOnError)
	major := flags.Int("major", defaultMajor, "major version of PostgreSQL")
	if err := flags.Parse(args); err != nil {
		return err
	}
	command := flags.Args()
	if len(command) == 0 {
		return errors.New("usage: testdb [--major N] COMMAND [ARG…]")
	}
	docker, err := client.New(client.FromEnv)
	if err != nil {
		return fmt.Errorf("connecting to the engine: %w", err)
	}
	id, url, err := start(ctx, docker, *major)
	if err == nil {
		c := exec.CommandContext(ctx, command[0], command[1:]...)
		c.Env = append(os.Environ(), variable+"="+url)
		c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
		err = c.Run()
	}
	if id != "" {
		_, removeErr := docker.ContainerRemove(context.WithoutCancel(ctx), id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		err = errors.Join(err, removeErr)
	}
	return errors.Join(err, docker.Close())
}

// start starts a server that keeps its data in memory and returns its container and URL once it answers.
func start(ctx context.Context, docker *client.Client, major int) (id, url string, err error) {
	port, password := network.MustParsePort("5432/tcp"), rand.Text()
	image, env := kit.Prefix+"/postgres:17", []string{"POSTGRES_PASSWORD=" + password}
	if major != defaultMajor {
		image = kit.Prefix + "/" + kit.MajorsImage
		env = append(env, "POSTGRES_INITDB_ARGS=--auth-host=scram-sha-256", // 13 stores md5 otherwise, which the image refuses
			fmt.Sprintf("PATH=/usr/lib/postgresql/%d/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", major))
	}
	created, err := docker.ContainerCreate(ctx, client.ContainerCreateOptions{
		Config: &container.Config{
			Image: image, Labels: map[string]string{kit.Label: "testdb"}, Env: env, ExposedPorts: network.PortSet{port: {}},
			Cmd: []string{"postgres", "-c", "fsync=off", "-c", "max_connections=100", "-c", "listen_addresses=*"},
		},
		HostConfig: &container.HostConfig{
			Tmpfs:        map[string]string{"/var/lib/postgresql/data": ""},
			PortBindings: network.PortMap{port: {{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: "0"}}},
		},
	})
	if err != nil {
		return "", "", fmt.Errorf("creating the test database: %w", err)
	}
	if _, err := docker.ContainerStart(ctx, created.ID, client.ContainerStartOptions{}); err != nil {
		return created.ID, "", fmt.Errorf("starting the test database: %w", err)
	}
	seen, err := docker.ContainerInspect(ctx, created.ID, client.ContainerInspectOptions{})
	if err != nil {
		return created.ID, "", fmt.Errorf("looking at the test database: %w", err)
	}
	bound := seen.Container.NetworkSettings.Ports[port]
	if len(bound) == 0 {
		return created.ID, "", errors.New("the test database has no port")
	}
	url = fmt.Sprintf("postgresql://postgres:%s@127.0.0.1:%s/postgres", password, bound[0].HostPort)
	return created.ID, url, probe.Wait(ctx, probe.Options{What: "the test database", Limit: time.Minute}, func(ctx context.Context) error {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	})
}
