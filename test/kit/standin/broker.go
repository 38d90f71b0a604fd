package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const runTask = "run_transfer_task"

// dial logs in to the broker of the settings. No path, and a single slash, mean the virtual host "/", as for kombu.
func (s settings) dial(ctx context.Context) (*amqp.Connection, error) {
	u, err := url.Parse(s.text("", "broker", "url"))
	if err != nil || u.Scheme != "amqp" && u.Scheme != "amqps" || u.Host == "" {
		return nil, errors.New("kombu.exceptions.OperationalError: the broker URL is no amqp:// or amqps:// address")
	}
	vhost := strings.TrimPrefix(u.Path, "/")
	if vhost == "" {
		vhost = "/"
	}
	u.Path, u.RawPath, u.RawQuery = "", "", ""
	conn, err := amqp.DialConfig(u.String(), amqp.Config{Vhost: vhost, Heartbeat: 60 * time.Second, Dial: amqp.DefaultDial(5 * time.Second)})
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, errors.Join(ctx.Err(), conn.Close())
	}
	return conn, nil
}

// declareQueue makes the durable queue, exchange and binding of a slug, as Celery does on both ends.
func declareQueue(ch *amqp.Channel, slug string) error {
	if _, err := ch.QueueDeclare(slug, true, false, false, false, nil); err != nil {
		return fmt.Errorf("declaring the queue %s: %w", slug, err)
	}
	if err := ch.ExchangeDeclare(slug, amqp.ExchangeDirect, true, false, false, false, nil); err != nil {
		return fmt.Errorf("declaring the exchange %s: %w", slug, err)
	}
	if err := ch.QueueBind(slug, slug, slug, false, nil); err != nil {
		return fmt.Errorf("binding the queue %s: %w", slug, err)
	}
	return nil
}

// sendRun publishes run_transfer_task with the run's id, in version 2 of Celery's protocol.
func (s settings) sendRun(ctx context.Context, slug string, id int64) (err error) {
	conn, err := s.dial(ctx)
	if err != nil {
		return fmt.Errorf("kombu.exceptions.OperationalError: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	ch, err := conn.Channel()
	if err != nil {
		return fmt.Errorf("opening a channel: %w", err)
	}
	if err := declareQueue(ch, slug); err != nil {
		return err
	}
	if err := ch.Confirm(false); err != nil {
		return fmt.Errorf("asking for confirmations: %w", err)
	}
	embed := map[string]any{"callbacks": nil, "errbacks": nil, "chain": nil, "chord": nil}
	body, err := json.Marshal([]any{[]int64{id}, map[string]any{}, embed})
	if err != nil {
		return fmt.Errorf("encoding the task: %w", err)
	}
	task := fmt.Sprintf("run-%d", id)
	done, err := ch.PublishWithDeferredConfirmWithContext(ctx, slug, slug, false, false, amqp.Publishing{
		ContentType: "application/json", ContentEncoding: "utf-8", DeliveryMode: amqp.Persistent, CorrelationId: task, Body: body,
		Headers: amqp.Table{"lang": "py", "task": runTask, "id": task, "root_id": task, "argsrepr": fmt.Sprintf("(%d,)", id)},
	})
	if err != nil {
		return fmt.Errorf("publishing the task: %w", err)
	}
	if ok, err := done.WaitContext(ctx); err != nil || !ok {
		return errors.Join(errors.New("the broker did not take the task"), err)
	}
	return nil
}

// nodeName is Celery's default name of a worker.
func nodeName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return "celery@" + host
}
