# make run      builds ssedge and runs it for development
# make test     everything CI runs; installs what it needs, or names it
# make bench    the README's table and every scenario, raw files under bench/results/
# make chaos    the fault tests of several edges, longer and larger, several times, each with another seed; a quarter of an hour
# make cluster  three Redis masters on this machine, at ports 7001 to 7003 or from PORT; make cluster-down ends them
# make million  a million streams of one server, in a virtual machine; log and figures in bin/million/

GO      ?= go
BIN     := bin/ssedge
RELEASE ?= $(shell git describe --tags --always --dirty 2>/dev/null)
LDFLAGS := -s -w $(if $(RELEASE),-X main.release=$(RELEASE))
FUZZ    ?= 100000x

.PHONY: build run test bench million chaos cluster cluster-down clean

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/ssedge

run: build
	$(BIN) serve --dev

# The parts of test, in the order in which they find mistakes soonest. .ci/test.sh
# runs them and ends with a summary.
test:
	@.ci/test.sh $(GO) $(FUZZ)

BENCH   ?= bench/results/$(shell date +%F)-$(shell uname -n)

bench: build
	bench/run.sh $(BIN) $(BENCH)

million:
	bench/million/run.sh

# Each round with another seed; that of a round that failed, as CHAOS_SEED and with ROUNDS=1, repeats its choices.
chaos:
	@failed=0; seed=$(CHAOS_SEED); for round in $$(seq $(ROUNDS)); do \
		echo "round $$round of $(ROUNDS): CHAOS_SEED=$$seed"; \
		CHAOS=1 CHAOS_SEED=$$seed $(GO) test ./engine -run '$(FAULTS)' -count=1 -timeout 1h || failed=1; \
		seed=$$((seed + 1)); \
	done; exit $$failed

# Every test of several edges is one of faults, but for few, which cost little.
FAULTS      = ^($(shell sed -n 's/^func \(Test[[:alnum:]]*\).*/\1/p' engine/redis*_test.go | paste -sd'|'))$$
ROUNDS     ?= 5
CHAOS_SEED ?= $(shell date +%s)

cluster:
	@engine/fanin/redis/cluster/run.sh up

cluster-down:
	@engine/fanin/redis/cluster/run.sh down

# bin/cluster has the numbers of the cluster's processes.
clean: cluster-down
	rm -rf bin
