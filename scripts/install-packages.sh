#!/usr/bin/env bash
# Installs the Debian packages of the named sets that are missing: build, run, test, lint, deb, image.
# Does nothing when all are there.
set -euo pipefail

# The sets are read by their names below.
# shellcheck disable=SC2034
{
    packages_build="libzstd-dev zlib1g-dev libyaml-dev libcurl4-openssl-dev libssl-dev libcrypt-dev libsnappy-dev libre2-dev libxxhash-dev libjs-dygraphs"
    packages_run="curl prometheus-node-exporter"
    packages_test="curl prometheus prometheus-alertmanager prometheus-node-exporter chromium python3 faketime"
    packages_lint="shellcheck"
    packages_deb="dpkg-dev"
    packages_image="python3 ca-certificates tzdata"
}

wanted=""
for set in "$@"; do
    name="packages_$set"
    [ -n "${!name:-}" ] || { echo "install-packages.sh: no such set: $set" >&2; exit 2; }
    wanted="$wanted ${!name}"
done

missing=""
for package in $wanted; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=""
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "martlet needs the Debian packages$missing: install them as root" >&2; exit 1; }
    as_root="sudo"
fi
echo "installing$missing"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
# A package's own service is not wanted: what runs is started by our scripts, on loopback. Debian asks this file.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap '$as_root rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
fi
# shellcheck disable=SC2086
$as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
