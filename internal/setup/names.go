package setup

import (
	"context"
	"errors"

	"syncmaster-setup/internal/release"
	"syncmaster-setup/internal/secret"
)

const (
	migrations    = "db-migrations"
	loopback      = "127.0.0.1"
	fernetSetting = "SYNCMASTER__ENCRYPTION__SECRET_KEY"
	databaseURL   = "SYNCMASTER__DATABASE__URL"
	brokerURL     = "SYNCMASTER__BROKER__URL"

	tokenSample = 20  // stored credentials that the key is tried on
	portsTried  = 100 // how far a busy default port may move
)

// component returns the release's name of a Compose service.
func component(service string) release.Component {
	if service == migrations {
		return release.Migrations
	}
	return release.Component(service)
}

// opensAll reports whether a key opens every token.
func opensAll(key secret.Text, tokens []string) bool {
	for _, token := range tokens {
		if !secret.OpensToken(key, token) {
			return false
		}
	}
	return true
}

func joinClose(ctx context.Context, err error, db Database) error {
	return errors.Join(err, db.Close(context.WithoutCancel(ctx)))
}
