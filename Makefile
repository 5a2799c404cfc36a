# make run      builds ssedge and runs it for development
# make test     everything CI runs; installs what it needs, or names it
# make check    what finds most mistakes soonest: formatting, vet, and the tests that start no servers; a minute
# make bench    the README's table and every scenario, raw files under bench/results/
# make chaos    the fault tests of several edges, longer and larger, several times, each with another seed; a quarter of an hour
# make clients  every client in every trial, against the built server; three minutes. make test runs a short form
# make sim      the simulations of feeds and of several edges with a hundred thousand seeds, or with RUNS seeds from FROM on; ten minutes
# make fuzz     every fuzz target with a million inputs, or as FUZZ says
# make cluster  three Redis masters on this machine, at ports 7001 to 7003 or from PORT; make cluster-down ends them
# make release  static programs for amd64 and arm64 in bin/release/, the same bytes wherever they are built, and their sums
# make deb      a Debian package of each, beside them
# make install  the program, its systemd units and an example of its settings, below DESTDIR and PREFIX; make uninstall
# make million  a million streams of one server, in a virtual machine; log and figures in bin/million/

GO      ?= go
BIN     := bin/ssedge
RELEASE ?= $(shell git describe --tags --always --dirty --abbrev=12 2>/dev/null)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null)
# The commit's time, unless it is set (reproducible-builds.org).
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null)
DATE    := $(if $(SOURCE_DATE_EPOCH),$(shell date -u -d @$(SOURCE_DATE_EPOCH) +%Y-%m-%dT%H:%M:%SZ))
LDFLAGS := -s -w $(if $(RELEASE),-X main.release=$(RELEASE)) $(if $(COMMIT),-X main.commit=$(COMMIT)) $(if $(DATE),-X main.date=$(DATE))
FUZZ    ?= 1000000x

.PHONY: build run test check bench million chaos sim fuzz clients cluster cluster-down clean release deb reproduce install uninstall

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/ssedge

run: build
	$(BIN) serve --dev

# The parts of test, in the order in which they find mistakes soonest. .ci/test.sh
# runs them and ends with a summary.
test:
	@.ci/test.sh $(GO)

