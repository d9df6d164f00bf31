# SPDX-License-Identifier: Apache-2.0
# `make demo` shows what atoll does; `make test` shows that it works.

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
MAKEFLAGS += --no-print-directory

PREFIX ?= /usr/local
DESTDIR ?=
SWIFT ?= swift

BINDIR = $(DESTDIR)$(PREFIX)/bin
MANDIR = $(DESTDIR)$(PREFIX)/share/man
BASHDIR = $(DESTDIR)$(PREFIX)/share/bash-completion/completions
ZSHDIR = $(DESTDIR)$(PREFIX)/share/zsh/site-functions
FISHDIR = $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d

# The static build keeps its own scratch directory: it would otherwise rebuild
# the debug build, and be rebuilt by it, each time.
RELEASE_SCRATCH = .build/release-static

.DEFAULT_GOAL := build
.PHONY: help deps build release demo test test-release lint format bench docs install uninstall clean

help: ## Say what each target does
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' Makefile

deps: ## Install what building and testing need (Debian packages), or say what is missing
	@.ci/deps

build: ## Build for debugging (.build/debug/atoll)
	@$(SWIFT) build

release: ## Build the one static binary: build/atoll
	@$(SWIFT) build -c release --product atoll -Xswiftc -static-executable \
	  --scratch-path $(RELEASE_SCRATCH) 2>&1 | \
	  sed '/in statically linked applications requires at runtime/d'
	@mkdir -p build
	@strip -o build/atoll.new $(RELEASE_SCRATCH)/release/atoll && mv build/atoll.new build/atoll
	@printf 'build/atoll: %s\n' "$$(build/atoll --version)"

# Built only when missing, so that `sudo make install` after `make release` compiles nothing.
build/atoll:
	@$(MAKE) release

demo: deps release ## Serve a small origin, see a MISS become a HIT, purge, read the metrics
	@Tests/Demo/demo build/atoll

test: ## Run every test, and count the instructions of a hit when valgrind is there
	@if command -v valgrind > /dev/null; then $(MAKE) release && Tests/Performance/instructions && \
	  $(MAKE) test-release; \
	  else echo 'instructions: skipped, valgrind is not installed'; fi
	@SWIFT_BACKTRACE=enable=no $(SWIFT) test

# What the optimizer makes of the calls into OpenSSL shows in the binary that is shipped alone.
test-release:
	@ATOLL_BINARY=$(CURDIR)/build/atoll SWIFT_BACKTRACE=enable=no $(SWIFT) test \
	  --filter 'CommandTests.(CertCreate|CertImport|HTTPSDemo)Tests'

lint: ## Check the format of every source file
	@$(SWIFT) format lint --strict -r Package.swift Sources Tests

format: ## Format every source file
	@$(SWIFT) format -i -r Package.swift Sources Tests

bench: release ## Measure a cached hit beside nginx, Varnish, HAProxy, Traffic Server and h2o
	@Tests/Performance/bench

docs: build ## Regenerate man pages and completions
	@.build/debug/atoll __generate .

install: build/atoll ## Install below PREFIX (and DESTDIR): binary, man pages, completions
	@install -d $(BINDIR) $(MANDIR)/man1 $(MANDIR)/man5 $(BASHDIR) $(ZSHDIR) $(FISHDIR)
	@install -m 755 build/atoll $(BINDIR)/atoll
	@install -m 644 man/*.1 $(MANDIR)/man1
	@install -m 644 man/*.5 $(MANDIR)/man5
	@install -m 644 completions/atoll.bash $(BASHDIR)/atoll
	@install -m 644 completions/_atoll $(ZSHDIR)/_atoll
	@install -m 644 completions/atoll.fish $(FISHDIR)/atoll.fish
	@echo 'installed $(BINDIR)/atoll, its man pages and completions'

uninstall: ## Remove what install put there
	@rm -f $(BINDIR)/atoll $(addprefix $(MANDIR)/man1/,$(notdir $(wildcard man/*.1))) \
	  $(addprefix $(MANDIR)/man5/,$(notdir $(wildcard man/*.5)))
	@rm -f $(BASHDIR)/atoll $(ZSHDIR)/_atoll $(FISHDIR)/atoll.fish
	@echo 'removed $(BINDIR)/atoll, its man pages and completions'

clean: ## Remove everything that was built
	@rm -rf .build build
