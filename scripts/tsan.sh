#!/usr/bin/env bash
# Runs what many threads touch under ThreadSanitizer: tsan.sh [FILTER]. A race ends the run with an error.
set -euo pipefail
cd "$(dirname "$0")/.."
filter=${1:-"ConcurrentReader|ChurnTests|SlotPool|Sleepers|ClockTests"}
scratch=${TSAN_SCRATCH:-$PWD/.build/tsan}
swift build --build-tests --sanitize=thread --scratch-path "$scratch"
clang -O1 -shared -fPIC -o "$scratch/mutex.so" Tests/ThreadSanitizer/mutex.c -ldl
# A backtrace of Swift's own would come before the report and end the run.
export SWIFT_BACKTRACE=enable=no TSAN_OPTIONS="halt_on_error=1 exitcode=66 ${TSAN_OPTIONS:-}"
for tests in "$scratch"/debug/*PackageTests.xctest; do
    LD_PRELOAD=$scratch/mutex.so "$tests" --testing-library swift-testing --filter "$filter"
done
