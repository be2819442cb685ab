#!/usr/bin/env bash
# Runs every test; the end-to-end tests start the binary that this builds.
set -euo pipefail
cd "$(dirname "$0")/.."
swift build --build-tests
swift build --product martlet
swift test --skip-build "$@"
