#!/bin/sh
# Shows what kernel settings do to very many streams, before and after: counts and bytes, in a network namespace of its own, so
# that nothing of the host is changed. Prints it. As root, with iproute2; at most 10,000 connections, a minute or two.
# Usage: bench/host-settings.sh SSEDGE [SETTINGS]   (SETTINGS: a build of ./bench/settings)
set -eu
[ $# -ge 1 ] || {
	echo "usage: bench/host-settings.sh SSEDGE [SETTINGS]" >&2
	exit 2
}
[ "$(id -u)" = 0 ] || {
	echo "host-settings.sh: expected root, who may have a network namespace of its own and change its settings" >&2
	exit 1
}
ssedge=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
settings=${2:-}
if [ -z "$settings" ]; then
	settings=$work/settings
	(cd "$(dirname "$0")/.." && go build -o "$settings" ./bench/settings)
fi
echo "$(date -u +%F), $(uname -sr), $(nproc) cores, $("$ssedge" version)"
echo "bench/host-settings.sh ssedge, in a network namespace of its own, over loopback with packets of 1500 bytes"
echo
# shellcheck disable=SC2016 # for the inner shell
unshare -n sh -c '
	set -eu
	ip link set lo mtu 1500 up
	ip link add s0 type veth peer name s1
	for device in s0 s1; do ip link set "$device" arp off; done
	ip addr add 10.9.0.1/16 dev s0
	for device in s0 s1; do ip link set "$device" up; done
	sysctl -q -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.lo.rp_filter=0
	exec timeout 200 "$1" "$2"
' sh "$settings" "$ssedge"

# What the kernel keeps for a connection without unsent data is slab: one of each but the last three.
echo "slab: bytes of an object"
awk '/^(TCP|sock_inode_cache|filp|dentry|eventpoll_epi|eventpoll_pwq|request_sock_TCP|tw_sock_TCP|nf_conntrack) / { printf "  %s %d\n", $1, $4 }' /proc/slabinfo
echo

# One process: what ssedge says of too few files.
echo "RLIMIT_NOFILE: ssedge serve --streams-max 5000, with ulimit -n 2000 and 8000"
for limit in 2000 8000; do
	# shellcheck disable=SC2016 # for the inner shell
	echo "  $limit: $(unshare -n sh -c 'ulimit -n "$1"; "$2" serve --dev --streams-max 5000 --check 2>&1' sh $limit "$ssedge" || true)"
done

# Tracked connections, with and without NOTRACK.
command -v nft >/dev/null || {
	echo "conntrack: not shown, there is no nft"
	exit 0
}
echo "nf_conntrack: entries of 1000 connections to port 7050, in a table that is asked for the state of each"
for bypass in no yes; do
	# shellcheck disable=SC2016 # for the inner shell
	unshare -n sh -c '
		set -eu
		ip link set lo up
		nft "table inet watch { chain in { type filter hook input priority filter; ct state established accept; }; }"
		[ "$2" = no ] || nft "table inet ssedge { chain in { type filter hook prerouting priority raw; tcp dport 7050 notrack; }; chain out { type filter hook output priority raw; tcp sport 7050 notrack; }; chain load { type filter hook output priority raw; tcp dport 7050 notrack; }; chain loaded { type filter hook prerouting priority raw; tcp sport 7050 notrack; }; }"
		echo "  bypass $2: $("$1" --tracked)"
	' sh "$settings" $bypass
done
