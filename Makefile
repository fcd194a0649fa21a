# Every command of the project. On a fresh Debian or Ubuntu with git, curl, Rust and a C compiler, each installs what
# else it needs.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help install demo test kills torture torture-changes torture-random fuzz docs check e2e bench build install-tools fmt clippy deny

TARGET := $(or $(CARGO_TARGET_DIR),target)
E2E := cargo test --locked --test it -- --ignored
# Whatever the tests leave when they are killed goes with the sandbox's directory.
IN_ITS_DIRECTORY := sh -c 'TMPDIR=$${KUBECONFIG%/*} exec "$$@"' --
IN_SANDBOX = @.ci/need cargo kubectl etcd && cargo test --locked --test it --no-run && $(TARGET)/debug/etcd-scale sandbox run -- $(IN_ITS_DIRECTORY) cargo test --locked --test it --
E2E_TESTS := e2e:: conformance::
# More than a small machine has cores: most tests wait half of their time.
TEST_THREADS := 4
SANDBOX_THREADS := 7
E2E_THREADS := 4
FUZZ_SECONDS := 60
export PATH := $(CURDIR)/target/tools:$(PATH)

help: ## Show this
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 24

install: ## Install etcd-scale where cargo installs programs
	@.ci/need cargo
	cargo install --locked --path .

demo: ## Grow an etcd from two members to three before your eyes, in a sandbox
	@.ci/need cargo etcd
	@cargo build --locked
	@$(TARGET)/debug/etcd-scale sandbox demo

test: fmt clippy ## Run all that needs no cluster: format, lints, tests, documentation, end-to-end tests in a sandbox
	@.ci/need kubectl etcd
	RUST_TEST_THREADS=$(TEST_THREADS) cargo test --locked --lib --bins
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps
	$(IN_SANDBOX) --include-ignored --skip torture:: --skip at_random --test-threads $(SANDBOX_THREADS)

test: export E2E_KILLS ?= 1

kills: ## Kill runs at random moments in a sandbox, and run them again: E2E_KILLS of each verb, from E2E_SEED on
	$(IN_SANDBOX) --ignored --nocapture at_random --test-threads $(SANDBOX_THREADS)

torture: ## Walk every state of clusters of up to five members, 10,000 random stories, and trouble in a sandbox: hours
	@.ci/need cargo
	cargo test --locked --test it -- --ignored --nocapture offline::torture
	PROPTEST_CASES=10000 cargo test --locked --test it -- no_sequence_breaks_a_promise
	$(MAKE) torture-changes torture-random

torture-changes: ## Every change of every verb meets every trouble, in a sandbox: an hour. TORTURE_SCHEDULE repeats one
	$(IN_SANDBOX) --ignored --nocapture torture::every_change

torture-random: ## Runs meet random trouble, in a sandbox: TORTURE_ROUNDS of them, from TORTURE_SEED on
	$(IN_SANDBOX) --ignored --nocapture torture::random

fuzz: ## Throw made-up text at everything that is parsed from outside, for FUZZ_SECONDS
	@.ci/need fuzz
	mkdir -p tests/fuzz/corpus
	cargo +nightly fuzz run --sanitizer none --fuzz-dir tests/fuzz outside tests/fuzz/corpus tests/fuzz/seeds -- \
	  -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=5

docs: ## Write the documents' transcripts anew, from runs in a sandbox
	$(IN_SANDBOX) --ignored documents::

docs: export DOCS_UPDATE=1

check: fmt clippy deny ## Check format, lints and, where cargo-deny is installed, the dependencies

e2e: ## Run the end-to-end tests on the cluster of your kubeconfig
	@.ci/need cargo cluster
	$(E2E) $(E2E_TESTS) --test-threads $(E2E_THREADS) $(E2E_ARGUMENTS)

bench: ## Measure on the cluster of your kubeconfig, beside the guides by hand, and put the figures into README.md: over an hour
	@.ci/need cargo cluster etcd
	cargo bench --locked --bench bench -- $(BENCH)

build: ## Build the release program
	@.ci/need cargo
	cargo build --locked --release

install-tools: ## Install what all of these need
	@.ci/need cargo fmt clippy kubectl etcd deny

fmt:
	@.ci/need cargo fmt
	cargo fmt --check

clippy:
	@.ci/need cargo clippy
	cargo clippy --locked --all-targets -- -D warnings

deny:
	@if command -v cargo-deny >/dev/null; then cargo deny --locked check; \
	else echo 'cargo-deny is not installed, so the dependencies were not checked: make install-tools' >&2; fi
