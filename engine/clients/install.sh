#!/bin/sh
# Installs the npm clients, and the Node.js they run in, below bin/clients. node/package-lock.json pins them. If they are
# there already, nothing is downloaded. It needs npm.
set -eu
cd "$(dirname "$0")"
to=../../bin/clients
if [ -e $to/installed ] && cmp -s node/package-lock.json $to/package-lock.json; then exit 0; fi
rm -rf $to
mkdir -p $to
cp node/package.json node/package-lock.json $to
(cd $to && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
touch $to/installed
