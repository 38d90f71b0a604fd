package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// runSecondsVariable says how long a stand-in's run takes: a Go duration, one second by default.
const runSecondsVariable = "SYNCMASTER_KIT_RUN_DURATION"

const (
	retryPause    = 2 * time.Second // Celery's first pause between attempts to reach the broker
	retryAttempts = 100             // Celery's broker_connection_max_retries
)

// worker executes tasks until it is told to stop.
type worker struct {
	s        settings
	o        options
	duration time.Duration
	slots    chan struct{} // one for each task that may run at once
	running  sync.WaitGroup
	take     func(slug string) error // consumes a queue in the session at work
	taken    map[string]bool         // queues that it consumes

	mu     sync.Mutex
	active map[int64]time.Time // runs in execution and when they began
}

// runWorker returns when SIGTERM or SIGINT has ended it in order: no new tasks, running ones finish.
func runWorker(s settings, o options) int {
	w := &worker{s: s, o: o, slots: make(chan struct{}, o.concurrency), active: map[int64]time.Time{}}
	var err error
	if w.duration, err = time.ParseDuration(orDefault(os.Getenv(runSecondsVariable), "1s")); err != nil {
		return fail("standin: %s: %v", runSecondsVariable, err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	conn, err := s.connect(ctx, psycopg2)
	if err != nil {
		return fail("%v", err)
	}
	hangUp(conn)
	if err := w.stayConnected(ctx); err != nil {
		return fail("%v", err)
	}
	logf("worker: Warm shutdown (MainProcess)")
	return 0
}

func orDefault(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}

// stayConnected serves, and connects anew when the broker goes away. A refused login cannot be mended by waiting.
func (w *worker) stayConnected(ctx context.Context) error {
	for attempt := 1; ctx.Err() == nil; attempt++ {
		err := w.session(ctx, &attempt)
		var refused *amqp.Error
		switch {
		case err == nil || ctx.Err() != nil:
			return nil
		case errors.As(err, &refused) && (refused.Code == amqp.AccessRefused || refused.Code == amqp.NotAllowed),
			errors.As(err, &refused) && refused.Code == amqp.ResourceLocked, attempt > retryAttempts:
			return fmt.Errorf("[CRITICAL/MainProcess] Unrecoverable error: %w", err)
		}
		logf("[ERROR/MainProcess] consumer: Cannot connect to the broker: %v. Trying again in %s... (%d/%d)",
			err, retryPause, attempt, retryAttempts)
		select {
		case <-ctx.Done():
		case <-time.After(retryPause):
		}
	}
	return nil
}

// session consumes over one connection. It returns nil after an orderly shutdown, when all running tasks have ended.
func (w *worker) session(ctx context.Context, attempt *int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	conn, err := w.s.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // it may be lost already
	ch, err := conn.Channel()
	if err != nil {
		return fmt.Errorf("opening a channel: %w", err)
	}
	if err := ch.Qos(4*w.o.concurrency, 0, false); err != nil {
		return fmt.Errorf("limiting the prefetch: %w", err)
	}
	tasks := make(chan amqp.Delivery)
	w.taken = map[string]bool{}
	w.take = func(slug string) error {
		if w.taken[slug] { // "Already consuming from"
			return nil
		}
		w.taken[slug] = true
		return w.consume(ctx, ch, slug, tasks)
	}
	for _, slug := range w.o.queues {
		if err := w.take(slug); err != nil {
			return err
		}
	}
	control, err := w.openMailbox(conn)
	if err != nil {
		return err
	}
	lost := conn.NotifyClose(make(chan *amqp.Error, 1))
	*attempt = 0
	logf("[INFO/MainProcess] %s ready, queues %v", w.o.name, w.o.queues)
	for {
		select {
		case <-ctx.Done():
			w.drain(ch)
			return nil
		case err := <-lost:
			return fmt.Errorf("connection to the broker lost: %w", err)
		case message, ok := <-control:
			if !ok {
				control = nil // the connection's end follows
				continue
			}
			w.answerControl(ctx, ch, message)
		case task := <-tasks:
			w.start(ctx, task)
		}
	}
}

// consume declares a queue and forwards its messages until the session ends. A prefetched message waits here for a
// slot, unacknowledged.
func (w *worker) consume(ctx context.Context, ch *amqp.Channel, slug string, tasks chan<- amqp.Delivery) error {
	if err := declareQueue(ch, slug); err != nil {
		return err
	}
	messages, err := ch.Consume(slug, slug, false, false, false, false, nil)
	if err != nil {
		return fmt.Errorf("consuming %s: %w", slug, err)
	}
	go func() {
		for m := range messages {
			select {
			case w.slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			select {
			case tasks <- m:
			case <-ctx.Done():
				<-w.slots
				return
			}
		}
	}()
	return nil
}

// drain stops taking messages and waits for the running tasks, however long they take. Prefetched messages return to
// their queues when the connection closes.
func (w *worker) drain(ch *amqp.Channel) {
	for _, slug := range w.o.queues {
		if err := ch.Cancel(slug, true); err != nil {
			break // the broker is gone: there is nothing left to cancel
		}
	}
	w.running.Wait()
}

// start acknowledges a message, as Celery does before the execution, and executes it.
func (w *worker) start(ctx context.Context, m amqp.Delivery) {
	if err := m.Ack(false); err != nil {
		<-w.slots
		return // the connection is lost, the message is delivered again
	}
	var args []json.RawMessage
	var ids []int64
	if name, _ := m.Headers["task"].(string); name != runTask || json.Unmarshal(m.Body, &args) != nil ||
		len(args) == 0 || json.Unmarshal(args[0], &ids) != nil || len(ids) != 1 {
		logf("[ERROR/MainProcess] Received unregistered task of type %v", m.Headers["task"])
		<-w.slots
		return
	}
	w.running.Add(1)
	w.mark(ids[0], true)
	go func() {
		defer func() {
			w.mark(ids[0], false)
			<-w.slots
			w.running.Done()
		}()
		if err := w.execute(context.WithoutCancel(ctx), ids[0]); err != nil {
			logf("[ERROR/ForkPoolWorker] Run %d failed: %v", ids[0], err)
		}
	}()
}

func (w *worker) mark(id int64, begins bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if begins {
		w.active[id] = time.Now()
	} else {
		delete(w.active, id)
	}
}

// execute is one run. Before 0.2.3 the run's status is not looked at, and the session stays open while it lasts.
func (w *worker) execute(ctx context.Context, id int64) error {
	conn, err := w.s.connect(ctx, psycopg2)
	if err != nil {
		return err
	}
	defer hangUp(conn)
	begin := "UPDATE run SET status = 'STARTED', started_at = now() WHERE id = $1"
	if w.s.release.Number >= 203 {
		begin += " AND status = 'CREATED'"
	}
	tag, err := conn.Exec(ctx, begin, id)
	if err != nil {
		return fmt.Errorf("starting the run: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return errors.New("it is not in the status CREATED")
	}
	logf("[INFO/ForkPoolWorker] Starting transfer run %d", id)
	status := "FINISHED"
	keyErr := w.s.credentials(ctx, conn)
	if keyErr != nil {
		status = "FAILED"
	} else {
		<-time.After(w.duration) // the transfer itself; nothing interrupts it
	}
	if _, err := conn.Exec(ctx, "UPDATE run SET status = $2, ended_at = now() WHERE id = $1", id, status); err != nil {
		return errors.Join(keyErr, fmt.Errorf("ending the run: %w", err))
	}
	logf("[INFO/ForkPoolWorker] Transfer run %d: %s", id, status)
	return keyErr
}
