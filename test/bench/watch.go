package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	// askEvery is how often a watched server is asked, and answerWithin how long one answer may take.
	askEvery     = 20 * time.Millisecond
	answerWithin = 2 * time.Second
)

// watcher asks a server all the time. A question does not wait for the answer to the one before.
type watcher struct {
	address string
	client  *http.Client
	end     context.CancelFunc
	asking  sync.WaitGroup

	mu      sync.Mutex
	answers []time.Time
}

// watch begins to ask, and returns after the first answer.
func watch(ctx context.Context, address string) (*watcher, error) {
	ctx, end := context.WithCancel(ctx)
	// a connection of its own for each question: one that is kept would be answered by nobody after a restart
	w := &watcher{address: address, end: end, client: &http.Client{Timeout: answerWithin, Transport: &http.Transport{DisableKeepAlives: true}}}
	w.asking.Go(func() {
		tick := time.NewTicker(askEvery)
		defer tick.Stop()
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-tick.C:
				w.asking.Go(func() { w.ask(ctx) })
			}
		}
	})
	if err := w.answered(ctx, time.Now()); err != nil {
		end()
		return nil, err
	}
	return w, nil
}

func (w *watcher) ask(ctx context.Context) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.address, nil)
	if err != nil {
		return // answered tells that nothing does
	}
	response, err := w.client.Do(request)
	if err != nil {
		return
	}
	_, err = io.Copy(io.Discard, response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil || response.StatusCode != http.StatusOK {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers = append(w.answers, time.Now())
}

// answered waits for an answer after a moment.
func (w *watcher) answered(ctx context.Context, after time.Time) error {
	ctx, cancel := context.WithTimeoutCause(ctx, settleLimit, fmt.Errorf("no answer after %s", settleLimit))
	defer cancel()
	return until(ctx, "the server", func(context.Context) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.answers) == 0 || w.answers[len(w.answers)-1].Before(after) {
			return errors.New("it does not answer")
		}
		return nil
	})
}

// stop ends the questions after one more answer, and returns the longest time between two answers.
func (w *watcher) stop(ctx context.Context) (time.Duration, error) {
	err := w.answered(ctx, time.Now())
	w.end()
	w.asking.Wait()
	var longest time.Duration
	slices.SortFunc(w.answers, time.Time.Compare)
	for i := 1; i < len(w.answers); i++ {
		longest = max(longest, w.answers[i].Sub(w.answers[i-1]))
	}
	return longest, err
}
