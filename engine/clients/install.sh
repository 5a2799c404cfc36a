#!/bin/sh
# Installs the clients of npm, and the Node.js they run in, as node/package-lock.json pins them, below bin/clients; nothing
# is downloaded if they are there. It needs npm.
set -eu
cd "$(dirname "$0")"
to=../../bin/clients
if [ -e $to/installed ] && cmp -s node/package-lock.json $to/package-lock.json; then exit 0; fi
rm -rf $to
mkdir -p $to
cp node/package.json node/package-lock.json $to
(cd $to && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
touch $to/installed
