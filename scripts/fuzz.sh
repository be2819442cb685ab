#!/usr/bin/env bash
# Fuzzes one target, or each in turn: fuzz.sh [TARGET] [SECONDS]. Findings are left in .build/fuzz/.
# FUZZ_SEED: the seed of the fuzzer; a new one each time if it is not set.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${2:-60}
scratch=${FUZZ_SCRATCH:-.build/fuzz-build}
# lld: gold stops at the sanitizer's debug information.
flags=(-Xswiftc -sanitize=fuzzer -Xswiftc -enable-testing -Xswiftc -use-ld=lld)
# The fuzzer reports and keeps what crashed; a backtrace of its own would come first and end it.
export SWIFT_BACKTRACE=enable=no
MARTLET_FUZZ=1 swift build -c release --product Fuzz --scratch-path "$scratch" "${flags[@]}"
targets=${1:-}
[ -n "$targets" ] || targets="wal checkpoint block index manifest deletions prometheus-chunk prometheus-index prometheus-wal exposition promql json http-request gzip yaml config template alert-data remote-write-v1 remote-write-v2 api-parameters"
mkdir -p .build/fuzz
for target in $targets; do
    # What grows while fuzzing stays out of the checked-in corpus.
    grown=.build/fuzz/$target
    mkdir -p "$grown" "Tests/Fuzz/Corpus/$target"
    echo "fuzzing $target for $seconds s"
    "$scratch/release/Fuzz" "$target" "$grown" "Tests/Fuzz/Corpus/$target" -max_total_time="$seconds" \
        -seed="${FUZZ_SEED:-0}" -timeout=25 -rss_limit_mb=4096 -artifact_prefix=".build/fuzz/$target-" -print_final_stats=1 -verbosity=0 -close_fd_mask=2
done
