package database

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"syncmaster-setup/internal/fault"
)

// SQLSTATE codes that are told apart (PostgreSQL manual, appendix A).
const (
	codeProtocolViolation   = "08P01"
	codeUniqueViolation     = "23505"
	codeReadOnly            = "25006"
	codeInvalidRole         = "28000"
	codeInvalidPassword     = "28P01"
	codeInvalidCatalog      = "3D000"
	codeDeadlock            = "40P01"
	codeInsufficientRight   = "42501"
	codeUndefinedTable      = "42P01"
	codeDuplicateTable      = "42P07"
	codeInvalidParameter    = "22023"
	codeTooManyConnections  = "53300"
	codeDiskFull            = "53100"
	codeLockNotAvailable    = "55P03"
	codeAdminShutdown       = "57P01"
	codeCrashShutdown       = "57P02"
	codeCannotConnectNow    = "57P03"
	codeExtensionNotPresent = "0A000"
	codeUndefinedFile       = "58P01"
)

// Retryable reports whether an error of [Connect] may pass by waiting: nothing listens yet, the connection was dropped
// while the server starts, or it says that it is starting up or full.
func Retryable(err error) bool {
	var passing *passingError
	return errors.As(err, &passing)
}

// passingError marks a cause that waiting can cure.
type passingError struct{ err error }

func (e *passingError) Error() string { return e.err.Error() }
func (e *passingError) Unwrap() error { return e.err }

// connectError turns the driver's error into one with hint and exit code. The driver's own text is not used: it joins
// every attempt over every address.
func connectError(t Target, err error) error {
	var code fault.Code
	var hint string
	var passing bool
	cause := rootCause(err)
	if state := sqlState(err); state != "" {
		code, hint, passing = serverRefusal(state, cause.Error())
	} else {
		code, hint, passing = networkRefusal(err, cause)
	}
	if passing {
		cause = &passingError{err: cause}
	}
	return fault.New(code, fmt.Errorf("connecting to %s: %w", t, cause), hint)
}

// serverRefusal explains an error that the server itself sent before the session began.
func serverRefusal(state, message string) (code fault.Code, hint string, passing bool) {
	switch state {
	case codeInvalidPassword:
		return fault.BadInput, "check user and password in the database URL", false
	case codeInvalidRole:
		if strings.Contains(message, "no encryption") || strings.Contains(message, "SSL off") {
			return fault.BadInput, "the server wants TLS: add ?ssl=require to the database URL", false
		}
		return fault.BadInput, "check the user in the database URL and the server's pg_hba.conf", false
	case codeInvalidCatalog:
		return fault.BadInput, "create the database first, or correct its name in the URL", false
	case codeInsufficientRight:
		return fault.BadInput, "the user lacks the right to connect: GRANT CONNECT ON DATABASE … TO …", false
	case codeCannotConnectNow, codeAdminShutdown, codeCrashShutdown:
		return fault.Refused, "the server is starting or stopping: wait and try again", true
	case codeTooManyConnections:
		return fault.Refused, "close other sessions of the database and try again", true
	case codeProtocolViolation:
		return fault.Refused, poolerHint, false
	}
	return fault.Refused, "", false
}

// networkRefusal explains an error that came from the network rather than from PostgreSQL.
func networkRefusal(err, cause error) (code fault.Code, hint string, passing bool) {
	var dns *net.DNSError
	if errors.As(err, &dns) && !dns.IsTemporary && !dns.IsTimeout {
		return fault.BadInput, "check the host in the database URL", false
	}
	// a plain errors.New in pgconn; not the last attempt where going on without TLS was allowed, and met something else
	if strings.Contains(cause.Error(), "server refused TLS connection") {
		return fault.BadInput, "the server offers no TLS: add ?ssl=disable to the database URL, or enable TLS on the server", false
	}
	if distrusts(err) {
		return fault.BadInput, "check sslmode and sslrootcert in the database URL: the server's certificate must fit them, its name the host", false
	}
	passingCauses := []error{
		syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, syscall.EHOSTUNREACH, syscall.ENETUNREACH,
		io.EOF, io.ErrUnexpectedEOF, os.ErrNotExist, os.ErrDeadlineExceeded, context.DeadlineExceeded,
	}
	for _, cause := range passingCauses {
		if errors.Is(err, cause) {
			return fault.Refused, "check that PostgreSQL runs and listens at this address", true
		}
	}
	return fault.Refused, "", pgconn.Timeout(err) || dns != nil
}

// distrusts reports whether the server's certificate was not accepted.
func distrusts(err error) bool {
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError // where the driver verifies by itself, for verify-ca
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &invalid)
}

// rootCause returns the innermost error, without the settings that the driver puts around it.
func rootCause(err error) error {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return pgErr
	}
	var connect *pgconn.ConnectError
	if !errors.As(err, &connect) {
		return err
	}
	for {
		next := errors.Unwrap(err)
		if joined, ok := err.(interface{ Unwrap() []error }); ok && len(joined.Unwrap()) > 0 {
			list := joined.Unwrap()
			next = list[len(list)-1]
		}
		var network *net.OpError
		if next == nil || (errors.As(err, &network) && !errors.As(next, &network)) {
			return err
		}
		err = next
	}
}

func sqlState(err error) string {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return pgErr.Code
	}
	return ""
}
