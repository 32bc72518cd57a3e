# `make help` lists the targets. Everything that a target makes is below out/ and target/.

SHELL := /bin/bash
CARGO ?= cargo
# Parallel jobs of cargo; empty: all cores.
JOBS ?=
OUT ?= out
export OUT JOBS
BUILD_JOBS := $(if $(JOBS),--jobs $(JOBS))
PURE := --package ci-types --package ci-formats --package ci-evidence --package ci-policy
CI_INTEL := $(or $(CARGO_TARGET_DIR),target)/release/ci-intel

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench zoo build self-release clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

build: ## build ci-intel (release)
	$(CARGO) build --release --locked --package ci-cli $(BUILD_JOBS)

demo: build ## release a real service; see five bad candidates rejected
	@CI_INTEL="$(abspath $(CI_INTEL))" scripts/demo.sh "$(abspath $(OUT))/demo"

test: ## set up real registries and builders, run every test
	@scripts/setup-parts.sh
	@scripts/test.sh

lint: ## format, clippy, the repository's own rules, licences
	$(CARGO) fmt --all --check
	cd examples/hello-http && $(CARGO) fmt --check
	cd examples/hello-http/scan && $(CARGO) fmt --check
	$(CARGO) clippy --workspace --all-targets --locked $(BUILD_JOBS) -- -D warnings
	CLIPPY_CONF_DIR="$(CURDIR)/lint/pure" $(CARGO) clippy $(PURE) --lib --locked $(BUILD_JOBS) -- -D warnings -D clippy::iter_over_hash_type
	$(CARGO) xtask tidy
	$(CARGO) xtask licences
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny --locked check advisories bans sources; \
	else echo "cargo-deny is not installed: advisories not checked (cargo install --locked cargo-deny)"; fi

zoo: ## run the fail-open zoo
	$(CARGO) xtask eval zoo

bench: build ## measure whole processes against limits and peers
	$(CARGO) xtask bench all

self-release: build ## ci-intel releases itself with its own lane
	@CI_INTEL="$(abspath $(CI_INTEL))" scripts/self-release.sh "$(abspath $(OUT))/ci"

clean: ## remove what targets made
	$(CARGO) clean
	rm -rf "$(OUT)"
