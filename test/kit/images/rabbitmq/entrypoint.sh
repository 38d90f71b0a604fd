#!/bin/sh
# Answers to the variables and paths of the official rabbitmq image. RABBITMQ_DEFAULT_USER, _PASS and _VHOST are read
# by the broker itself, on an empty data directory only.
set -eu

case ${1:-} in
	rabbitmq*)
		if [ "$(id -u)" = 0 ]; then
			if [ "$1" = rabbitmq-server ]; then
				find /var/lib/rabbitmq \! -user rabbitmq -exec chown rabbitmq '{}' +
			fi
			exec setpriv --reuid=rabbitmq --regid=rabbitmq --init-groups "$0" "$@"
		fi ;;
esac

# The official image refuses these from 3.9 on.
for name in RABBITMQ_DEFAULT_PASS_FILE RABBITMQ_DEFAULT_USER_FILE RABBITMQ_VM_MEMORY_HIGH_WATERMARK; do
	eval "value=\${$name:-}"
	if [ -n "$value" ]; then
		echo "error: $name is set but deprecated" >&2
		echo 'error: deprecated environment variables detected' >&2
		exit 1
	fi
done

# Erlang reserves memory for every descriptor it may open, which costs seconds where the engine sets no limit.
limit=$(ulimit -n)
if [ "$limit" = unlimited ] || [ "$limit" -gt 65536 ]; then
	ulimit -n 65536
fi

exec "$@"
