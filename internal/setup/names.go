package setup

import (
	"errors"

	"syncmaster-setup/internal/fault"
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

// opensAll reports whether a key opens every token.
func opensAll(key secret.Text, tokens []string) bool {
	for _, token := range tokens {
		if !secret.OpensToken(key, token) {
			return false
		}
	}
	return true
}

// CheckIdentity refuses a database server that is not the one that an install was made with, told by PostgreSQL's system
// identifier. An install that has not recorded one accepts any.
func CheckIdentity(recorded, found string) error {
	if recorded == "" || recorded == found {
		return nil
	}
	return fault.New(fault.Refused, errors.New("the database is not the one that this install was made with: its system identifier differs"),
		"check whether the volume or the address of the database was changed")
}
