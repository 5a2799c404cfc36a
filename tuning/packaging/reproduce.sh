#!/bin/sh
# Builds the release of this commit twice, in two directories with nothing in common, not
# even what Go has compiled before, and compares the sums. Usage: reproduce.sh [GO]; it
# takes some minutes. Called by `make reproduce`.
set -eu
cd "$(dirname "$0")/../.."
GO=${1:-go}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# build DIRECTORY clones the commit to it, builds, and leaves the sums beside it.
build() {
	mkdir -p "$(dirname "$1")"
	git clone -q . "$1"
	GOCACHE=$1.cache make -C "$1" -s release GO="$GO" >"$1.sums"
}
build "$work/one"
build "$work/another/with a longer name"
if ! diff "$work/one.sums" "$work/another/with a longer name.sums"; then
	echo "two builds of $(git rev-parse HEAD) differ" >&2
	exit 1
fi
cat "$work/one.sums"
echo "two builds of $(git rev-parse HEAD) are the same"
