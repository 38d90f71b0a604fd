package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Celery's remote control: requests go to all workers through one exchange, answers come back through another.
const (
	requests = "celery.pidbox"
	replies  = "reply.celery.pidbox"
)

// request is a message of the remote control.
type request struct {
	Method      string         `json:"method"`
	Arguments   map[string]any `json:"arguments"`
	Destination []string       `json:"destination"`
	ReplyTo     *replyTo       `json:"reply_to"`
	Ticket      string         `json:"ticket"`
}

type replyTo struct {
	Exchange   string `json:"exchange"`
	RoutingKey string `json:"routing_key"`
}

// openMailbox declares the worker's own queue for requests. It is transient and not exclusive, which RabbitMQ refuses
// from 4.3 on (contract.md, section 5).
func (w *worker) openMailbox(conn *amqp.Connection) (<-chan amqp.Delivery, error) {
	ch, err := conn.Channel()
	if err != nil {
		return nil, fmt.Errorf("opening a channel: %w", err)
	}
	if err := ch.ExchangeDeclare(requests, amqp.ExchangeFanout, false, false, false, false, nil); err != nil {
		return nil, fmt.Errorf("declaring the exchange %s: %w", requests, err)
	}
	if err := ch.ExchangeDeclare(replies, amqp.ExchangeDirect, false, false, false, false, nil); err != nil {
		return nil, fmt.Errorf("declaring the exchange %s: %w", replies, err)
	}
	name := w.o.name + "." + requests
	limits := amqp.Table{"x-expires": int32(10_000), "x-message-ttl": int32(300_000)}
	if _, err := ch.QueueDeclare(name, false, true, false, false, limits); err != nil {
		return nil, fmt.Errorf("declaring the queue %s: %w", name, err)
	}
	if err := ch.QueueBind(name, "", requests, false, nil); err != nil {
		return nil, fmt.Errorf("binding the queue %s: %w", name, err)
	}
	messages, err := ch.Consume(name, "", true, false, false, false, nil)
	if err != nil {
		return nil, fmt.Errorf("consuming %s: %w", name, err)
	}
	return messages, nil
}

// answerControl answers one request. A request that cannot be answered is dropped, as Celery does; it is logged.
func (w *worker) answerControl(ctx context.Context, ch *amqp.Channel, m amqp.Delivery) {
	var r request
	if err := json.Unmarshal(m.Body, &r); err != nil {
		logf("[ERROR/MainProcess] pidbox command error: %v", err)
		return
	}
	if r.Destination != nil && !slices.Contains(r.Destination, w.o.name) {
		return
	}
	body, err := json.Marshal(map[string]any{w.o.name: w.obey(ch, r)})
	if err == nil && r.ReplyTo != nil {
		err = ch.PublishWithContext(ctx, r.ReplyTo.Exchange, r.ReplyTo.RoutingKey, false, false, amqp.Publishing{
			ContentType: "application/json", ContentEncoding: "utf-8", Body: body, Headers: amqp.Table{"ticket": r.Ticket},
		})
	}
	if err != nil {
		logf("[ERROR/MainProcess] pidbox command error: %v", err)
	}
}

func (w *worker) obey(ch *amqp.Channel, r request) any {
	switch r.Method {
	case "ping":
		return map[string]string{"ok": "pong"}
	case "active":
		return w.listActive()
	case "active_queues":
		queues := []map[string]string{}
		for _, slug := range w.o.queues {
			queues = append(queues, map[string]string{"name": slug})
		}
		return queues
	case "add_consumer":
		slug, _ := r.Arguments["queue"].(string)
		if err := w.take(slug); err != nil {
			return map[string]string{"error": err.Error()}
		}
		return map[string]string{"ok": "add consumer " + slug}
	case "cancel_consumer":
		slug, _ := r.Arguments["queue"].(string)
		if err := ch.Cancel(slug, false); err != nil {
			return map[string]string{"error": err.Error()}
		}
		w.taken[slug] = false
		return map[string]string{"ok": "no longer consuming from " + slug}
	}
	return map[string]string{"error": "No such control method: " + r.Method}
}

func (w *worker) listActive() []map[string]any {
	w.mu.Lock()
	defer w.mu.Unlock()
	tasks := []map[string]any{}
	for id, began := range w.active {
		tasks = append(tasks, map[string]any{
			"id": fmt.Sprintf("run-%d", id), "name": runTask, "args": []int64{id}, "kwargs": map[string]any{},
			"hostname": w.o.name, "time_start": float64(began.UnixMilli()) / float64(time.Second/time.Millisecond),
		})
	}
	return tasks
}
