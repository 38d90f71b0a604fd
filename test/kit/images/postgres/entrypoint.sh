#!/bin/sh
# Answers to the variables and paths of the official postgres image.
set -eu

die() {
	echo "Error: $1" >&2
	exit 1
}

# setting NAME DEFAULT takes NAME from its own variable or from the file that NAME_FILE names, never from both.
setting() {
	eval "value=\${$1:-} file=\${$1_FILE:-}"
	if [ -n "$value" ] && [ -n "$file" ]; then
		die "both $1 and $1_FILE are set (but are exclusive)"
	fi
	if [ -n "$file" ]; then
		value=$(cat "$file") || die "$1_FILE cannot be read: $file"
	fi
	export "$1=${value:-$2}"
	unset "$1_FILE"
}

sql() {
	psql --no-psqlrc --no-password --quiet -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" "$@"
}

require_password() {
	if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
		die 'Database is uninitialized and superuser password is not specified.
       You must specify POSTGRES_PASSWORD to a non-empty value for the
       superuser, or POSTGRES_HOST_AUTH_METHOD=trust to allow all connections
       without a password.'
	fi
}

create_cluster() {
	secret=$(mktemp)
	printf '%s\n' "$POSTGRES_PASSWORD" > "$secret"
	if [ -n "$POSTGRES_PASSWORD" ]; then
		set -- "--pwfile=$secret"
	else
		set --
	fi
	# The arguments are shell words, as in the official image.
	eval "set -- \"\$@\" $POSTGRES_INITDB_ARGS"
	initdb --username="$POSTGRES_USER" --pgdata="$PGDATA" "$@"
	rm -f "$secret"
	printf '\nhost all all all %s\n' "${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >> "$PGDATA/pg_hba.conf"
}

run_init_files() {
	for f in /docker-entrypoint-initdb.d/*; do
		case $f in
			*.sh)
				echo "$0: running $f"
				if [ -x "$f" ]; then "$f"; else . "$f"; fi ;;
			*.sql)
				echo "$0: running $f"
				sql --dbname "$POSTGRES_DB" -f "$f" ;;
			*.sql.gz)
				echo "$0: running $f"
				gunzip -c "$f" | sql --dbname "$POSTGRES_DB" ;;
			'/docker-entrypoint-initdb.d/*') ;;
			*) echo "$0: ignoring $f" ;;
		esac
	done
}

# The temporary server listens on the socket only: what answers over TCP is the initialised database.
initialise() {
	require_password
	create_cluster
	export PGPASSWORD="$POSTGRES_PASSWORD"
	pg_ctl -D "$PGDATA" -o "-c listen_addresses='' -p ${PGPORT:-5432}" -w start
	if [ "$POSTGRES_DB" != postgres ]; then
		echo 'CREATE DATABASE :"db";' | sql --dbname postgres -v db="$POSTGRES_DB"
	fi
	run_init_files
	pg_ctl -D "$PGDATA" -m fast -w stop
	unset PGPASSWORD
	echo
	echo 'PostgreSQL init process complete; ready for start up.'
	echo
}

case ${1:-} in
	-*) set -- postgres "$@" ;;
esac

if [ "${1:-}" = postgres ]; then
	mkdir -p "$PGDATA"
	if [ "$(id -u)" = 0 ]; then
		find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
		chmod 0700 "$PGDATA"
		exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
	fi
	chmod 0700 "$PGDATA" || true # another user's mount: the server itself decides
	setting POSTGRES_PASSWORD ''
	setting POSTGRES_USER postgres
	setting POSTGRES_DB "$POSTGRES_USER"
	setting POSTGRES_INITDB_ARGS ''
	: "${POSTGRES_HOST_AUTH_METHOD:=}"
	if [ -s "$PGDATA/PG_VERSION" ]; then
		echo
		echo 'PostgreSQL Database directory appears to contain a database; Skipping initialization'
		echo
	else
		initialise
	fi
fi

exec "$@"
