# make run      builds ssedge and runs it for development
# make test     everything CI runs; installs what it needs, or names it
# make bench    the README's table and every scenario, raw files under bench/results/
# make chaos    the fault tests of several edges, longer and larger, several times; half an hour
# make cluster  three Redis masters on this machine; make cluster-down ends them
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

chaos:
	CHAOS=1 $(GO) test ./engine -run '$(FAULTS)' -count=$(ROUNDS) -timeout 2h

FAULTS := Killed|Hangs|StartsAgain|Failover|SlotsMove|HalfMigrated|RolledBack|Flushed|StopsReading|HalfOpen|RollingRestart|Sentinel|ManyTopics|ComesAndGoes
ROUNDS ?= 5

cluster:
	@engine/fanin/redis/cluster/run.sh up

cluster-down:
	@engine/fanin/redis/cluster/run.sh down

clean:
	rm -rf bin
