package probe

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"syncmaster-setup/internal/secret"
)

// Broker is what a broker tells a user who logs in.
type Broker struct {
	Version string           // of RabbitMQ, empty where it does not tell
	Queues  map[string]Queue // those that exist, by name
}

// Queue is a queue at one moment.
type Queue struct {
	Consumers int
	Messages  int // that wait; those that a worker holds are not among them
}

// Look logs in once and looks at queues, none of which it declares.
func Look(ctx context.Context, address secret.Text, queues []string) (Broker, error) {
	conn, err := dial(ctx, address)
	if err != nil {
		return Broker{}, err
	}
	// A broker that falls silent would keep a look waiting for longer than its caller wants to.
	stop := context.AfterFunc(ctx, func() { _ = conn.CloseDeadline(time.Now()) })
	defer func() {
		if stop() {
			_ = conn.CloseDeadline(time.Now().Add(time.Second)) // all was said
		}
	}()
	seen := Broker{Queues: map[string]Queue{}}
	seen.Version, _ = conn.Properties["version"].(string)
	for _, name := range queues {
		queue, exists, err := lookAt(conn, name)
		if err != nil {
			return Broker{}, err
		}
		if exists {
			seen.Queues[name] = queue
		}
	}
	return seen, nil
}

// lookAt takes a channel of its own: the broker closes that of a question about a queue that does not exist.
func lookAt(conn *amqp.Connection, name string) (Queue, bool, error) {
	channel, err := conn.Channel()
	if err != nil {
		return Queue{}, false, fmt.Errorf("opening a channel to the broker: %w", err)
	}
	declared, err := channel.QueueDeclarePassive(name, false, false, false, false, nil)
	var refusal *amqp.Error
	switch {
	case err == nil:
		return Queue{Consumers: declared.Consumers, Messages: declared.Messages}, true, channel.Close()
	case errors.As(err, &refusal) && refusal.Code == amqp.NotFound:
		return Queue{}, false, nil
	}
	return Queue{}, false, fmt.Errorf("looking at queue %s: %w", name, err)
}
