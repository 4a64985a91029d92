# `make` alone prints what there is.

CARGO ?= cargo
PREFIX ?= /usr/local
DESTDIR ?=
DATA ?=
BINARY = target/release/peerflix

.DEFAULT_GOAL := help
.PHONY: help demo test check sim bench conformance install uninstall programs compiler

help: ## print these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: compiler ## stream a small film from seeds on this computer, and watch it (needs no network)
	$(CARGO) run --release --locked -- demo $(ARGS)

test: programs ## every test, with real players and other people's seeds (installs them on Debian)
	$(CARGO) test --locked --all-targets
	$(CARGO) test --locked --doc

check: programs ## what must pass before a change lands: format, lints, docs, tests, licences
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --no-deps --document-private-items
	$(MAKE) test
	@if command -v cargo-deny >/dev/null; then $(CARGO) deny check; \
	 else echo 'cargo-deny is not installed: licences and advisories were not checked (cargo install cargo-deny)'; fi

sim: compiler ## the simulated swarms alone, each with its figures
	$(CARGO) test --locked --test simulation -- --nocapture

bench: compiler ## what one decision of the scheduler costs
	$(CARGO) bench --locked

conformance: programs ## tests on real archives: make conformance DATA=FOLDER
	@test -n '$(DATA)' || { echo 'say where the data is: make conformance DATA=FOLDER'; exit 2; }
	@test -d '$(DATA)' || { echo 'there is no folder $(DATA)'; exit 2; }
	DATA='$(abspath $(DATA))' $(CARGO) test --locked --test conformance -- --nocapture

SHARE = $(DESTDIR)$(PREFIX)/share
MAN = $(SHARE)/man/man1/peerflix.1
BASH = $(SHARE)/bash-completion/completions/peerflix
ZSH = $(SHARE)/zsh/site-functions/_peerflix
FISH = $(SHARE)/fish/vendor_completions.d/peerflix.fish
# PowerShell looks nowhere by itself: its profile has to name this file (docs/configuration.md).
POWERSHELL = $(SHARE)/peerflix/_peerflix.ps1

install: compiler ## binary, man page and completions below PREFIX (default /usr/local)
	$(CARGO) build --release --locked
	install -d '$(DESTDIR)$(PREFIX)/bin' $(foreach file,$(MAN) $(BASH) $(ZSH) $(FISH) $(POWERSHELL),'$(dir $(file))')
	install -m 755 '$(BINARY)' '$(DESTDIR)$(PREFIX)/bin/peerflix'
	'$(BINARY)' generate man > '$(MAN)'
	'$(BINARY)' completions bash > '$(BASH)'
	'$(BINARY)' completions zsh > '$(ZSH)'
	'$(BINARY)' completions fish > '$(FISH)'
	'$(BINARY)' completions powershell > '$(POWERSHELL)'

uninstall: ## what install has put there
	rm -f '$(DESTDIR)$(PREFIX)/bin/peerflix' '$(MAN)' '$(BASH)' '$(ZSH)' '$(FISH)' '$(POWERSHELL)'
	-rmdir '$(dir $(POWERSHELL))' 2>/dev/null

# What Debian (or its kin) must have installed: a C compiler to build, players and other clients to test against.
compiler:
	@sh tests/install.sh compiler

programs:
	@sh tests/install.sh compiler programs
