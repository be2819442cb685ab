#!/usr/bin/env bash
# The format check, a build in which every warning is an error and every import is declared, and shellcheck.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install-packages.sh lint
shellcheck scripts/*.sh .ci/run deploy/debian/postinst deploy/debian/prerm deploy/debian/postrm
swift format lint --strict -r Package.swift Sources Tests
swift build --build-tests --explicit-target-dependency-import-check error
