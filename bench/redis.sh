#!/bin/sh
# Measures edges with Redis: the latency of two edges on a cluster of three masters beside that of one node by itself, what
# one edge takes in beside what redis-benchmark publishes, memory by topic, and how long very many topics need after their
# server was started again. Leaves results.txt and the raw files in DIR. Needs redis-server and curl.
# Usage: bench/redis.sh SSEDGE DIR [ROUNDS]
set -eu
ssedge=$1
dir=$2
rounds=${3:-3}
here=$(dirname "$0")
mkdir -p "$dir"
out=$dir/results.txt
pids=""
work=$(mktemp -d)
PORT=17601 # of the first master
export PORT

note() { echo "$*" | tee -a "$out"; }

# start NAME COMMAND… runs it until stop NAME, or the end of everything.
start() {
	name=$1
	shift
	"$@" >"$work/$name.log" 2>&1 &
	echo $! >"$work/$name.pid"
	pids="$pids $name"
}

stop() {
	for name; do
		if [ -f "$work/$name.pid" ]; then
			kill -9 "$(cat "$work/$name.pid")" 2>/dev/null || true
			wait "$(cat "$work/$name.pid")" 2>/dev/null || true
			rm -f "$work/$name.pid"
		fi
	done
}

finish() {
	# shellcheck disable=SC2086 # names
	stop $pids
	"$here/../engine/fanin/redis/cluster/run.sh" down >/dev/null 2>&1 || true
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

ready() {
	for _ in $(seq 200); do
		curl -sf "http://127.0.0.1:$1/readyz" >/dev/null && return
		sleep 0.05
	done
	echo "nothing answers at $1" >&2
	exit 1
}

# edge NAME PORT FLAGS… serves at PORT, its admin listener is one above.
edge() {
	name=$1
	port=$2
	shift 2
	start "$name" "$ssedge" serve --dev --listen "127.0.0.1:$port" --admin "127.0.0.1:$((port + 1))" "$@"
	ready $((port + 1))
}

metric() { curl -s "http://127.0.0.1:$1/metrics" | awk -v name="$2" '$1 == name { print $2 }'; }

redis() { # NAME PORT
	start "$1" redis-server --port "$2" --bind 127.0.0.1 --save "" --appendonly no --dir "$work" --client-output-buffer-limit "pubsub 256mb 64mb 60"
	until [ "$(redis-cli -p "$2" PING 2>/dev/null)" = PONG ]; do sleep 0.05; done
}

: >"$out"
note "Edges with Redis. $(date -u +%F), $(uname -sr), $(nproc) processors, $(redis-server --version | cut -d' ' -f1-3), $("$ssedge" version 2>&1 | head -n 1)"
note "Command: bench/redis.sh SSEDGE DIR $rounds"

note ""
note "== latency from publishing at one edge to delivery by another, three masters; and of one node by itself at the same load, in turn"
"$here/../engine/fanin/redis/cluster/run.sh" up >/dev/null
load="--streams 1000 --topics 100 --rate 1000 --for 10s"
note "ssedge bench fanout $load --subscribe B --publish-url A"
for round in $(seq "$rounds"); do
	for how in embedded redis; do
		if [ $how = embedded ]; then
			edge a 18080
			to=18080
		else
			edge a 18080 --redis redis+cluster://127.0.0.1:$PORT
			edge b 18090 --redis redis+cluster://127.0.0.1:$PORT
			to=18090
		fi
		# shellcheck disable=SC2086 # flags
		"$ssedge" bench fanout $load --subscribe "http://127.0.0.1:$to/events?topic={topic}" --publish-url "http://127.0.0.1:18080/publish?topic={topic}" \
			--publish-header 'Content-Type: text/plain' --report "$dir/latency-$how-$round" >"$dir/latency-$how-$round.txt" 2>&1 || note "with faults"
		note "$how $round: $(grep -E 'p50|p99' "$dir/latency-$how-$round.txt" | tr -s ' \n' ' ')"
		rm -f "$dir/latency-$how-$round/index.html" # ssedge bench report makes it again
		gzip -9nf "$dir/latency-$how-$round/raw.json"
		stop a b
	done
done
"$here/../engine/fanin/redis/cluster/run.sh" down >/dev/null

note ""
note "== taken in: redis-benchmark publishing 100 bytes to one topic, without and with an edge that has it"
payload=$(printf '%0100d' 0)
redis standalone 17555
edge a 18080 --redis redis://127.0.0.1:17555
curl -sN "http://127.0.0.1:18080/events?topic=flood" >/dev/null 2>&1 &
reader=$!
sleep 1
publishing() { # TOPIC DEPTH prints messages a second
	redis-benchmark -p 17555 -n $((400000 + 40000 * $2)) -c 50 -P "$2" -q --csv PUBLISH "sse:$1" "$payload" | tail -n 1 | cut -d, -f2 | tr -d '"'
}
for round in $(seq "$rounds"); do
	for depth in 1 16; do
		alone=$(publishing nobody "$depth")
		before=$(metric 18081 ssedge_redis_messages_total)
		lost=$(metric 18081 ssedge_redis_reconnects_total)
		began=$(date +%s.%N)
		beside=$(publishing flood "$depth")
		last=-1
		while now=$(metric 18081 ssedge_redis_messages_total); [ "$now" != "$last" ]; do # until it has them all
			last=$now
			ended=$(date +%s.%N)
			sleep 0.1
		done
		note "$(echo "$alone $beside $before $now $began $ended $lost $(metric 18081 ssedge_redis_reconnects_total)" | awk -v d="$depth" '{
			taken = ($4 - $3) / ($6 - $5)
			printf "pipelines of %d: %.0f/s without a subscriber, %.0f/s while the edge has the topic; the edge has taken %d at %.0f/s, %.2f of what is published without a subscriber; reconnects: %d", d, $1, $2, $4 - $3, taken, taken / $1, $8 - $7 }')"
	done
