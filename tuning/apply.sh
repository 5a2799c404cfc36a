#!/bin/sh
# Changes the kernel settings of a host for very many streams of ssedge, like `ssedge tune --apply`, where that is not at
# hand: what falls short is raised, no limit is lowered. What was there before is kept in /var/lib/ssedge/apply-undo*;
# --undo restores it, but for what was changed since by other means. The reasons are in sysctl.conf; the limit on open files is for the
# unit (LimitNOFILE). SOURCES: addresses that connections come from, if they are few, on the host that they come from.
# The file for the next boot has only what falls short, what is set there or was set by this already, and no less than other files
# of sysctl.d say.
set -eu
root=${ROOT:-}
file=$root/etc/sysctl.d/60-ssedge.conf
saved=$root/var/lib/ssedge/apply-undo # lines of name|before|value of ours|value of ours…
status=0

usage() {
	echo "Usage, as root: tuning/apply.sh [CONNECTIONS [SOURCES]]   raise what falls short; 1000000 streams if not said
                tuning/apply.sh --undo                    what was there before
SOURCES: addresses that connections come from, if they are few, on the host that they come from.
Status: 0 when all was taken, or left for a reason that is said; 1 when something was refused."
}

die() {
	echo "apply.sh: $*" >&2
	exit 1
}

path() { # of a setting: a.b.c is a/b/c
	(
		IFS=.
		# shellcheck disable=SC2086 # split at the dots
		set -- $1
		IFS=/
		echo "$root/proc/sys/$*"
	)
}

value() { # of a setting, its numbers separated by single blanks
	# cat, for read takes one byte at a time, which /proc/sys does not give
	numbers=$(cat "$(path "$1")") || return 1
	# shellcheck disable=SC2086 # split at blanks and tabs
	set -- $numbers
	echo "$*"
}

write() { { echo "$2" >"$(path "$1")"; } 2>/dev/null; }

# put NAME VALUE changes a setting, and says what the kernel took. If it refuses one of several numbers it has taken
# those before it: they are put back.
put() {
	before=$(value "$1")
	if ! write "$1" "$2"; then
		[ "$(value "$1")" = "$before" ] || write "$1" "$before" || true
		echo "$1: $(value "$1") stays, $2 was refused"
		status=1
		return 0
	fi
	after=$(value "$1")
	if [ "$after" = "$2" ]; then
		echo "$1: $before, now $after"
	else
		echo "$1: $before, now $after: the kernel did not take $2"
		status=1
	fi
}

# raise NAME NUMBER… wants each of a setting's numbers to be at least so.
raise() {
	name=$1
	shift
	there "$name" || return 0
	now=$(value "$name")
	wanted=$(echo "$now $*" | awk -v n=$# '{ for (i = 1; i <= n; i++) { has = $i; needs = $(NF - n + i)
		printf "%s%s", (length(has) > length(needs) || length(has) == length(needs) && has >= needs) ? has : needs, i < n ? " " : "" } }')
	want "$name" "$now" "$wanted"
}

there() {
	[ -e "$(path "$1")" ] && return 0
	why="this kernel has no such setting"
	case $1 in
	net.core.netdev_max_backlog | net.ipv4.tcp_mem | net.ipv4.tcp_max_orphans)
		if [ ! -e "$(path net.core.netdev_max_backlog)" ] && [ -e "$(path net.core.somaxconn)" ]; then
			why="it is the host's, and not to be seen from this network namespace"
		fi
		;;
	esac
	echo "$1: left as it is: $why"
	return 1
}

# said FILE… says what files of sysctl.d set, as lines of name = value.
said() {
	for conf; do
		[ ! -f "$conf" ] || awk '/^[ \t]*-?[ \t]*[a-z][^ \t=]*[ \t]*=/ { i = index($0, "="); name = substr($0, 1, i - 1); gsub(/[ \t]|^[ \t]*-/, "", name); gsub("/", ".", name)
			$0 = substr($0, i + 1); $1 = $1; print name " = " $0 }' "$conf"
	done
}

