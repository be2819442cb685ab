#!/bin/bash
# Prints the micro-benchmarks: codecs, blocks, select.
set -euo pipefail
cd "$(dirname "$0")/.."
swift build -c release --product Benchmarks >&2
exec .build/release/Benchmarks
