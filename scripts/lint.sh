#!/usr/bin/env bash
# The format check, shellcheck, and a build in which every warning is an error and every import is declared.
set -euo pipefail
cd "$(dirname "$0")/.."
swift format lint --strict -r Package.swift Sources Tests
shellcheck scripts/*.sh .ci/run
swift build --build-tests --explicit-target-dependency-import-check error
