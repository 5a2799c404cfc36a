#!/bin/sh
# Shows what settings do that are a host's, and not a network namespace's (tcp_mem, tcp_max_orphans), in a virtual machine that
# needs no privilege. The kernel and busybox are those that bench/million/run.sh unpacks. Prints it, in a minute or two.
# Usage: bench/host-settings-guest.sh SSEDGE [PACKAGES]
set -eu
[ $# -ge 1 ] || {
	echo "usage: bench/host-settings-guest.sh SSEDGE [PACKAGES]" >&2
	exit 2
}
root=$(cd "$(dirname "$0")/.." && pwd)
ssedge=$1
packages=${2:-$root/bin/million/packages}
kernel=$(find "$packages/boot" -name 'vmlinuz-*' 2>/dev/null | tail -n 1)
[ -n "$kernel" ] || {
	echo "host-settings-guest.sh: there is no kernel in $packages: bench/million/run.sh unpacks one" >&2
	exit 1
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/tree/bin"
(cd "$root" && CGO_ENABLED=0 go build -o "$work/tree/bin/settings" ./bench/settings)
cp "$packages/bin/busybox" "$work/tree/bin/"
cat >"$work/tree/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys
/bin/busybox mount -t proc proc /proc
/bin/busybox ip link set lo mtu 1500 up
ulimit -n 20000
echo "guest: $(/bin/busybox uname -sr), $(/bin/busybox awk '/^MemTotal/ { print $2, $3 }' /proc/meminfo), tcp_mem $(/bin/busybox cat /proc/sys/net/ipv4/tcp_mem)"
/bin/settings --guest 2>&1 | /bin/busybox sed 's/^/guest: /'
/bin/busybox poweroff -f
INIT
chmod +x "$work/tree/init"
(cd "$work/tree" && find . | cpio -o -H newc -R 0:0 --quiet) >"$work/initramfs"
echo "$(date -u +%F), $("$ssedge" version)"
echo "bench/host-settings-guest.sh ssedge, in a virtual machine of one core (qemu, tcg), over loopback with packets of 1500 bytes"
timeout 200 qemu-system-x86_64 -accel tcg -cpu qemu64 -smp 1 -m 768M -nodefaults -no-user-config -display none -no-reboot -nic none -serial stdio \
	-kernel "$kernel" -initrd "$work/initramfs" -append "console=ttyS0 quiet panic=-1 nowatchdog tsc=reliable" </dev/null |
	tr -d '\r' | sed -n 's/^guest: //p'
