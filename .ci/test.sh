#!/bin/sh
# The one test command, called by `make test`: formatting, vet, staticcheck, all
# tests without and with the race detector, and some inputs of the fuzz targets of proto/
# (`make fuzz` has all targets, for longer). It installs what the tests need and lacks
# (through apt, when root) and ends with a summary. Usage: .ci/test.sh GO
set -u
cd "$(dirname "$0")/.."
GO=${1:-go}
began=$(date +%s)
failed=""
summary=""
spent=$(mktemp)
trap 'rm -f "$spent"' EXIT

note() { summary="$summary
  $1"; }

# step NAME COMMAND… runs a part and remembers how it went.
step() {
	name=$1
	shift
	echo "== $name"
	from=$(date +%s)
	times >"$spent"
	before=$(cpu)
	how="ok    "
	"$@" || { how=FAILED failed="$failed $name"; }
	times >"$spent"
	note "$how  $name ($(($(date +%s) - from)) s, $(($(cpu) - before)) CPU-s)"
}

# cpu is what the processes that had ended took when it was written down, in seconds.
cpu() { awk -F '[ms ]+' 'NR == 2 { printf "%d", $1 * 60 + $2 + $3 * 60 + $4 }' "$spent"; }

# needs: Go is there if this runs at all; the race detector needs a C compiler, the
# limit of bench/ too, the browser tests a Chromium, the proxy tests nginx, HAProxy, Caddy, Apache and Varnish, those
# of several edges Redis, openssl and libfaketime, those of alerts and units promtool and systemd-analyze, those of
# clients Firefox, npm, Python and curl. Of no package is a service started.
needs() {
	missing=""
	command -v gcc >/dev/null || missing="$missing gcc libc6-dev"
	command -v chromium >/dev/null || missing="$missing chromium"
	command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || missing="$missing nginx"
	[ -e /usr/lib/nginx/modules/ngx_stream_module.so ] || missing="$missing libnginx-mod-stream"
	command -v caddy >/dev/null || missing="$missing caddy"
	command -v haproxy >/dev/null || [ -x /usr/sbin/haproxy ] || missing="$missing haproxy"
	command -v varnishd >/dev/null || [ -x /usr/sbin/varnishd ] || missing="$missing varnish"
	command -v apache2 >/dev/null || [ -x /usr/sbin/apache2 ] || missing="$missing apache2-bin"
	command -v redis-server >/dev/null || missing="$missing redis-server"
	command -v faketime >/dev/null || missing="$missing faketime"
	command -v openssl >/dev/null || missing="$missing openssl"
	command -v promtool >/dev/null || missing="$missing prometheus"
	command -v systemd-analyze >/dev/null || missing="$missing systemd"
	command -v firefox-esr >/dev/null || missing="$missing firefox-esr"
	command -v npm >/dev/null || missing="$missing npm"
	command -v python3 >/dev/null || missing="$missing python3-minimal"
	command -v curl >/dev/null || missing="$missing curl"
	command -v git >/dev/null || missing="$missing git"
	[ -z "$missing" ] && return 0
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		apt-get update -qq && quietly apt-get install -y -qq --no-install-recommends $missing >/dev/null
	else
		echo "these packages are missing:$missing" >&2
		return 1
	fi
}

# quietly runs a command of apt that starts no services (deb-systemd-invoke(1p), invoke-rc.d(8)) and asks nothing.
quietly() (
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		trap 'rm -f $policy' EXIT
		printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy
	fi
	DEBIAN_FRONTEND=noninteractive "$@"
)

formatted() {
	wrong=$(gofmt -l cmd engine proto shard bench tuning ./*.go)
	[ -z "$wrong" ] && return 0
	echo "gofmt would change: $wrong"
	return 1
}

step needs needs
step gofmt formatted
step vet $GO vet ./...
step staticcheck $GO tool staticcheck ./...
step build $GO build ./...
step clients engine/clients/install.sh # installs the npm clients once; the steps below test them
# go vet ran above: the tests need not run it again.
step tests $GO test -vet=off -p 3 -timeout 1200s ./... # one of them waits for a minute of silence to pass
step race $GO test -vet=off -timeout 1200s -race $($GO list ./... | grep -v -e /proto/ -e /tuning) # those have no goroutines
step fuzz .ci/fuzz.sh "$GO" 2000x proto # the inputs at hand run with the tests, those of engine/, too

echo
echo "Summary after $(($(date +%s) - began)) s, $(cpu) CPU-s:$summary"
[ -z "$failed" ] || { echo "failed:$failed"; exit 1; }
echo "all passed"
