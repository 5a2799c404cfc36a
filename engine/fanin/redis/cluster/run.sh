#!/bin/sh
# Three Redis masters on this machine, for trying things out: run.sh up, run.sh down. Their files are in
# bin/cluster; ports are 7001 to 7003, or from the one given with PORT, and for their bus those and 1000.
set -eu
cd "$(dirname "$0")/../../../.."
dir=bin/cluster
port=${PORT:-7001}

die() {
	echo "$*" >&2
	exit 1
}

# within tries a command for 20 s.
within() {
	end=$(($(date +%s) + 20))
	until "$@"; do
		[ "$(date +%s)" -lt "$end" ] || return 1
		sleep 0.1
	done
}

# listens says whether anything does on a port, at whatever address.
listens() {
	cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v port="$(printf :%04X "$1")" \
		'$4 == "0A" && substr($2, length($2) - 4) == port { found = 1 } END { exit !found }'
}

answers() { # the file says that it is this server, and not another at its port
	[ -s "$dir/$1/pid" ] && timeout 1 redis-cli -p "$1" PING 2>/dev/null | grep -q PONG
}

complete() { timeout 1 redis-cli -p "$1" CLUSTER INFO 2>/dev/null | grep -q cluster_state:ok; }

# failed ends with what a server has to say.
failed() {
	echo "$2; the last lines of its log:" >&2
	tail -n 3 "$dir/$1/log" >&2 || true
	exit 1
}

up() {
	for tool in redis-server redis-cli; do
		command -v $tool >/dev/null || die "$tool is missing: apt-get install redis-server"
	done
	[ ! -e "$dir" ] || die "$dir is there: the cluster is up, or was not ended (make cluster-down)"
	case $port in
	'' | 0* | *[!0-9]* | ??????*) die "PORT=$port: expected a port from 1 to 64533" ;;
	esac
	[ "$port" -le 64533 ] || die "PORT=$port: expected a port from 1 to 64533"
	ports="$port $((port + 1)) $((port + 2))"
	for p in $ports; do
		for q in "$p" $((p + 1000)); do
			if listens "$q"; then
				die "port $q is in use: end what listens there, or PORT=$((port + 100)) make cluster"
			fi
		done
	done
	trap down EXIT # unless all of it is done
	trap 'exit 1' HUP INT TERM
	masters=""
	for p in $ports; do
		mkdir -p "$dir/$p"
		redis-server --port "$p" --bind 127.0.0.1 --dir "$dir/$p" --pidfile "$PWD/$dir/$p/pid" --logfile log --daemonize yes \
			--save "" --appendonly no --cluster-enabled yes --cluster-port $((p + 1000)) --cluster-node-timeout 3000 \
			--cluster-require-full-coverage no --stream-node-max-bytes 1024 --client-output-buffer-limit "pubsub 256mb 64mb 60" >/dev/null
		within answers "$p" || failed "$p" "the server at port $p did not start within 20 s"
		masters="$masters 127.0.0.1:$p"
	done
	# shellcheck disable=SC2086 # three words
	timeout 20 redis-cli --cluster create $masters --cluster-yes >"$dir/create.log" 2>&1 || {
		tail -n 3 "$dir/create.log" >&2
		failed "$port" "the three servers did not make a cluster within 20 s"
	}
	for p in $ports; do
		within complete "$p" || failed "$p" "the server at port $p did not find the others within 20 s"
	done
	trap - EXIT
	echo "redis+cluster://127.0.0.1:$port"
}

# runs says whether the server of a directory does: a number that is left over may be another process's.
runs() {
	pid=$(cat "$1/pid" 2>/dev/null) && grep -qs "redis-server.*:${1##*/}" "/proc/$pid/cmdline"
}

ended() { ! runs "$1"; }

down() {
	[ -e "$dir" ] || return 0
	for d in "$dir"/*/; do
		d=${d%/}
		runs "$d" || continue
		kill -KILL "$pid" # nothing of it is to be kept, and it may be stopped
		within ended "$d" || die "the server of $d, process $pid, does not end"
	done
	rm -rf "$dir"
}

case ${1:-} in
up) up ;;
down) down ;;
*) die "usage: $0 up|down" ;;
esac
