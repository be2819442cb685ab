#!/usr/bin/env bash
# What is too long for every change: each fuzzer for FUZZ_SECONDS, then all tests with many more rounds.
# The variables may be set to other numbers; each is explained where the test reads it.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/fuzz.sh "${FUZZ_TARGET:-}" "${FUZZ_SECONDS:-300}"

export MARTLET_CORRUPTIONS=${MARTLET_CORRUPTIONS:-100000}
export MARTLET_HISTORIES=${MARTLET_HISTORIES:-2000}
export MARTLET_LONG_HISTOGRAMS=${MARTLET_LONG_HISTOGRAMS:-100000}
export MARTLET_LONG_REQUESTS=${MARTLET_LONG_REQUESTS:-100000}
export MARTLET_QUERIES=${MARTLET_QUERIES:-100000}
export MARTLET_ENGINE_QUERIES=${MARTLET_ENGINE_QUERIES:-1000}
export MARTLET_KILLS=${MARTLET_KILLS:-100}
export MARTLET_READER_SECONDS=${MARTLET_READER_SECONDS:-600}
# One test may be silent for hours here.
export TEST_STALL_SECONDS=${TEST_STALL_SECONDS:-14400} TEST_EXPECTED="hours"
exec scripts/test.sh
