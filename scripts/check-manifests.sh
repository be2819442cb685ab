#!/usr/bin/env bash
# Checks the Kubernetes manifests against the schemas of the oldest and of the newest API that they are for. The checker
# and the schemas come from PyPI, into .build; nothing else needs them.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=.build/manifest-tools
release=1.37.0

if [ ! -x "$tools/bin/kubernetes-validate" ]; then
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check "kubernetes-validate==$release" || {
        rm -rf "$tools"
        echo "check-manifests.sh: kubernetes-validate cannot be had from PyPI: the manifests were not checked" >&2
        exit 1
    }
fi
for version in 1.29 "${release%.*}"; do
    "$tools/bin/kubernetes-validate" --strict --kubernetes-version "$version" deploy/kubernetes/*.yaml
done
