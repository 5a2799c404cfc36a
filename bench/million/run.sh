#!/bin/sh
# Holds STREAMS streams with one ssedge in a virtual machine that needs no privilege: see README.md.
set -eu

STREAMS=${STREAMS:-1000000}     # of one server process
DROP=${DROP:-10000}             # of them are dropped and resumed
MEMORY=${MEMORY:-13G}           # of the guest
CPUS=${CPUS:-2}                 # of the guest
HEARTBEAT=${HEARTBEAT:-8m}     # of the server
TIMEOUT=${TIMEOUT:-7200}        # seconds until the guest is ended; the load has nine tenths of it
ACCEL=${ACCEL:-tcg,thread=multi}
CPU=${CPU:-qemu64}              # the guest's model
root=$(cd "$(dirname "$0")/../.." && pwd)
here=$root/bench/million
OUT=${OUT:-$root/bin/million}   # log and result; packages are kept beside them

fail() {
	echo "run.sh: $*" >&2
	exit 1
}

# mebibytes turns 13G or 1024M into a number.
mebibytes() {
	case $1 in
	*G) echo $((${1%G} * 1024)) ;;
	*M) echo "${1%M}" ;;
	*) fail "MEMORY=$1: expected a number with G or M behind it" ;;
	esac
}

want=$(mebibytes "$MEMORY")
have=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
[ "$want" -lt "$have" ] || fail "MEMORY=$MEMORY is $want MiB, but only $have MiB of memory are available here: ask for less, with fewer STREAMS"

if ! command -v qemu-system-x86_64 >/dev/null || ! command -v cpio >/dev/null; then
	[ "$(id -u)" = 0 ] || fail "qemu-system-x86_64 or cpio is missing: install qemu-system-x86 and cpio"
	apt-get install -qy --no-install-recommends qemu-system-x86 cpio >/dev/null || fail "qemu-system-x86 and cpio could not be installed"
fi

mkdir -p "$OUT/packages"
make -s -C "$root" build

# The kernel and busybox are only unpacked: nothing is installed. What is there from an earlier run is used again.
if ! ls "$OUT"/packages/boot/vmlinuz-* >/dev/null 2>&1; then
	image=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-[^ ]*\).*/\1/p')
	[ -n "$image" ] || fail "apt does not know linux-image-cloud-amd64: run apt-get update, on Debian"
	(
		cd "$OUT/packages"
		apt-get download "$image" busybox-static
		for package in *.deb; do
			dpkg-deb -x "$package" .
		done
	)
fi
kernel=$(ls "$OUT"/packages/boot/vmlinuz-* | tail -n 1)

tree=$(mktemp -d)
pid=
trap 'rm -rf "$tree"; [ -z "$pid" ] || kill "$pid" 2>/dev/null || :' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -p "$tree/bin" "$tree/etc"
cp "$here/init" "$tree/init"
chmod +x "$tree/init"
cp "$OUT/packages/bin/busybox" "$root/bin/ssedge" "$tree/bin/"
cp "$root/sysctl.conf" "$here/client.conf" "$tree/etc/"
(cd "$tree" && find . | cpio -o -H newc -R 0:0 --quiet) >"$OUT/initramfs"

# tsc=reliable: the kernel would distrust a clock that stands still whenever the host has other things to do, and take
# one that costs a hundred times as much. nowatchdog: for the same reason a CPU may look hung.
# slab_nomerge: caches have their own lines in slabinfo. Mitigations cost time, not memory.
append="console=ttyS0 quiet panic=-1 nowatchdog tsc=reliable slab_nomerge mitigations=off"
append="$append STREAMS=$STREAMS DROP=$DROP HEARTBEAT=$HEARTBEAT LIMIT=$((TIMEOUT * 9 / 10))"

log=$OUT/console.log
began=$(date +%s)
timeout --foreground "$TIMEOUT" qemu-system-x86_64 \
	-accel "$ACCEL" -cpu "$CPU" -smp "$CPUS" -m "$MEMORY" -nodefaults -no-user-config -display none -no-reboot -nic none \
	-chardev stdio,id=console,logfile="$log",signal=off -serial chardev:console -serial "file:$OUT/raw.json" \
	-kernel "$kernel" -initrd "$OUT/initramfs" -append "$append" </dev/null &
pid=$!
code=0
wait "$pid" || code=$?
pid=
took=$(($(date +%s) - began))

[ "$code" -ne 124 ] || fail "the guest was ended after TIMEOUT=$TIMEOUT s; its log is $log"
last=$(tr -d '\r' <"$log" | sed -n 's/^million: status \([0-9]*\) clock \([0-9]*\)$/\1 \2/p')
[ -n "$last" ] || fail "the guest ended without a result (qemu: $code); its log is $log"
echo "run.sh: $took s; the guest's clock is $(($(date +%s) - ${last#* })) s behind; log $log, figures $OUT/raw.json"
exit "${last% *}"
