#!/usr/bin/env bash
# What a submission must pass, then the jobs for which there is time: ci.sh [TABLE]. CONTRIBUTING.md says more.
# CI_MINUTES: how long all of it may take. CI_LOGS: where the output of the jobs goes.
set -euo pipefail
cd "$(dirname "$0")/.."
budget=$((${CI_MINUTES:-38} * 60))
logs=${CI_LOGS:-.build/ci}
# How long a job gets to end after it was told to.
grace=10

# A required step runs first, has no limit, and ends the run if it fails. A job runs if twice its expected time is
# left, and is ended after that: expected times are those of two idle cores, from nothing built but what comes before.
table() {
    cat <<'TABLE'
required packages   0  scripts/install-packages.sh build test lint
required lint       0  scripts/lint.sh
required test       0  make test
job      tsan     300  scripts/tsan.sh
job      asan     150  scripts/asan.sh
job      release  200  make build
job      fuzz     370  FUZZ_SEED=1 scripts/fuzz.sh "" 4
TABLE
}

[ $# = 0 ] || table() { cat "$1"; }
mapfile -t rows < <(table "$@")
mkdir -p "$logs"
summary=() failed=0 job=""
trap '[ -z "$job" ] || kill -TERM "$job"; exit 130' INT TERM

# How a number of seconds is shown.
clock() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }

# Adds a row to the summary: name, time, expected time, result.
add() { summary+=("$(printf '%-10s %6s %9s  %s' "$1" "$2" "$3" "$4")"); }

show_summary() {
    printf '\n%-10s %6s %9s  %s\n' job time expected result
    printf '%s\n' "${summary[@]}"
    echo "$(clock "$SECONDS") of $(clock "$budget") minutes; output of the jobs: $logs"
}

required() {
    local began=$SECONDS status=0
    bash -c "$2" || status=$?
    if [ "$status" != 0 ]; then
        add "$1" "$(clock $((SECONDS - began)))" "" "FAILED with status $status"
        show_summary
        exit 1
    fi
    add "$1" "$(clock $((SECONDS - began)))" "" passed
}

run_job() {
    local name=$1 expected=$2 limit=$(($2 * 2)) log=$logs/$1.log began=$SECONDS status=0 result=passed
    if [ $((SECONDS + limit + grace)) -gt "$budget" ]; then
        add "$name" - "$(clock "$expected")" "skipped: no time left"
        return
    fi
    echo "$name: expected to take $(clock "$expected"), ended after $(clock "$limit")"
    timeout --kill-after="$grace" "$limit" bash -c "$3" >"$log" 2>&1 &
    job=$!
    wait "$job" || status=$?
    job=""
    local took=$((SECONDS - began))
    # What ends by itself with one of these statuses, long before the limit, has failed.
    if { [ "$status" = 124 ] || [ "$status" = 137 ]; } && [ "$took" -ge "$limit" ]; then
        result="not finished"
    elif [ "$status" != 0 ]; then
        result="FAILED with status $status"
        failed=1
        tail -n 60 "$log"
    fi
    echo "$name: $result after $(clock "$took")"
    add "$name" "$(clock "$took")" "$(clock "$expected")" "$result"
}

for row in "${rows[@]}"; do
    read -r kind name expected command <<<"$row"
    case $kind in
        required) required "$name" "$command" ;;
        job) run_job "$name" "$expected" "$command" ;;
        *) echo "ci.sh: no such kind of row: $kind" >&2; exit 2 ;;
    esac
done
show_summary
exit "$failed"