check:
	@wrong=$$(gofmt -l cmd engine proto shard bench tuning ./*.go); [ -z "$$wrong" ] || { echo "gofmt would change: $$wrong"; exit 1; }
	@$(GO) vet ./...
	@$(GO) test -vet=off $$($(GO) list ./... | grep -v -e /engine$$ -e /engine/clients -e /cmd/ssedge -e /bench/scenario -e /tuning)

fuzz:
	@.ci/fuzz.sh $(GO) $(FUZZ) proto shard engine

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

# One process for each core, first the feeds of one topic and then several edges. It prints each seed that fails, with what happened.
RUNS ?= 100000
FROM ?= 0
CORES = $(shell nproc)

sim:
	@failed=0; for package in redis/feed redis; do \
		$(GO) test -c -o bin/sim.test ./engine/fanin/$$package || exit 1; \
		share=$$(( ($(RUNS) + $(CORES) - 1) / $(CORES) )); pids=; \
		for core in $$(seq 0 $$(( $(CORES) - 1 ))); do \
			SIM_FROM=$$(( $(FROM) + core * share )) SIM_RUNS=$$share bin/sim.test -test.run TestSimulation -test.timeout 2h & pids="$$pids $$!"; \
		done; \
		for pid in $$pids; do wait $$pid || failed=1; done; \
	done; exit $$failed

# Every test of several edges is one of faults, but for few, which cost little; and clients that come and go.
FAULTS      = ^($(shell sed -n 's/^func \(Test[[:alnum:]]*\).*/\1/p' engine/redis*_test.go engine/churn_test.go | paste -sd'|'))$$
ROUNDS     ?= 5
CHAOS_SEED ?= $(shell date +%s)

clients: build
	@engine/clients/install.sh
	CLIENTS=all CLIENTS_BINARY=$(abspath $(BIN)) $(GO) test ./engine/clients -count=1 -timeout 30m

cluster:
	@engine/fanin/redis/cluster/run.sh up

cluster-down:
	@engine/fanin/redis/cluster/run.sh down

# bin/cluster has the numbers of the cluster's processes.
clean: cluster-down
	rm -rf bin

# What a release is made of is said here and nowhere else: no C, no paths, no looking at the work tree, the same
# processors' baseline everywhere, and one Go, which the go command fetches: go.mod's is the least that is needed, not
# the safest. Without git (a source archive) set RELEASE, COMMIT and SOURCE_DATE_EPOCH. The same Go makes the same bytes;
# make reproduce tries it.
ARCHS ?= amd64 arm64
TOOLCHAIN ?= go1.26.9
PURE   = GOTOOLCHAIN=$(TOOLCHAIN) CGO_ENABLED=0 GOOS=linux GOFLAGS= GOEXPERIMENT= GOAMD64=v1 GOARM64=v8.0

release:
	@rm -rf bin/release && mkdir -p bin/release
	@for arch in $(ARCHS); do \
		$(PURE) GOARCH=$$arch $(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS) -buildid=' -o bin/release/ssedge-linux-$$arch ./cmd/ssedge || exit 1; \
	done
	@cd bin/release && sha256sum ssedge-linux-* >SHA256SUMS && cat SHA256SUMS

reproduce:
	@tuning/packaging/reproduce.sh $(GO)

# As packagers expect it: DESTDIR is only in front, PREFIX stands in the unit, too. Settings that are there already are
# left alone; uninstall takes them away only if they have not been changed.
PREFIX  ?= /usr/local
UNIT     = $(DESTDIR)$(PREFIX)/lib/systemd/system/ssedge.service
SOCKET   = $(DESTDIR)$(PREFIX)/lib/systemd/system/ssedge.socket
USERS    = $(DESTDIR)$(PREFIX)/lib/sysusers.d/ssedge.conf
SETTINGS = $(DESTDIR)/etc/ssedge/ssedge.yaml
PLACED   = s|/usr/local/bin/|$(PREFIX)/bin/|

$(BIN):
	$(MAKE) build

install: $(BIN)
	install -D -m 755 $(BIN) '$(DESTDIR)$(PREFIX)/bin/ssedge'
	install -D -m 644 tuning/systemd/ssedge.service '$(UNIT)'
	sed -i '$(PLACED)' '$(UNIT)'
	install -D -m 644 tuning/systemd/ssedge.socket '$(SOCKET)'
	install -D -m 644 tuning/systemd/sysusers.conf '$(USERS)'
	[ -e '$(SETTINGS)' ] || install -D -m 644 tuning/packaging/ssedge.yaml '$(SETTINGS)'

uninstall:
	rm -f '$(DESTDIR)$(PREFIX)/bin/ssedge' '$(UNIT)' '$(SOCKET)' '$(USERS)'
	! cmp -s tuning/packaging/ssedge.yaml '$(SETTINGS)' || rm -f '$(SETTINGS)'
	[ ! -d '$(dir $(SETTINGS))' ] || rmdir --ignore-fail-on-non-empty '$(dir $(SETTINGS))'

# The packager comes from the Go module proxy and is built when it is needed: as a tool of go.mod it would bring a
# lot of modules along. What is no release yet sorts before the first one, by date.
NFPM        ?= $(GO) run github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2
DEB_VERSION  = $(if $(filter v%,$(RELEASE)),$(subst -rc,~rc,$(patsubst v%,%,$(RELEASE))),0~$(subst :,,$(subst -,,$(DATE))).$(RELEASE))

deb: release
	@rm -rf bin/deb && mkdir -p bin/deb
	@sed 's|/usr/local/bin/|/usr/bin/|' tuning/systemd/ssedge.service >bin/deb/ssedge.service
	@for arch in $(ARCHS); do \
		ARCH=$$arch VERSION='$(DEB_VERSION)' SOURCE_DATE_EPOCH='$(SOURCE_DATE_EPOCH)' $(NFPM) package -f tuning/packaging/nfpm.yaml -p deb -t bin/release/ || exit 1; \
	done
	@cd bin/release && sha256sum ssedge-linux-* *.deb >SHA256SUMS && cat SHA256SUMS
