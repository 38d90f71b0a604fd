package main

import (
	"context"
	_ "embed" // of rows.sql
	"fmt"
	"strings"

	"github.com/fernet/fernet-go"
)

// rows is SQL that fills every table of an empty install.
//
//go:embed testdata/rows.sql
var rows string

// fill makes rows. key, which may be empty, is the one that encrypts the credentials of connections.
func (b *bench) fill(ctx context.Context, id, database, key string, n amount) error {
	token, err := tokenOf(key)
	if err != nil {
		return err
	}
	command := append(psql(database), "-v", fmt.Sprintf("transfers=%d", n.transfers), "-v", fmt.Sprintf("connections=%d", n.connections),
		"-v", fmt.Sprintf("runs=%d", n.runs), "-v", "token="+token, "-f", "-")
	if err := b.exec(ctx, id, command, strings.NewReader(rows), nil); err != nil {
		return fmt.Errorf("making rows: %w", err)
	}
	_, err = b.sql(ctx, id, database, "VACUUM (ANALYZE)", "CHECKPOINT")
	return err
}

func tokenOf(key string) (string, error) {
	if key == "" {
		return "", nil
	}
	keys, err := fernet.DecodeKeys(key)
	if err != nil {
		return "", fmt.Errorf("reading the encryption key: %w", err)
	}
	token, err := fernet.EncryptAndSign([]byte(`{"password": "x", "type": "basic", "user": "y"}`), keys[0])
	return string(token), err
}
