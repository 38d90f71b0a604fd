package database

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"syncmaster-setup/internal/fault"
	"syncmaster-setup/internal/secret"
)

const (
	applicationName = "syncmaster-setup"
	connectTimeout  = 10 * time.Second
	defaultPort     = 5432
	urlForm         = "write it as postgresql+asyncpg://USER:PASSWORD@HOST:5432/DATABASE"
)

// keepAlive lets a statement that takes long be told from a server that is gone, half a minute after it went.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3}

// Target says where a database is and who connects to it. It prints without its password. The zero value is of no use;
// [ParseURL] makes one.
type Target struct {
	host     string // name, address, or directory of a socket; empty for libpq's default
	port     uint16
	user     string
	database string
	password secret.Text
	tls      map[string]string // sslmode and the files that belong to it, by libpq's names
}

// ParseURL reads a database URL in the forms that SQLAlchemy accepts for PostgreSQL: postgresql://, postgres://,
// postgresql+asyncpg://, postgresql+psycopg2:// and other drivers. The host may be a name, an IPv4 address, an IPv6
// address in brackets, a percent-encoded socket directory, or given as ?host=. Parameters that only a Python driver
// understands are ignored. Errors carry [fault.BadInput] and never a part of the URL that can hold the password.
func ParseURL(raw string) (Target, error) {
	t, err := parseURL(raw)
	if err != nil {
		return Target{}, fault.New(fault.BadInput, fmt.Errorf("reading the database URL: %w", err), urlForm)
	}
	return t, nil
}

// WithAddress returns the same database and user at another address, host:port, such as the one a container's port is
// published on.
func (t Target) WithAddress(address string) (Target, error) {
	host, port, err := net.SplitHostPort(address)
	if err == nil && host == "" {
		err = errors.New("no host")
	}
	if err == nil {
		t.host = host
		t.port, err = parsePort(port)
	}
	if err != nil {
		return Target{}, fault.New(fault.BadInput, fmt.Errorf("reading the database address %q: %w", address, err), "")
	}
	return t, nil
}

// String returns the target as a URL without password and parameters.
func (t Target) String() string {
	u := url.URL{Scheme: "postgresql", Path: "/" + t.database}
	if t.user != "" {
		u.User = url.User(t.user)
	}
	if t.host != "" {
		u.Host = net.JoinHostPort(t.host, strconv.Itoa(int(t.port)))
	}
	if strings.HasPrefix(t.host, "/") {
		u.Host = ""
		u.RawQuery = "host=" + t.host
	}
	return u.String()
}

// GoString returns the same as String.
func (t Target) GoString() string { return t.String() }

// Format writes what String returns, for every verb.
func (t Target) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, t.String()) // fmt gives no way to report it
}

// MarshalText returns what String returns.
func (t Target) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// LogValue returns what String returns.
func (t Target) LogValue() slog.Value { return slog.StringValue(t.String()) }

// ignoredParameters are understood by SQLAlchemy, asyncpg or libpq and have no bearing on one session of ours.
var ignoredParameters = []string{
	"application_name", "async_fallback", "client_encoding", "command_timeout", "connect_timeout", "fallback_application_name",
	"gssencmode", "keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval", "max_cacheable_statement_size",
	"max_cached_statement_lifetime", "options", "prepared_statement_cache_size", "prepared_statement_name_func",
	"server_settings", "statement_cache_size", "target_session_attrs", "tcp_user_timeout", "timeout",
}

func parseURL(raw string) (Target, error) {
	scheme, rest, found := strings.Cut(raw, "://")
	dialect, _, _ := strings.Cut(scheme, "+")
	if !found || (dialect != "postgresql" && dialect != "postgres") {
		return Target{}, errors.New("it does not start with postgresql://")
	}
	t := Target{port: defaultPort, tls: map[string]string{"sslmode": "prefer"}}
	rest, err := t.parseUser(rest)
	if err != nil {
		return Target{}, err
	}
	rest, query, _ := strings.Cut(rest, "?")
	address, database, _ := strings.Cut(rest, "/")
	if t.database, err = url.PathUnescape(database); err != nil {
		return Target{}, errors.New("the database name has a % that is not followed by two hexadecimal digits")
	}
	if err := t.parseAddress(address); err != nil {
		return Target{}, err
	}
	return t, t.parseQuery(query)
}

