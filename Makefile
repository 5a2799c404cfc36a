# make run      builds ssedge and runs it for development
# make test     everything CI runs; installs what it needs, or names it
# make bench    the README's table and every scenario, raw files under bench/results/
# make million  a million streams of one server, in a virtual machine; log and figures in bin/million/

GO      ?= go
BIN     := bin/ssedge
RELEASE ?= $(shell git describe --tags --always --dirty 2>/dev/null)
LDFLAGS := -s -w $(if $(RELEASE),-X main.release=$(RELEASE))
FUZZ    ?= 100000x

.PHONY: build run test bench million clean

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

clean:
	rm -rf bin
