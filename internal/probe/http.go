package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	requestLimit = 3 * time.Second
	bodyLimit    = 1 << 20
)

// HTTP returns a check that is passed when a GET of the address answers 200 and, where body is not nil, when body
// accepts the answer's first MiB. Proxies of the environment are never used and redirects not followed. The addresses
// carry no credentials.
func HTTP(address string, body func([]byte) error) func(context.Context) error {
	client := &http.Client{
		Timeout: requestLimit,
		Transport: &http.Transport{
			Proxy:             nil,
			DialContext:       (&net.Dialer{Timeout: requestLimit}).DialContext,
			DisableKeepAlives: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return func(ctx context.Context) error { return get(ctx, client, address, body) }
}

func get(ctx context.Context, client *http.Client, address string, body func([]byte) error) (err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return Fatal(fmt.Errorf("requesting %s: %w", address, err))
	}
	response, err := client.Do(request)
	if err != nil {
		return err // names the method and the address
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("requesting %s: status %s", address, response.Status)
	}
	if body == nil {
		return nil
	}
	content, err := io.ReadAll(io.LimitReader(response.Body, bodyLimit))
	if err != nil {
		return fmt.Errorf("reading the answer of %s: %w", address, err)
	}
	if err := body(content); err != nil {
		return fmt.Errorf("reading the answer of %s: %w", address, err)
	}
	return nil
}
