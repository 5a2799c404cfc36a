#!/bin/sh
# After installing or upgrading (deb-postinst(5)). The service is not started: it needs a key
# first. One that runs drains, and comes back as the new program, while ssedge.socket stays as it is. DPKG_ROOT is set where an
# image of another system is made.
set -e
[ "$1" = configure ] || exit 0
if ! grep -q '^ssedge:' "$DPKG_ROOT/etc/passwd"; then
	useradd ${DPKG_ROOT:+--prefix "$DPKG_ROOT"} --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin ssedge
fi
if [ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	systemctl try-restart ssedge.service
fi
