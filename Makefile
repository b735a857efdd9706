# Tollgate. Two commands matter: `make run` and `make check`. Each installs what it needs.
#
#   make run           build, make an instance, start it, drive the tour, stay up (ONCE=1: end after the tour)
#   make check         build with gcc and clang, lint, unit tests, fuzz seconds, gate, keeper and story tests
#   make build         the programs and the module in build/
#   make fuzz MINUTES=n TARGET=name    longer fuzzing
#   make bench         Tollgate beside others, the keeper alone, growth: bench/RESULTS.md (QUICK=1: in four minutes)
#   make fault SEEDS=n | SEED=n        seeded faults against a whole instance; SEEDS writes doc/evidence/faults.md (PAIR=1: two gates)
#   make crash SEEDS=1-20              store and sealer ended at every write, sync and rename, longer than make check does
#   make tls           what testssl.sh says of the gate: doc/evidence/tls.md
#   make deb           the Debian packages, in build/deb/
#   make format        clang-format over our own files
#   make clean

BUILD ?= build
TESTS ?=

.PHONY: all run check build packages fuzz bench fault crash tls deb format clean

all: build

packages:
	@sh tools/install-packages packages/run.txt

$(BUILD)/build.ninja:
	@meson setup $(BUILD) >$(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log

build: packages $(BUILD)/build.ninja
	@[ -e $(BUILD)/tollgate ] || echo "Building: about a minute"
	@ninja -C $(BUILD) --quiet

run: build
	@sh tools/run $(BUILD) $(if $(ONCE),--once)

check:
	@sh tools/install-packages packages/run.txt packages/check.txt
	@/usr/bin/python3 tools/check.py $(TESTS)

fuzz:
	@sh tools/install-packages packages/run.txt packages/check.txt
	@/usr/bin/python3 tools/check.py --fuzz-minutes $(or $(MINUTES),1) $(TARGET)

bench:
	@sh tools/install-packages packages/run.txt packages/bench.txt
	@test -f build-bench/build.ninja || meson setup build-bench -Dtests=true -Dbuildtype=release >build-bench.log 2>&1 || { cat build-bench.log; exit 1; }
	@rm -f build-bench.log
	@ninja -C build-bench --quiet
	@TOLLGATE_BUILD=$(CURDIR)/build-bench /usr/bin/python3 bench/run.py $(if $(QUICK),--quick) $(OPTIONS)

fault:
	@sh tools/install-packages packages/run.txt packages/check.txt
	@test -f build-gcc/build.ninja || meson setup build-gcc -Dtests=true >build-gcc.log 2>&1 || { cat build-gcc.log; exit 1; }
	@rm -f build-gcc.log
	@ninja -C build-gcc --quiet
	@TOLLGATE_BUILD=$(CURDIR)/build-gcc $(if $(PAIR),TOLLGATE_STORE=postgres) /usr/bin/python3 test/fault/fault.py \
	    $(if $(PAIR),--pair) \
	    $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),40) --results build-gcc/fault-results.jsonl)

crash:
	@sh tools/install-packages packages/run.txt packages/check.txt
	@test -f build-gcc/build.ninja || meson setup build-gcc -Dtests=true >build-gcc.log 2>&1 || { cat build-gcc.log; exit 1; }
	@rm -f build-gcc.log
	@ninja -C build-gcc --quiet store_crash_test store_memory_test sealer_crash_test
	@TOLLGATE_CRASH=$(or $(SEEDS),1-3) build-gcc/sealer_crash_test
	@TOLLGATE_CRASH=$(or $(SEEDS),1-3) build-gcc/store_crash_test
	@TOLLGATE_CRASH=$(or $(SEEDS),1-3) build-gcc/store_memory_test

tls: build
	@sh tools/install-packages packages/tls.txt
	@TOLLGATE_BUILD=$(CURDIR)/$(BUILD) /usr/bin/python3 tools/tls_evidence.py

deb:
	@sh tools/install-packages packages/run.txt packages/deb.txt
	@tools/deb build/deb $(VERSION)

format:
	@sh tools/install-packages packages/check.txt
	@git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	rm -rf build build-*