// parseUser takes user and password off the front, as SQLAlchemy does: the user ends at the first colon, the password
// at the first @.
func (t *Target) parseUser(rest string) (string, error) {
	userinfo, after, found := strings.Cut(rest, "@")
	user, password, _ := strings.Cut(userinfo, ":")
	if !found || strings.ContainsAny(user, "/?") {
		return rest, nil
	}
	if authority, _, _ := strings.Cut(after, "/"); strings.Contains(authority, "@") {
		return "", errors.New("it has more than one @; write one in the user name or password as %40")
	}
	var err error
	if t.user, err = url.PathUnescape(user); err != nil {
		return "", errors.New("the user name has a % that is not followed by two hexadecimal digits; write it as %25")
	}
	if password, err = url.PathUnescape(password); err != nil {
		return "", errors.New("the password has a % that is not followed by two hexadecimal digits; write it as %25")
	}
	t.password = secret.NewText(password)
	return after, nil
}

func (t *Target) parseAddress(address string) error {
	if address == "" {
		return nil
	}
	if strings.Contains(address, ",") {
		return errors.New("it names several hosts; name the one that accepts writes")
	}
	if end := strings.LastIndex(address, "]"); strings.HasPrefix(address, "[") && end > 0 {
		return t.setAddress(address[1:end], strings.TrimPrefix(address[end+1:], ":"))
	}
	if strings.Count(address, ":") > 1 {
		return errors.New("an IPv6 address is written in brackets, as in [::1]:5432; a : in a password as %3A")
	}
	host, port, _ := strings.Cut(address, ":")
	return t.setAddress(host, port)
}

func (t *Target) setAddress(host, port string) error {
	var err error
	if t.host, err = url.PathUnescape(host); err != nil {
		return errors.New("the host has a % that is not followed by two hexadecimal digits")
	}
	if port == "" {
		return nil
	}
	t.port, err = parsePort(port)
	return err
}

func (t *Target) parseQuery(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("its parameters, after the question mark, are not NAME=VALUE&NAME=VALUE")
	}
	for name, list := range values {
		value := list[len(list)-1]
		switch name {
		case "host":
			host, port, _ := strings.Cut(value, ":") // SQLAlchemy allows ?host=name:port
			if strings.HasPrefix(value, "/") || strings.Count(value, ":") > 1 {
				host, port = value, ""
			}
			err = t.setAddress(url.PathEscape(host), port)
		case "port":
			t.port, err = parsePort(value)
		case "user":
			t.user = value
		case "password":
			t.password = secret.NewText(value)
		case "database", "dbname":
			t.database = value
		case "ssl", "sslmode": // asyncpg's name and libpq's
			err = t.setMode(value)
		case "sslrootcert", "sslcert", "sslkey":
			t.tls[name] = value
		default:
			if !slices.Contains(ignoredParameters, name) {
				err = fmt.Errorf("parameter %q is not known", name)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *Target) setMode(mode string) error {
	switch strings.ToLower(mode) {
	case "true", "1", "on":
		mode = "require"
	case "false", "0", "off":
		mode = "disable"
	}
	if !slices.Contains([]string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}, mode) {
		return errors.New("sslmode is none of disable, allow, prefer, require, verify-ca, verify-full")
	}
	t.tls["sslmode"] = mode
	return nil
}

func parsePort(text string) (uint16, error) {
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return 0, errors.New("the port is not a number from 1 to 65535")
	}
	return uint16(port), nil
}

// config returns the connection settings. Everything that the environment could change, except the defaults of a
// missing host, user or password, is set explicitly.
func (t Target) config() (*pgx.ConnConfig, error) {
	values := map[string]string{
		"port": strconv.Itoa(int(t.port)), "dbname": t.database, "host": t.host, "user": t.user,
		"password": t.password.Reveal(), "target_session_attrs": "any",
		"connect_timeout": strconv.Itoa(int(connectTimeout / time.Second)),
	}
	for name, value := range t.tls {
		values[name] = value
	}
	quote := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	var text strings.Builder
	for name, value := range values {
		if value != "" {
			fmt.Fprintf(&text, "%s='%s' ", name, quote.Replace(value))
		}
	}
	config, err := pgx.ParseConfig(strings.TrimSpace(text.String())) // a space at the end is an error
	if err != nil {
		var parse *pgconn.ParseConfigError
		if errors.As(err, &parse) { // its own text repeats the settings
			err = errors.Unwrap(parse)
		}
		return nil, fmt.Errorf("reading the connection settings: %w", err)
	}
	config.DialFunc = (&net.Dialer{KeepAliveConfig: keepAlive}).DialContext
	config.RuntimeParams = sessionSettings()
	config.DefaultQueryExecMode = pgx.QueryExecModeExec // nothing runs often enough to be prepared
	config.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: cancelGrace}
	}
	return config, nil
}