# higher NAME VALUE: each number as far as any file for the next boot has it, if that is farther. Of local ports that is lower for the first.
higher() {
	printf '%s\n' "$boot" | awk -v name="$1" -v value="$2" '
		BEGIN { n = split(value, v, " ") }
		$1 == name && NF == n + 2 && substr($0, length(name) + 3) !~ /[^0-9 ]/ { for (i = 1; i <= n; i++) { has = v[i]; other = $(i + 2)
			more = length(other) > length(has) || length(other) == length(has) && other >= has
			if (name ~ /ip_local_port_range$/ && i == 1 ? !more : more) v[i] = other } }
		END { for (i = 1; i <= n; i++) printf "%s%s", v[i], i < n ? " " : "\n" }'
}

# want NAME NOW WANTED notes a change, and what the file is to have.
want() {
	case $1 in
	*_idle | *_reuse) boots=$3 ;; # switches
	*) boots=$(higher "$1" "$3") ;;
	esac
	if [ "$2" != "$3" ] || grep -q "^$1|" "$saved" 2>/dev/null || grep -q "^$1 = " "$own"; then
		echo "$1 = $boots" >>"$new"
	else
		echo "# $1 needs no more than it has here: $2" >>"$new"
	fi
	[ "$2" != "$3" ] || return 0
	echo "$1|$3" >>"$changes"
	if was=$(grep "^$1|" "$saved" 2>/dev/null); then
		echo "$was|$3" >>"$undo"
	else
		echo "$1|$2|$3" >>"$undo"
	fi
}

at_least() { # at_least A B: the larger one
	[ "$1" -gt "$2" ] && echo "$1" || echo "$2"
}

at_most() {
	[ "$1" -lt "$2" ] && echo "$1" || echo "$2"
}

case ${1:-} in
-h | --help)
	usage
	exit 0
	;;
esac
[ -d "$root/proc/sys/kernel" ] || die "there is no /proc: expected Linux, with /proc mounted"
if [ "${1:-}" = --undo ]; then
	[ -e "$saved" ] || die "there is nothing to undo: no $saved"
	if [ -e "$file" ] && ! cmp -s "$file" "$saved.written" && ! cmp -s "$file" "$saved.last"; then
		echo "$file: left as it is: it was changed since"
	elif [ -e "$saved.file" ]; then
		cmp -s "$saved.file" "$file" || if cp "$saved.file" "$file"; then echo "$file: restored"; else status=1; fi
	elif [ -e "$file" ]; then
		if rm -f "$file"; then echo "$file: removed"; else status=1; fi
	fi
	while IFS='|' read -r name before ours; do
		now=$(value "$name")
		case "|$now|" in
		"|$before|") ;;
		*)
			case "|$ours|" in
			*"|$now|"*) put "$name" "$before" ;;
			*) echo "$name: left as it is: it was changed since to $now; before, it was: sysctl -w $name=\"$before\"" ;;
			esac
			;;
		esac
	done <"$saved"
	[ "$status" != 0 ] || rm -f "$saved" "$saved.new" "$saved.file" "$saved.written" "$saved.last"
	exit "$status"
