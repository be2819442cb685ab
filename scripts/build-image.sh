#!/usr/bin/env bash
# Builds a container image of a binary without a container engine: build-image.sh BINARY ARCHIVE (an OCI archive).
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$1
archive=$2

mkdir -p "$(dirname "$archive")"
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
built=$("$binary" version | sed -n 's/^ *build date: *\([0-9]\{8\}\)-\([0-9:]\{8\}\)$/\1 \2/p')
if [ -n "$built" ]; then seconds=$(date -u -d "$built" +%s); else seconds=$(stat -c %Y "$binary"); fi
scripts/image-rootfs.sh "$binary" "$stage/rootfs"
python3 scripts/image-archive.py "$stage/rootfs" deploy/Dockerfile "$archive.part" "$(dpkg --print-architecture)" "$seconds"
python3 scripts/image-check.py "$archive.part"
mv "$archive.part" "$archive"
echo "$archive"
