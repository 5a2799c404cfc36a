#!/bin/sh
# Measures what topics take at a Redis server: the figures under Sizing in engine/fanin/redis/README.md. Prints them.
# Usage: bench/redis-sizes.sh SSEDGE
set -eu
ssedge=$1
port=17655
work=$(mktemp -d)
redis-server --port $port --bind 127.0.0.1 --save "" --dir "$work" >/dev/null &
server=$!
subscribers=""
finish() {
	# shellcheck disable=SC2086 # pids
	kill $subscribers $server 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM
cli() { redis-cli -p $port "$@"; }
until [ "$(cli PING 2>/dev/null)" = PONG ]; do sleep 0.05; done
used() { cli INFO memory | awk -F: '/^used_memory:/ { print $2 + 0 }'; }
echo "$(date -u +%F), $(uname -sr), $(redis-server --version | cut -d' ' -f1-3), $("$ssedge" version)"

script=$("$ssedge" redis script --history-events 1000000)
many() { # TOPICS EVENTS: publishes so many events of 100 bytes, or one of 5, to each topic
	cli EVAL "$script
" 1 sse:warm hello >/dev/null
	sha=$(cli SCRIPT LOAD "$script")
	payload=hello
	[ "$2" = 1 ] || payload=$(printf '%0100d' 0)
	awk -v topics="$1" -v events="$2" -v sha="$sha" -v data="$payload" 'BEGIN {
		for (t = 0; t < topics; t++) for (e = 0; e < events; e++) print "EVALSHA", sha, 1, "sse:topic" t, data }' | cli >/dev/null
}
for bytes in 4096 1024 512; do
	cli FLUSHALL >/dev/null
	cli CONFIG SET stream-node-max-bytes $bytes >/dev/null
	before=$(used)
	many 20000 1
	after=$(used)
	one=$(cli MEMORY USAGE sse:topic7)
	cli FLUSHALL >/dev/null
	start=$(used)
	many 1 100000
	echo "stream-node-max-bytes $bytes: a topic with one short event $(((after - before) / 20000)) B by used_memory (20,000 topics), $one B by MEMORY USAGE; an event of 100 B $((($(used) - start) / 100000)) B by used_memory (100,000 in one topic)"
done

cli FLUSHALL >/dev/null
for verb in SUBSCRIBE SSUBSCRIBE; do
	for n in first second; do
		before=$(used)
		for tenth in 0 1 2 3 4 5 6 7 8 9; do
			# shellcheck disable=SC2046 # names
			redis-cli -p $port $verb $(seq "${tenth}0000" "${tenth}9999" | sed "s/^/sse:topic$verb/") >/dev/null &
			subscribers="$subscribers $!"
		done
		sleep 2
		echo "$verb, the $n subscriber of 100,000 channels: $((($(used) - before) / 100000)) B each, its ten connections among them"
	done
done
