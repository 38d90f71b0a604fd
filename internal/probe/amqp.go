package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"syncmaster-setup/internal/secret"
)

const (
	// dialLimit bounds one attempt. RabbitMQ keeps a client with wrong credentials waiting for three seconds, so an
	// attempt ends before that and [refused] asks for the reason.
	dialLimit = 2 * time.Second
	heartbeat = 10 * time.Second
)

// AMQP returns a check that is passed when a broker lets the user of an amqp:// or amqps:// address into its virtual
// host. Wrong credentials and an unknown or forbidden virtual host are [Fatal]; a broker that is still starting is not.
func AMQP(address secret.Text) func(context.Context) error {
	return func(ctx context.Context) error {
		conn, err := dial(ctx, address)
		if err != nil {
			return err
		}
		// The broker has answered; how the farewell goes changes nothing.
		_ = conn.CloseDeadline(time.Now().Add(time.Second))
		return nil
	}
}

// ErrNoQueue is returned by [QueueConsumers] for a queue that nobody has declared yet.
var ErrNoQueue = errors.New("no such queue")

// QueueConsumers returns how many consumers a queue has. A worker is ready when its queue has one. The queue is not
// declared by this, and [ErrNoQueue] means that no worker has done so.
func QueueConsumers(ctx context.Context, address secret.Text, queue string) (int, error) {
	conn, err := dial(ctx, address)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.CloseDeadline(time.Now().Add(time.Second)) }()
	channel, err := conn.Channel()
	if err != nil {
		return 0, fmt.Errorf("opening a channel to the broker: %w", err)
	}
	declared, err := channel.QueueDeclarePassive(queue, false, false, false, false, nil)
	var refusal *amqp.Error
	switch {
	case err == nil:
		return declared.Consumers, nil
	case errors.As(err, &refusal) && refusal.Code == amqp.NotFound:
		return 0, fmt.Errorf("looking at queue %s: %w", queue, ErrNoQueue)
	case errors.As(err, &refusal) && refusal.Code == amqp.AccessRefused:
		return 0, Fatal(fmt.Errorf("looking at queue %s: %s", queue, refusal.Reason))
	}
	return 0, fmt.Errorf("looking at queue %s: %w", queue, err)
}

func dial(ctx context.Context, address secret.Text) (*amqp.Connection, error) {
	uri, err := amqp.ParseURI(address.Reveal())
	if err != nil {
		return nil, Fatal(errors.New("reading the broker's address: it is not a valid AMQP URL")) // its own error may quote the password
	}
	limited, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	var stop func() bool
	conn, err := amqp.DialConfig(address.Reveal(), amqp.Config{
		Locale:    "en_US",
		Heartbeat: heartbeat,
		Dial: func(network, addr string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(limited, network, addr)
			if err != nil {
				return nil, err
			}
			deadline, _ := limited.Deadline()
			stop = context.AfterFunc(limited, func() { _ = conn.Close() })
			return conn, conn.SetDeadline(deadline)
		},
	})
	if stop != nil {
		stop()
	}
	if err == nil {
		return conn, nil
	}
	return nil, dialError(ctx, uri, err)
}

// dialError says whether a failed dial is worth another try.
func dialError(ctx context.Context, uri amqp.URI, err error) error {
	host := net.JoinHostPort(uri.Host, fmt.Sprint(uri.Port))
	var refusal *amqp.Error
	var badURL *url.Error
	switch {
	case errors.As(err, &badURL):
		return Fatal(errors.New("reading the broker's address: it is not a valid AMQP URL"))
	case errors.Is(err, amqp.ErrCredentials):
		// The library says so for every connection that ends during the login, also that of a broker going down.
		if reason := loginRefusal(ctx, uri); reason != "" {
			return Fatal(fmt.Errorf("logging in to the broker at %s as %s: %s", host, uri.Username, reason))
		}
		return fmt.Errorf("logging in to the broker at %s: the connection ended", host)
	case errors.Is(err, amqp.ErrVhost), errors.As(err, &refusal) && (refusal.Code == amqp.NotAllowed || refusal.Code == amqp.AccessRefused):
		return Fatal(fmt.Errorf("logging in to the broker at %s: user %s has no access to virtual host %q, or it does not exist", host, uri.Username, uri.Vhost))
	}
	return fmt.Errorf("connecting to the broker at %s: %w", host, err)
}

// loginRefusal logs in once more as a client that wants to be told why it is refused, which the library does not ask
// for, and returns the broker's reason; empty where the broker gave none.
func loginRefusal(ctx context.Context, uri amqp.URI) string {
	limited, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	address := net.JoinHostPort(uri.Host, fmt.Sprint(uri.Port))
	var conn net.Conn
	var err error
	if uri.Scheme == "amqps" {
		conn, err = (&tls.Dialer{Config: &tls.Config{ServerName: uri.Host, MinVersion: tls.VersionTLS12}}).DialContext(limited, "tcp", address)
	} else {
		conn, err = (&net.Dialer{}).DialContext(limited, "tcp", address)
	}
	if err != nil {
		return ""
	}
	defer func() { _ = conn.Close() }()
	deadline, _ := limited.Deadline()
	if conn.SetDeadline(deadline) != nil {
		return ""
	}
	code, text := login(conn, uri.Username, uri.Password)
	if code != amqp.AccessRefused {
		return ""
	}
	return strings.TrimSpace(text)
}
