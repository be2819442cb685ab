#!/usr/bin/env bash
# Runs every test, or those that `--filter REGEX` names; the end-to-end tests start the binary that this builds.
# One screen tells how it went; all output is in .build/test.log.
set -euo pipefail
cd "$(dirname "$0")/.."
log=.build/test.log
mkdir -p .build
: >"$log"

# Runs a step whose output matters only if it fails.
step() {
    local began=$SECONDS status=0
    echo "$1"
    shift
    "$@" >>"$log" 2>&1 || status=$?
    if [ "$status" != 0 ]; then
        # The compiler's errors, or else what was said last.
        { grep -E "error:" "$log" | sort -u || true; tail -n 20 "$log"; } | tail -n 30 >&2
        echo "FAILED with status $status: $*; all output: $log" >&2
        exit 1
    fi
    echo "  done in $((SECONDS - began)) s"
}

step "testing the scripts" python3 -B -m unittest discover --start-directory Tests/ScriptTests --pattern "*_test.py"
step "building: 4 minutes from a clean tree on two idle cores" swift build --build-tests
step "building the binary that the end-to-end tests start" swift build --product martlet
echo "running the tests: ${TEST_EXPECTED:-5 minutes on two idle cores}"
exec python3 scripts/test_report.py --folder .build/test-run --log "$log" --split StorageTests --waiting EndToEndTests \
    --stall "${TEST_STALL_SECONDS:-300}" "$@" .build/debug/martletPackageTests.xctest
