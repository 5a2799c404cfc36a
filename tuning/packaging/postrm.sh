#!/bin/sh
# After removing (deb-postrm(5)). The user stays, as is usual: files may be its.
set -e
if [ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
