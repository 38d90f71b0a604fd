package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/fernet/fernet-go"
	"github.com/jackc/pgx/v5"
)

const connectLimit = 30 * time.Second

// drivers of the database URL: the server and the migrations use asyncpg, the scheduler's job store and the worker
// psycopg2 (trap 8).
const (
	asyncpg  = "asyncpg"
	psycopg2 = "psycopg2"
)

// connect opens a session with the settings' database URL, as the driver would.
func (s settings) connect(ctx context.Context, driver string) (*pgx.Conn, error) {
	return connectURL(ctx, s.text("", "database", "url"), driver)
}

func connectURL(ctx context.Context, text, driver string) (*pgx.Conn, error) {
	rest, ok := strings.CutPrefix(text, "postgresql+asyncpg://")
	if !ok {
		return nil, errors.New("sqlalchemy.exc.ArgumentError: the database URL needs the scheme postgresql+asyncpg")
	}
	u, err := url.Parse("postgres://" + rest)
	if err != nil {
		return nil, errors.New("sqlalchemy.exc.ArgumentError: Could not parse SQLAlchemy URL from string")
	}
	foreign := map[string]string{asyncpg: "sslmode", psycopg2: "ssl"}[driver]
	if u.Query().Has(foreign) {
		return nil, fmt.Errorf("TypeError: connect() got an unexpected keyword argument '%s'", foreign)
	}
	query := u.Query()
	if mode := query.Get("ssl"); mode != "" {
		query.Del("ssl")
		query.Set("sslmode", mode)
		u.RawQuery = query.Encode()
	}
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	conn, err := pgx.Connect(ctx, u.String())
	if err != nil {
		return nil, fmt.Errorf("sqlalchemy.exc.OperationalError: %w", err)
	}
	return conn, nil
}

// credentials decrypts all stored credentials; nothing is done with them.
func (s settings) credentials(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, "SELECT value FROM auth_data")
	if err != nil {
		return fmt.Errorf("reading auth_data: %w", err)
	}
	values, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("reading auth_data: %w", err)
	}
	if len(values) == 0 {
		return nil
	}
	// The key is looked at only now (trap 6).
	key, err := fernet.DecodeKey(s.text("", "encryption", "secret_key"))
	if err != nil {
		return errors.New("ValueError: Fernet key must be 32 url-safe base64-encoded bytes")
	}
	for _, value := range values {
		if fernet.VerifyAndDecrypt([]byte(value), 0, []*fernet.Key{key}) == nil {
			return errors.New("cryptography.fernet.InvalidToken")
		}
	}
	return nil
}

// hangUp closes a session; by then nobody is interested in the outcome.
func hangUp(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}
