#!/bin/sh
# What proxies do to streams, with the configurations of tuning/proxy: how far behind a direct connection first bytes and
# events come, how soon a client that goes is gone, how long silence may last; and what 4,000 streams take in the proxy.
# Prints it. Three minutes, over loopback; nginx, HAProxy, Caddy and Apache must be there (make test installs them).
# Usage: bench/proxies.sh SSEDGE
set -eu
[ $# -eq 1 ] || {
	echo "usage: bench/proxies.sh SSEDGE" >&2
	exit 2
}
PATH=$PATH:/usr/sbin
ssedge=$(readlink -f "$1")
cd "$(dirname "$0")/.."
work=$(mktemp -d)
chmod 755 "$work"
edge="" proxy=""
finish() {
	# shellcheck disable=SC2086 # pids
	kill $edge $proxy 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM
echo "$(date -u +%F), $(uname -sr), $(nproc) cores, $("$ssedge" version)"
echo "$(nginx -v 2>&1 | sed 's/.*: //'), $(haproxy -v | sed -n '1s/ [0-9/]* .*//p'), Caddy $(caddy version | cut -d' ' -f1)"
echo
echo "go test ./tuning/proxy -v -run 'TestLag|TestAbort|TestIdle'"
go test ./tuning/proxy -count=1 -v -run 'TestLag|TestAbort|TestIdle' >"$work/out" 2>&1 || {
	cat "$work/out"
	exit 1
}
sed -n 's/^ *[a-z]*_test.go:[0-9]*: /  /p' "$work/out"

streams=4000 at=127.0.0.1:18490
"$ssedge" serve --dev --listen 127.0.0.1:18491 --admin 127.0.0.1:18492 >"$work/edge" 2>&1 &
edge=$!
# placed FILE: a configuration of tuning/proxy with one edge and the addresses of this machine
placed() {
	sed -e '/10\.0\.0\.12/{/10\.0\.0\.11/!d}' -e 's/ 10\.0\.0\.12:8080//; s/10\.0\.0\.11:8080/127.0.0.1:18491/; s/8081/18492/; s/maxconn 100000/maxconn 9000/' \
		-e "s/listen 80 /listen $at /; s/bind :80\$/bind $at/; s|^:80 {|http://$at {|" "tuning/proxy/$1"
}
hold() { # NAME ADDRESS PID...: what streams take in these processes
	name=$1 to=$2
	shift 2
	"$ssedge" bench hold --streams $streams --for 5s --broadcasts 10 --subscribe "http://$to/events?topic={topic}" \
		--publish-url "http://127.0.0.1:18491/publish?topic={topic}" --pid "$(echo "$@" | tr ' ' ,)" >"$work/hold" 2>&1 || {
		cat "$work/hold"
		exit 1
	}
	awk -v name="$name" '{ v[$1] = $2 " " ($3 ~ /^[a-zA-Z]+$/ ? $3 : "") }
		END { printf "  %-8s a stream %s, its accepting %s; an event %s; broadcasts p99 %s; lost %s\n", name, v["pss_per_stream"], v["cpu_per_stream"], v["cpu_per_event"], v["broadcast_p99"], v["lost"] }' "$work/hold"
}
behind() { # NAME COMMAND...: the same of a proxy, which is ended
	name=$1
	shift
	(cd "$work" && exec "$@" >"$work/$name.log" 2>&1) &
	proxy=$!
	until curl -s -o /dev/null -X POST "http://$at/publish?topic=warm" -d x; do sleep 0.1; done
	sleep 2 # its checks have found the edge
	# shellcheck disable=SC2046 # pids
	hold "$name" $at $proxy $(cat /proc/$proxy/task/*/children 2>/dev/null)
	kill $proxy
	wait $proxy 2>/dev/null || true
	proxy=""
}
echo
echo "ssedge bench hold --streams $streams --for 5s --broadcasts 10: memory and processor time of the proxy alone, or of ssedge without one"
until curl -s -o /dev/null http://127.0.0.1:18491/; do sleep 0.1; done
hold ssedge 127.0.0.1:18491 $edge
placed nginx.conf >"$work/ssedge.conf"
cat >"$work/nginx.conf" <<END
daemon off; pid nginx.pid; error_log stderr; worker_processes 1; worker_rlimit_nofile 20000;
events { worker_connections 9000; }
http { access_log off; client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp; include ssedge.conf; }
END
placed haproxy.cfg >"$work/haproxy.cfg"
{ printf '{\n\tadmin off\n\tauto_https off\n}\n'; placed Caddyfile; } >"$work/Caddyfile"
behind nginx nginx -e stderr -p "$work" -c nginx.conf
behind haproxy haproxy -db -f haproxy.cfg
behind caddy env HOME="$work" XDG_DATA_HOME="$work" XDG_CONFIG_HOME="$work" caddy run --adapter caddyfile --config Caddyfile
