#!/usr/bin/env bash
# Runs what many threads touch under ThreadSanitizer: tsan.sh [FILTER]. A race ends the run with an error.
set -euo pipefail
cd "$(dirname "$0")/.."
suites="ConcurrentReader|Churn|SlotPool|StoreRestart|Sleepers|Clock|Continuation|ThreadPool|Workers|FileReads"
suites="$suites|ScrapeManager|PageFetch|Turn|RuleBatches|RuleGroup|RuleClock"
suites="$suites|Notifier|NotifierGroup|NotifierClock|Ledger|AlertmanagerClient|HTTPTransport"
filter=${1:-"^[A-Za-z]+Tests\\.($suites)Tests/"}
scratch=${TSAN_SCRATCH:-$PWD/.build/tsan}
export MARTLET_ONLY=${MARTLET_ONLY:-Platform,Storage,Scrape,Rules,Notify}
swift build --build-tests --sanitize=thread --scratch-path "$scratch"
clang -O1 -shared -fPIC -o "$scratch/runtime.so" Tests/ThreadSanitizer/runtime.c -ldl
# A backtrace of Swift's own would come before the report and end the run.
export SWIFT_BACKTRACE=enable=no TSAN_OPTIONS="halt_on_error=1 exitcode=66 ${TSAN_OPTIONS:-}"
for tests in "$scratch"/debug/*PackageTests.xctest; do
    LD_PRELOAD=$scratch/runtime.so "$tests" --testing-library swift-testing --no-parallel --filter "$filter"
done
