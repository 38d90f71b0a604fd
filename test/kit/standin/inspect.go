package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const unavailable = 69 // what Celery's inspect and control return when no worker answers

// inquiry is a call of `celery inspect` or `celery control`.
type inquiry struct {
	request
	timeout time.Duration
	asJSON  bool
}

// remote asks all workers and prints their answers. It waits the whole timeout, as nobody knows how many workers
// there are.
func remote(s settings, command string, args []string) int {
	q, err := parseInquiry(command, args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "Usage: python -m celery %s [OPTIONS] METHOD\n\nError: %v\n", command, err)
		return 2
	}
	answers, err := s.ask(context.Background(), q)
	if err != nil {
		return fail("Error: %v", err)
	}
	if len(answers) == 0 {
		fmt.Fprintln(os.Stderr, "Error: No nodes replied within time constraint")
		return unavailable
	}
	if q.asJSON {
		if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
			return fail("%v", err)
		}
		return 0
	}
	printAnswers(answers)
	return 0
}

func parseInquiry(command string, args []string) (inquiry, error) {
	q := inquiry{timeout: time.Second}
	q.Arguments = map[string]any{}
	var plain []string
	for i := 0; i < len(args); i++ {
		name, value, joined := strings.Cut(args[i], "=")
		switch {
		case name == "-j" || name == "--json":
			q.asJSON = true
			continue
		case !strings.HasPrefix(name, "-"):
			plain = append(plain, args[i])
			continue
		}
		if !joined {
			if i++; i >= len(args) {
				return q, fmt.Errorf("Option '%s' requires an argument.", name) //nolint:staticcheck // Celery's words
			}
			value = args[i]
		}
		switch name {
		case "-t", "--timeout":
			var err error
			if q.timeout, err = time.ParseDuration(value + "s"); err != nil {
				return q, fmt.Errorf("Invalid value for '-t' / '--timeout': '%s' is not a valid float.", value) //nolint:staticcheck // Celery's words
			}
		case "-d", "--destination":
			q.Destination = strings.Split(value, ",")
		default:
			return q, fmt.Errorf("No such option: %s", name) //nolint:staticcheck // Celery's words
		}
	}
	known := map[string][]string{"inspect": {"ping", "active", "active_queues"}, "control": {"add_consumer", "cancel_consumer"}}[command]
	if len(plain) == 0 || !slices.Contains(known, plain[0]) {
		return q, fmt.Errorf("Command %v not recognized.", plain) //nolint:staticcheck // Celery's words
	}
	q.Method = plain[0]
	if command == "control" {
		if len(plain) != 2 {
			return q, errors.New(q.Method + " takes the name of a queue")
		}
		q.Arguments["queue"] = plain[1]
	}
	return q, nil
}

// ask sends the request and collects what comes back within the timeout, by worker.
func (s settings) ask(ctx context.Context, q inquiry) (answers map[string]any, err error) {
	conn, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	ch, err := conn.Channel()
	if err != nil {
		return nil, err
	}
	id := rand.Text()
	incoming, err := openReplies(ch, id)
	if err != nil {
		return nil, err
	}
	q.ReplyTo, q.Ticket = &replyTo{Exchange: replies, RoutingKey: id}, rand.Text()
	body, err := json.Marshal(q.request)
	if err != nil {
		return nil, err
	}
	message := amqp.Publishing{ContentType: "application/json", ContentEncoding: "utf-8", Body: body}
	if err := ch.PublishWithContext(ctx, requests, "", false, false, message); err != nil {
		return nil, err
	}
	answers = map[string]any{}
	limit := time.After(q.timeout)
	for {
		select {
		case <-limit:
			return answers, nil
		case m, ok := <-incoming:
			if !ok {
				return nil, errors.New("the broker closed the channel")
			}
			if err := json.Unmarshal(m.Body, &answers); err != nil {
				return nil, err
			}
		}
	}
}

func openReplies(ch *amqp.Channel, id string) (<-chan amqp.Delivery, error) {
	if err := ch.ExchangeDeclare(requests, amqp.ExchangeFanout, false, false, false, false, nil); err != nil {
		return nil, err
	}
	if err := ch.ExchangeDeclare(replies, amqp.ExchangeDirect, false, false, false, false, nil); err != nil {
		return nil, err
	}
	name := id + "." + replies
	if _, err := ch.QueueDeclare(name, false, true, false, false, amqp.Table{"x-expires": int32(10_000)}); err != nil {
		return nil, err
	}
	if err := ch.QueueBind(name, id, replies, false, nil); err != nil {
		return nil, err
	}
	return ch.Consume(name, "", true, false, false, false, nil)
}

// printAnswers writes the answers as Celery's command line does.
func printAnswers(answers map[string]any) {
	names := make([]string, 0, len(answers))
	for name := range answers {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Printf("->  %s: OK\n", name)
		switch value := answers[name].(type) {
		case map[string]any:
			for _, text := range value {
				fmt.Printf("        %v\n", text)
			}
		case []any:
			if len(value) == 0 {
				fmt.Println("    - empty -")
			}
			for _, item := range value {
				text, _ := json.Marshal(item) // it came as JSON
				fmt.Printf("    * %s\n", text)
			}
		}
	}
	noun := "nodes"
	if len(names) == 1 {
		noun = "node"
	}
	fmt.Printf("\n%d %s online.\n", len(names), noun)
}
