#!/bin/sh
# Before removing (deb-prerm(5)); before an upgrade it goes on.
set -e
[ "$1" = remove ] || exit 0
if [ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ]; then
	systemctl disable --now ssedge.socket ssedge.service
fi