fi
n=${1:-1000000}
sources=${2:-0}
case $n in
'' | *[!0-9]* | 0* | ???????????*) die "expected a number of connections, found $n (--help)" ;;
esac
case $sources in
'' | *[!0-9]* | 0?* | ???????????*) die "expected a number of addresses, found $sources" ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work" "$saved.new"' EXIT
changes=$work/changes
new=$work/new
undo=$work/undo
own=$work/own # what the file sets that there is
said "$file" >"$own"
boot=$(said "$root/etc/sysctl.conf" "$root"/etc/sysctl.d/*.conf "$root"/run/sysctl.d/*.conf "$root"/usr/local/lib/sysctl.d/*.conf "$root"/usr/lib/sysctl.d/*.conf "$root"/lib/sysctl.d/*.conf)
: >"$changes"
: >"$undo"
echo "# For $n streams of ssedge: tuning/apply.sh $n $sources" >"$new"
files=$((n + $(at_most "$n" 8192) + 1808))
raise fs.epoll.max_user_watches $files
raise fs.file-max $((files + 10000))
raise fs.nr_open $files
backlog=$(at_most "$(at_least $((n / 100)) "$(at_most "$n" 4096)")" 65535)
raise net.core.somaxconn "$backlog"
raise net.ipv4.tcp_syncookies 1
case $(value kernel.osrelease) in
[0-3].* | 4.[0-3].*) raise net.ipv4.tcp_max_syn_backlog "$backlog" ;;
esac
raise net.core.netdev_max_backlog "$(at_most "$(at_least $((n / 100)) 1000)" 10000)"
memory=$(awk '/^MemTotal:/ { print $2 }' "$root/proc/meminfo" 2>/dev/null) || memory=0
if [ "${memory:-0}" -ge $((n * (4096 + 100 + 4096) / 1024 + 320 * 1024)) ]; then # to raise it would promise memory that is not there
	raise net.ipv4.tcp_mem $((n / 2)) $((n - n / 4)) "$n"
fi
raise net.ipv4.tcp_rmem 4096 16384 131072
raise net.ipv4.tcp_wmem 4096 16384 1048576
case $(value net.ipv4.tcp_congestion_control 2>/dev/null) in
bbr*) ;;
*) ! there net.ipv4.tcp_slow_start_after_idle || want net.ipv4.tcp_slow_start_after_idle "$(value net.ipv4.tcp_slow_start_after_idle)" 0 ;;
esac
raise net.ipv4.tcp_max_orphans $((n / 15))
if [ "$sources" -gt 0 ]; then
	if [ $(((n + sources - 1) / sources)) -gt 28232 ]; then
		now=$(value net.ipv4.ip_local_port_range)
		want net.ipv4.ip_local_port_range "$now" "$(at_most "${now% *}" 10240) $(at_least "${now#* }" 65535)"
	fi
	want net.ipv4.tcp_tw_reuse "$(value net.ipv4.tcp_tw_reuse)" 1
fi
if [ -e "$(path net.netfilter.nf_conntrack_max)" ] && [ "$(value net.netfilter.nf_conntrack_count 2>/dev/null)" != 0 ]; then
	raise net.netfilter.nf_conntrack_max $((files + n / 5))
fi
raise vm.max_map_count 1024

while read -r name _; do # what the file has besides stays; of two lines the last
	grep -q "^$name = " "$new" || awk -v name="$name" '$1 == name { last = $0 } END { print last }' "$work/own" >>"$new"
done <"$own"

# Nothing is changed unless one setting can be, and all that is kept, and the file, can be written.
can=$([ -s "$changes" ] && echo no || echo yes)
while IFS='|' read -r name _; do
	if (: >>"$(path "$name")") 2>/dev/null; then can=yes; fi
done <"$changes"
[ "$can" = yes ] || die "nothing was changed: no setting can be written (root is needed; in a container they are the host's)"
(mkdir -p "${saved%/*}" "${file%/*}" && : >"$saved.new" && : >"$file.new" && rm "$file.new") 2>/dev/null ||
	die "nothing was changed: ${saved%/*} or ${file%/*} cannot be written"
if [ ! -e "$saved" ]; then
	rm -f "$saved.file" "$saved.written" "$saved.last"
	[ ! -e "$file" ] || cp "$file" "$saved.file" || die "nothing was changed: $saved.file cannot be written"
fi
[ ! -e "$saved" ] || while IFS='|' read -r name rest; do # what was changed before, and is not now
	grep -q "^$name|" "$undo" || echo "$name|$rest" >>"$undo"
done <"$saved"
[ ! -e "$saved.written" ] || cp "$saved.written" "$saved.last" || die "nothing was changed: $saved.last cannot be written"
{ cp "$new" "$saved.written" && cp "$undo" "$saved.new" && mv "$saved.new" "$saved"; } || die "nothing was changed: $saved cannot be written"
{ cp "$new" "$file.new" && chmod 644 "$file.new" && mv "$file.new" "$file"; } || die "no setting was changed: $file cannot be written; --undo takes back what was"
while IFS='|' read -r name wanted; do
	put "$name" "$wanted"
done <"$changes"
while IFS='|' read -r name rest; do
	echo "$name|$rest|$(value "$name")"
done <"$undo" >"$saved.new"
mv "$saved.new" "$saved"
echo "$file is written; tuning/apply.sh --undo takes it back. A unit needs LimitNOFILE=$files of its own."
exit "$status"
