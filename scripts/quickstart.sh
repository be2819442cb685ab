#!/usr/bin/env bash
# The main job on this machine: a node_exporter if none answers, then martlet with examples/quickstart.yml.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$1
address=127.0.0.1:9090

scripts/install-packages.sh run
exporter=""
# shellcheck disable=SC2317 # The trap calls it.
stop() { [ -z "$exporter" ] || kill "$exporter" 2>/dev/null || true; }
trap stop EXIT
if ! curl -fsS -o /dev/null --max-time 5 http://127.0.0.1:9100/metrics 2>/dev/null; then
    echo "starting prometheus-node-exporter on 127.0.0.1:9100"
    prometheus-node-exporter --web.listen-address=127.0.0.1:9100 --log.level=warn &
    exporter=$!
fi
echo "open http://$address/ (stop with Ctrl-C)"
status=0
"$binary" --config.file=examples/quickstart.yml --storage.tsdb.path=data --web.listen-address="$address" \
    --web.enable-lifecycle &
daemon=$!
trap 'kill -TERM "$daemon" 2>/dev/null || true' INT TERM
while true; do
    wait "$daemon" && status=0 || status=$?
    kill -0 "$daemon" 2>/dev/null || break
done
exit "$status"
