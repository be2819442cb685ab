# What can be done here; `make` alone lists it.
SHELL := /bin/bash
BINARY := .build/release/martlet
# The build's stamp; the date is that of the commit, so that equal sources give equal binaries.
STAMP := MARTLET_REVISION="$$(git rev-parse HEAD 2>/dev/null)" \
	MARTLET_BRANCH="$$(git rev-parse --abbrev-ref HEAD 2>/dev/null)" \
	MARTLET_BUILD_USER="$$(git log -1 --format=%an 2>/dev/null)" \
	MARTLET_BUILD_DATE="$$(TZ=UTC git log -1 --date=format-local:%Y%m%d-%H:%M:%S --format=%cd 2>/dev/null)"
ARCHIVES := $(CURDIR)/.build/archives
# The linker reads archives in order: RE2 needs what comes after it.
SWIFT_RELEASE := $(STAMP) swift build -c release --static-swift-stdlib --product martlet -Xlinker -s \
	-Xlinker -L$(ARCHIVES) -Xlinker -lstdc++

PACKAGES := .build/packages
IMAGE := $(PACKAGES)/martlet-image.tar
# `make install` and `make uninstall`: where to, and below which root.
prefix ?= /usr/local
sysconfdir ?= /etc
unitdir ?= $(prefix)/lib/systemd/system
DESTDIR ?=
INSTALL := prefix="$(prefix)" sysconfdir="$(sysconfdir)" unitdir="$(unitdir)" DESTDIR="$(DESTDIR)" scripts/install.sh

.PHONY: help deps build run test check-long lint format bench fuzz tsan asan install uninstall deb image manifests clean

help:
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

deps: ## install the Debian packages that the build needs
	@scripts/install-packages.sh build

build: deps ## build the release binary, .build/release/martlet
	@scripts/static-libraries.sh archives $(ARCHIVES)
	@$(SWIFT_RELEASE)

run: build ## scrape this machine and martlet itself, serve http://127.0.0.1:9090
	@scripts/quickstart.sh $(BINARY)

test: ## install what the tests need and run them all; FILTER=REGEX for some
	@scripts/install-packages.sh build test
	@scripts/test.sh $(if $(FILTER),--filter '$(FILTER)')

check-long: ## fuzz everything for FUZZ_SECONDS each, then run the tests with many more rounds: hours
	@scripts/install-packages.sh build test
	@scripts/check-long.sh

lint: ## check the format and the scripts, and build without warnings
	@scripts/install-packages.sh build lint
	@scripts/lint.sh

format: ## format all Swift sources
	@swift format -i -r Package.swift Sources Tests

bench: deps ## print the micro-benchmarks
	@scripts/bench.sh

fuzz: deps ## fuzz what reads bytes from outside, a minute each; FUZZ_TARGET=wal FUZZ_SECONDS=600 for one
	@scripts/fuzz.sh "$(FUZZ_TARGET)" "$${FUZZ_SECONDS:-60}"

tsan: deps ## run the tests of threads of storage, scrape, rules and notify under ThreadSanitizer
	@scripts/tsan.sh

asan: deps ## run the tests of what parses bytes from outside under AddressSanitizer
	@scripts/asan.sh

# Packaging builds the binary if a source is newer than it.
$(BINARY): Package.swift $(shell find Sources -type f)
	@$(MAKE) --no-print-directory build
	@touch $(BINARY)

install: $(BINARY) ## install below prefix (/usr/local); DESTDIR, sysconfdir and unitdir are obeyed
	@$(INSTALL) install $(BINARY)

uninstall: ## remove what install has put there, but no configuration and no data
	@$(INSTALL) uninstall

deb: $(BINARY) ## build a Debian package in .build/packages
	@scripts/install-packages.sh deb
	@scripts/build-deb.sh $(BINARY) $(PACKAGES)

image: $(BINARY) ## build a container image (an OCI archive) in .build/packages and check it
	@scripts/install-packages.sh image
	@scripts/build-image.sh $(BINARY) $(IMAGE)

manifests: ## check the Kubernetes manifests against the schemas of the API
	@scripts/check-manifests.sh

clean: ## remove what was built
	@rm -rf .build Benchmarks/.build
