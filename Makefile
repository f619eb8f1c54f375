# SPDX-License-Identifier: Apache-2.0
# Thin by intent: CMake (CMakePresets.json) does the work. `make help` lists the targets.

JOBS ?= $(shell nproc)
BIN := build/bin

.DEFAULT_GOAL := help
.PHONY: help deps deps-test build demo demo-cluster run check test vm bench lint asan tsan fuzz format clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

deps:
	@scripts/install-deps.sh build

deps-test:
	@scripts/install-deps.sh test

build: deps ## ffdcd and ffdcctl in build/bin
	@cmake --preset release -DFFDC_TESTS=OFF >/dev/null
	@cmake --build build -j $(JOBS)

demo: build ## a real disk failure becomes a stored incident (root)
	@scripts/demo.sh $(BIN)

demo-cluster: deps-test build ## a disk failure on one of three nodes is captured by all of them (root)
	@scripts/demo-cluster.py $(BIN)

run: build ## the agent in the foreground with built-in defaults (root)
	@$(BIN)/ffdcd

test: deps-test ## build, then every test
	@scripts/check.sh test

check: deps-test ## lint, sanitizers, fuzzers, then every test: what must pass to land
	@scripts/check.sh all

vm: deps-test ## faults in virtual machines of stock kernels; K=6.12 one kernel, T=nvme* some (root)
	@scripts/check.sh vm $(if $(K),--kernel '$(K)') $(if $(T),--test '$(T)')

lint: deps-test ## clang-format, clang-tidy, shellcheck
	@scripts/lint.sh

asan: deps-test ## every test under AddressSanitizer and UndefinedBehaviorSanitizer
	@scripts/check.sh asan

tsan: deps-test ## the tests of what runs in threads, under ThreadSanitizer
	@scripts/check.sh tsan

fuzz: deps-test ## each fuzz target for FUZZ_SECONDS (default 10)
	@scripts/check.sh fuzz

bench: deps-test ## measure what the design promises: a table and build/bench.json (root)
	@scripts/check.sh build
	@tests/bench/run.sh $(BIN) build/bench.json
	@FFDC_BIN=$(BIN) PYTHONDONTWRITEBYTECODE=1 python3 tests/bench/cluster_bench.py build/cluster_bench.json

format: deps-test ## clang-format in place
	@scripts/lint.sh --fix

clean: ## remove what was built
	@rm -rf build build-asan build-tsan build-fuzz
