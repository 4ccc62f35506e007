# make bench   sets up what is missing, builds, runs the quick suite, leaves the report in reports/latest/
# make test    sets up what is missing, runs every test
# make lint    rustfmt, clippy, the documentation's links and the shell scripts' syntax; a warning is an error
.POSIX:
.PHONY: bench test lint

bench:
	@sh setup/host.sh bench
	cargo build --release --locked
	sh setup/as-owner.sh target/release/isocost run quick

# The tests' programs, not cargo, are run as root where this user may not use the engine.
test:
	@sh setup/host.sh test
	@as_whom=$$(sh setup/host.sh as-whom); \
	if [ -n "$$as_whom" ]; then \
		echo "this user may not use the Docker engine: running the tests with $$as_whom"; \
		export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="$$as_whom"; \
	fi; \
	cargo test --locked --workspace; code=$$?; \
	[ -z "$$as_whom" ] || sudo chown -R "$$(id -u):$$(id -g)" target; \
	exit $$code

lint:
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --quiet
	for script in setup/*.sh; do sh -n "$$script" || exit 1; done
	bash -n .ci/run
	bash -n .ci/gate
