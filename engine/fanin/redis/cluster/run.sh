#!/bin/sh
# Three Redis masters on this machine, for trying things out: run.sh up, run.sh down. Their files are in
# bin/cluster; ports are 7001 to 7003, or from the one given with PORT.
set -eu
cd "$(dirname "$0")/../../../.."
dir=bin/cluster
port=${PORT:-7001}

up() {
	command -v redis-server >/dev/null || { echo "redis-server is missing: apt-get install redis-server" >&2; exit 1; }
	if [ -e "$dir" ]; then
		echo "$dir is there: the cluster is up, or was not ended (make cluster-down)" >&2
		exit 1
	fi
	masters=""
	for i in 0 1 2; do
		p=$((port + i))
		mkdir -p "$dir/$p"
		redis-server --port $p --bind 127.0.0.1 --dir "$dir/$p" --pidfile "$PWD/$dir/$p/pid" --logfile log --daemonize yes \
			--save "" --appendonly no --cluster-enabled yes --cluster-port $((p + 1000)) --cluster-node-timeout 3000 \
			--cluster-require-full-coverage no --stream-node-max-bytes 1024 --client-output-buffer-limit "pubsub 256mb 64mb 60" >/dev/null
		masters="$masters 127.0.0.1:$p"
	done
	for i in 0 1 2; do
		until redis-cli -p $((port + i)) PING 2>/dev/null | grep -q PONG; do sleep 0.1; done
	done
	redis-cli --cluster create $masters --cluster-yes >"$dir/create.log" || { cat "$dir/create.log" >&2; exit 1; }
	for i in 0 1 2; do
		until redis-cli -p $((port + i)) CLUSTER INFO | grep -q cluster_state:ok; do sleep 0.1; done
	done
	echo "redis+cluster://127.0.0.1:$port"
}

down() {
	[ -e "$dir" ] || return 0
	for file in "$dir"/*/pid; do
		[ -e "$file" ] && kill "$(cat "$file")" 2>/dev/null || true
	done
	rm -rf "$dir"
}

case ${1:-} in
up) up ;;
down) down ;;
*) echo "usage: $0 up|down" >&2; exit 1 ;;
esac
