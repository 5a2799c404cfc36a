#!/bin/sh
# Runs every fuzz target below some directories for a number of inputs, one after the other.
# A time would do, but Go 1.26 now and then reports its end as a failure (golang/go#75804).
# Usage: .ci/fuzz.sh GO INPUTS DIRECTORY…, inputs as 2000x
cd "$(dirname "$0")/.." || exit 1
GO=$1 INPUTS=$2
shift 2
status=0
for file in $(grep -rl '^func Fuzz' --include='*_test.go' "$@"); do
	dir=./$(dirname "$file")
	for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' "$file"); do
		echo "fuzz $dir $target"
		$GO test -vet=off -run '^$' -fuzz "^$target\$" -fuzztime "$INPUTS" -fuzzminimizetime 1x "$dir" || status=1
	done
done
exit $status
