# `make help` lists what can be made. Works as root and as a user with sudo.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test test-clients fuzz bench bench-keys lint need-rust need-softhsm need-lint-parts

# Where `make run` keeps its token, database and credentials. Git ignores the default.
DATA_DIR ?= data
# Profile of `make run`. `dev` shares its build with `make test`; `release` is what to measure.
PROFILE ?= dev
# More arguments of `claviger dev`, such as ARGS='--listen 127.0.0.1:0'.
ARGS ?=
# Which tests: arguments of nextest or cargo test, such as T=decrypt or T="-E 'test(decrypt)'".
T ?=
# Which clients `make test-clients` runs: boto3, roles, aws_cli, encryption_sdk, sops, tink, ncloud. Empty: all.
CLIENTS ?=
# How long `make fuzz` fuzzes each entry point, and the name of one if it is to be the only one.
FUZZ_SECONDS ?= 30
FUZZ ?=

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo '  Variables: DATA_DIR=data PROFILE=dev|release ARGS="…" (run), T=filter (test),'
	@echo '             CLIENTS="boto3 sops" (test-clients), FUZZ_SECONDS=30 FUZZ=name (fuzz)'

run: need-rust need-softhsm ## Build and start `claviger dev` on a SoftHSM2 token in DATA_DIR
	@exec cargo run --locked --profile '$(PROFILE)' --bin claviger -- dev --data-dir '$(DATA_DIR)' $(ARGS)

test: need-rust need-softhsm ## Install what the tests need and run them all
	@cargo test --locked --doc --quiet
	@if cargo nextest --version >/dev/null 2>&1; then \
	  cargo nextest run --locked $(if $(CI),--profile ci) $(T); \
	else \
	  cargo build --locked --example p11shim && cargo test --locked --lib --bins --tests $(T); \
	fi

test-clients: need-rust need-softhsm ## Install clients and run them against a server: boto3, AWS CLI, sops, a signed Ncloud client, …
	@tests/clients/run $(CLIENTS)

fuzz: need-rust ## Fuzz every parser with cargo-fuzz, on a nightly toolchain (says what is missing)
	@FUZZ_SECONDS='$(FUZZ_SECONDS)' FUZZ='$(FUZZ)' fuzz/run

bench: need-rust need-softhsm ## Measure the server against the bare token (about 3 minutes)
	@cargo bench --locked --bench server

bench-keys: need-rust ## Measure the store with 1,000 and with KEYS=1000000 keys (about 10 minutes)
	@cargo bench --locked --bench keys

lint: need-rust need-lint-parts ## Check format, lints and, with cargo-deny, dependencies
	cargo fmt --all --check
	cargo clippy --locked --all-targets -- -D warnings
	@if cargo deny --version >/dev/null 2>&1; then \
	  cargo deny --locked check; \
	else \
	  echo 'cargo-deny is not installed: licences and advisories were not checked.'; \
	fi

need-rust:
	@command -v cargo >/dev/null || { \
	  echo 'Rust is not installed: see https://rustup.rs (rust-toolchain.toml picks the version).' >&2; exit 1; }

need-softhsm:
	@softhsm/ensure.sh

need-lint-parts:
	@cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 || { \
	  echo 'rustfmt or clippy is missing: rustup component add rustfmt clippy' >&2; exit 1; }
