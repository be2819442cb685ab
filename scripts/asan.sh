#!/usr/bin/env bash
# Runs the tests of what parses bytes from outside under AddressSanitizer: asan.sh [FILTER]. An error ends the run.
set -euo pipefail
cd "$(dirname "$0")/.."
filter=${1:-"^(JSON|Exposition|Encoding|Config|Remote|Interchange)Tests\\."}
scratch=${ASAN_SCRATCH:-$PWD/.build/asan}
export MARTLET_ONLY=${MARTLET_ONLY:-JSON,Exposition,Encoding,Config,Remote,Interchange}
swift build --build-tests --sanitize=address --scratch-path "$scratch"
# A backtrace of Swift's own would come before the report and end the run. Leaks are not looked for: Swift's runtime
# keeps metadata for ever.
export SWIFT_BACKTRACE=enable=no ASAN_OPTIONS="detect_leaks=0 ${ASAN_OPTIONS:-}"
for tests in "$scratch"/debug/*PackageTests.xctest; do
    "$tests" --testing-library swift-testing --no-parallel --filter "$filter"
done