done
kill $reader
stop a standalone

note ""
note "== memory: of 200 streams of 500 topics each, PSS 14 s after the last one less that before, by topic; in turn"
many="--topics-per-stream=500 --target-bytes=65536 --head-bytes=131072 --topics-max=2000000 --heartbeat=0s"
query=$(seq 0 499 | sed 's/.*/topic={stream}-&/' | paste -sd'&')
pss() { awk '/^Pss:/ { print $2 * 1024; exit }' "/proc/$1/smaps_rollup"; }
hold() { # opens the streams, in processes that hold them
	readers=""
	for n in $(seq 200); do
		curl -sN --max-time 300 "http://127.0.0.1:18080/events?$(echo "$query" | sed "s/{stream}/$n/g")" >/dev/null 2>&1 &
		readers="$readers $!"
	done
	until [ "$(metric 18081 ssedge_topics)" = 100000 ]; do sleep 0.1; done
}
release() {
	# shellcheck disable=SC2086 # pids
	kill $readers 2>/dev/null || true
	wait $readers 2>/dev/null || true
}
for round in $(seq "$rounds"); do
	for how in embedded redis; do
		if [ $how = embedded ]; then
			# shellcheck disable=SC2086 # flags
			edge a 18080 $many
		else
			redis standalone 17555
			# shellcheck disable=SC2086 # flags
			edge a 18080 $many --redis redis://127.0.0.1:17555
		fi
		sleep 2
		pid=$(cat "$work/a.pid")
		before=$(pss "$pid")
		hold
		sleep 14
		note "$how $round: $((($(pss "$pid") - before) / 100000)) B a topic"
		release
		stop a standalone
	done
done

note ""
note "== 100,000 topics after their server was killed and started again, empty: until all are live"
for round in $(seq "$rounds"); do
	redis standalone 17555
	# shellcheck disable=SC2086 # flags
	edge a 18080 $many --redis redis://127.0.0.1:17555
	hold
	until [ "$(metric 18081 'ssedge_redis_topics{state="live"}')" = 100000 ]; do sleep 0.1; done
	stop standalone
	until [ "$(metric 18081 'ssedge_redis_topics{state="live"}')" = 0 ]; do sleep 0.02; done
	redis standalone 17555
	began=$(date +%s%N)
	until [ "$(metric 18081 'ssedge_redis_topics{state="live"}')" = 100000 ]; do sleep 0.02; done
	note "round $round: $((($(date +%s%N) - began) / 1000000)) ms"
	release
	stop a standalone
done
