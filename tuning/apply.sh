#!/bin/sh
# Changes the kernel settings of a host for very many streams of ssedge, like `ssedge tune --apply`, where that is not at
# hand: what falls short is raised, nothing is lowered. What was there before is kept in /var/lib/ssedge/apply-undo;
# --undo restores it. The reasons are in sysctl.conf; the limit on open files is for the unit (LimitNOFILE).
# Usage, as root: tuning/apply.sh [CONNECTIONS] | --undo
set -eu
root=${ROOT:-}
file=$root/etc/sysctl.d/60-ssedge.conf
saved=$root/var/lib/ssedge/apply-undo
status=0

die() {
	echo "apply.sh: $*" >&2
	exit 1
}

path() { echo "$root/proc/sys/$(echo "$1" | tr . /)"; }

# put NAME VALUE changes a setting, and says what the kernel took.
put() {
	before=$(tr -s '\t ' '  ' <"$(path "$1")")
	if ! echo "$2" 2>/dev/null >"$(path "$1")"; then
		echo "$1: $before stays, $2 was refused"
		status=1
		return
	fi
	after=$(tr -s '\t ' '  ' <"$(path "$1")")
	echo "$1: $before, now $after"
	[ "$after" = "$2" ] || status=1
}

# raise NAME NUMBER… wants each of a setting's numbers to be at least so.
raise() {
	name=$1
	shift
	[ -e "$(path "$name")" ] || return 0
	now=$(tr -s '\t ' '  ' <"$(path "$name")")
	wanted=$(echo "$now $*" | awk -v n=$# '{ for (i = 1; i <= n; i++) { has = $i; needs = $(NF - n + i)
		printf "%s%s", (length(has) > length(needs) || length(has) == length(needs) && has >= needs) ? has : needs, i < n ? " " : "" } }')
	want "$name" "$now" "$wanted"
}

want() {
	echo "$1 = $3" >>"$new"
	[ "$2" = "$3" ] && return 0
	changes="$changes
$1 $3"
	grep -q "^$1 " "$saved" 2>/dev/null || echo "$1 $2" >>"$undo"
}

at_least() { # at_least A B: the larger one
	[ "$1" -gt "$2" ] && echo "$1" || echo "$2"
}

at_most() {
	[ "$1" -lt "$2" ] && echo "$1" || echo "$2"
}

[ -d "$root/proc/sys/kernel" ] || die "there is no /proc: expected Linux, with /proc mounted"
if [ "${1:-}" = --undo ]; then
	[ -e "$saved" ] || die "there is nothing to undo: no $saved"
	while read -r name value; do
		put "$name" "$value"
	done <"$saved"
	rm -f "$file"
	[ "$status" = 0 ] && rm -f "$saved"
	exit "$status"
fi
n=${1:-1000000}
case $n in
'' | *[!0-9]* | 0*) die "expected a number of connections, found $n" ;;
esac

changes=""
new=$(mktemp)
undo=$(mktemp)
trap 'rm -f "$new" "$undo"' EXIT
echo "# For $n streams of ssedge: tuning/apply.sh $n" >"$new"
files=$((n + 10000))
backlog=$(at_most "$(at_least $((n / 100)) 4096)" 65535)
orphans=$(at_least $((n / 8)) 16384)
raise fs.epoll.max_user_watches $files
raise fs.file-max $((2 * files))
raise fs.nr_open $files
raise net.core.somaxconn "$backlog"
raise net.ipv4.tcp_max_syn_backlog "$backlog"
raise net.ipv4.tcp_syncookies 1
raise net.core.netdev_max_backlog "$(at_most "$(at_least $((n / 100)) 1000)" 10000)"
raise net.ipv4.tcp_mem $((n / 2)) $((n * 3 / 4)) "$n"
raise net.ipv4.tcp_rmem 4096 16384 131072
raise net.ipv4.tcp_wmem 4096 16384 1048576
raise net.ipv4.tcp_max_orphans "$orphans"
raise net.netfilter.nf_conntrack_max $((files + n / 5))
raise vm.max_map_count 65530
idle=net.ipv4.tcp_slow_start_after_idle
[ ! -e "$(path $idle)" ] || want $idle "$(cat "$(path $idle)")" 0

mkdir -p "$(dirname "$saved")" "$(dirname "$file")" || die "nothing was changed"
cat "$undo" >>"$saved" || die "nothing was changed: $saved cannot be written"
cp "$new" "$file" || die "nothing was changed: $file cannot be written"
chmod 644 "$file"
echo "$changes" | {
	while read -r name value; do
		[ -z "$name" ] || put "$name" "$value"
	done
	exit "$status"
}
