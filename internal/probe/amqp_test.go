package probe_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"syncmaster-setup/internal/engine"
	"syncmaster-setup/internal/probe"
	"syncmaster-setup/internal/secret"
	"syncmaster-setup/test/kit"
)

const (
	brokerImage = kit.Prefix + "/rabbitmq:4"
	password    = "p@ss/word:#%"
)

func brokerURL(address, user, password, vhost string) secret.Text {
	u := url.URL{Scheme: "amqp", User: url.UserPassword(user, password), Host: address, Path: "/" + vhost}
	return secret.NewText(u.String())
}

// TestAMQP runs against the kit's RabbitMQ, from the first moment of its start to its end.
func TestAMQP(t *testing.T) {
	address, stop := startBroker(t)
	right := brokerURL(address, "smeng", password, "")
	if err := probe.AMQP(right)(t.Context()); err == nil {
		t.Log("the broker was ready before the first check")
	}
	begin := time.Now()
	if err := probe.Wait(t.Context(), probe.Options{What: "the broker", Limit: 2 * time.Minute}, probe.AMQP(right)); err != nil {
		t.Fatal(err)
	}
	t.Logf("ready after %s", time.Since(begin))

	for name, wrong := range map[string]secret.Text{
		"password": brokerURL(address, "smeng", "wrong", ""),
		"user":     brokerURL(address, "nobody", password, ""),
		"vhost":    brokerURL(address, "smeng", password, "absent"),
		"URL":      secret.NewText("http://smeng:" + password + "@" + address),
	} {
		err := probe.Wait(t.Context(), probe.Options{What: "the broker", Limit: 30 * time.Second}, probe.AMQP(wrong))
		if err == nil || errors.Is(err, probe.ErrGaveUp) || strings.Contains(err.Error(), "wrong") || strings.Contains(err.Error(), password) {
			t.Errorf("wrong %s: %v, want a final error without the password", name, err)
		}
		t.Logf("wrong %s: %v", name, err)
	}
	testQueue(t, right)

	stop()
	err := probe.Wait(t.Context(), probe.Options{What: "the broker", Limit: time.Second}, probe.AMQP(right))
	if !errors.Is(err, probe.ErrGaveUp) {
		t.Errorf("a stopped broker: %v, want not yet", err)
	}
}

func testQueue(t *testing.T, address secret.Text) {
	t.Helper()
	const queue = "smeng"
	if _, err := probe.QueueConsumers(t.Context(), address, queue); !errors.Is(err, probe.ErrNoQueue) {
		t.Errorf("a missing queue: %v", err)
	}
	conn, err := amqp.Dial(address.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	channel, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := channel.QueueDeclare(queue, true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if n, err := probe.QueueConsumers(t.Context(), address, queue); n != 0 || err != nil {
		t.Errorf("a queue without consumers: %d, %v", n, err)
	}
	if _, err := channel.Consume(queue, "", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if n, err := probe.QueueConsumers(t.Context(), address, queue); n != 1 || err != nil {
		t.Errorf("a queue with a consumer: %d, %v", n, err)
	}
}

// TestAMQPAtADoorThatCloses: a broker going down ends connections in the middle of the login, which must not be taken
// for a wrong password.
func TestAMQPAtADoorThatCloses(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.ReadFull(conn, make([]byte, 8))
			_, _ = conn.Write(startFrame())
			_, _ = conn.Read(make([]byte, 1024))
			_ = conn.Close()
		}
	}()
	address := brokerURL(listener.Addr().String(), "smeng", password, "")
	err = probe.Wait(t.Context(), probe.Options{What: "the broker", Limit: time.Second}, probe.AMQP(address))
	if !errors.Is(err, probe.ErrGaveUp) || strings.Contains(err.Error(), password) {
		t.Errorf("error %v, want not yet", err)
	}
}

// startFrame is a broker's Connection.Start: version 0-9, no properties, PLAIN, en_US.
func startFrame() []byte {
	payload := []byte("\x00\x0a\x00\x0a\x00\x09\x00\x00\x00\x00\x00\x00\x00\x05PLAIN\x00\x00\x00\x05en_US")
	return append(append([]byte{1, 0, 0, 0, 0, 0, byte(len(payload))}, payload...), 0xCE)
}

// startBroker runs a broker on a free port of this machine. Its image is built where there is none; one that is there is
// good enough.
func startBroker(t *testing.T) (address string, stop func()) {
	t.Helper()
	const name = "smeng-rabbitmq"
	e, err := engine.New(t.Context(), engine.Options{})
	must(t, err)
	seen, err := e.Observe(t.Context(), name, []string{brokerImage})
	must(t, err)
	if _, ok := seen.Images[brokerImage]; !ok {
		must(t, kit.Build(t.Context(), os.Stderr, "rabbitmq"))
	}
	address = freeAddress(t)
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "docker-compose.yml"), fmt.Appendf(nil, `
services:
  broker:
    image: %s
    hostname: broker
    environment: {RABBITMQ_DEFAULT_USER: smeng, RABBITMQ_DEFAULT_PASS: %q}
    ports: ["%s:5672"]
    tmpfs: [/var/lib/rabbitmq]
    stop_grace_period: 1s
`, brokerImage, password, address), 0o600))
	project, err := engine.Load(t.Context(), dir, name, nil)
	must(t, err)
	stop = func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		must(t, e.Remove(ctx, name))
	}
	stop()
	t.Cleanup(func() { stop(); _ = e.Close() })
	must(t, e.Create(t.Context(), project, engine.CreateOptions{}))
	must(t, e.Start(t.Context(), project))
	return address, stop
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
