#!/bin/sh
# Measures what the README's table says, and the scenarios of ssedge bench at the size this machine allows. Leaves in
# DIR a directory for each command, with raw.json.gz and what it printed, and the command lines in commands.txt.
# Usage: bench/run.sh SSEDGE DIR [STREAMS]
set -eu
ssedge=$1
dir=$2
streams=${3:-15000}
mkdir -p "$dir"
: >"$dir/commands.txt"
failed=""

# measure NAME ARGUMENTS… runs one command. A fault is noted and the others go on.
measure() {
	name=$1
	shift
	mkdir -p "$dir/$name"
	echo "ssedge bench $* --report $name" >>"$dir/commands.txt"
	echo "== $name"
	"$ssedge" bench "$@" --report "$dir/$name" >"$dir/$name.txt" 2>&1 || failed="$failed $name"
	tail -n 25 "$dir/$name.txt"
	mv "$dir/$name.txt" "$dir/$name/output.txt"
	rm -f "$dir/$name/index.html" # ssedge bench report makes it again
	[ ! -f "$dir/$name/raw.json" ] || gzip -9nf "$dir/$name/raw.json"
}

measure compare compare --streams "$streams" --rounds 4
measure hold hold --start ssedge --streams "$streams" --broadcasts 5 --drop 1000 --beside
measure own-topics hold --start ssedge --streams "$streams" --topics "$streams" --broadcasts 2
measure fanout fanout --start ssedge --streams "$streams" --rate 3 --for 20s --beside
measure topics fanout --start ssedge --streams "$streams" --topics 1000 --rate 2000 --for 20s
measure flood fanout --start ssedge/1 --streams 1000 --flat-out --allow-gaps --for 10s
measure ndjson fanout --start ssedge --streams 1000 --flat-out --batch 1000 --allow-gaps --for 10s
measure isolation isolation --start ssedge/1 --streams "$streams"
measure storm storm --start ssedge --streams "$streams"
# More than the kernel's buffers take: the slow ones must be told what they missed.
measure slow slow --start ssedge --streams 200 --payload 20000 --rate 100
measure dribble slow --start ssedge --streams 200 --payload 20000 --rate 100 --dribble 50
measure idle idle --start ssedge --streams "$streams" --interval 25s
# As many heartbeats a second as a million streams have every 30 s.
measure heartbeats idle --start ssedge --streams "$streams" --interval "$((streams * 30 / 1000))ms" --for 10s
measure growth growth

[ -z "$failed" ] || { echo "with faults:$failed"; exit 1; }
