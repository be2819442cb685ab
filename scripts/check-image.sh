#!/usr/bin/env bash
# Checks an OCI archive and, as root, runs it: check-image.sh ARCHIVE [ADDRESS]. The root file system is read-only, the
# user the image's, the health check and the command the image's; only ADDRESS is given. SIGTERM must end it with 0.
set -euo pipefail
cd "$(dirname "$0")/.."
archive=$1
address=${2:-127.0.0.1:9090}

work=$(mktemp -d)
daemon=""
cleanup() {
    [ -z "$daemon" ] || kill -KILL "$daemon" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT
if [ "$(id -u)" != 0 ]; then
    python3 scripts/image-check.py "$archive"
    echo "not run: that needs root"
    exit 0
fi
python3 scripts/image-check.py "$archive" "$work/root"

field() { python3 -c 'import json, sys; v = json.load(open(sys.argv[1]))
for key in sys.argv[2:]: v = v[key]
print("\n".join(v) if isinstance(v, list) else v)' "$work/root.json" "$@"; }
user=$(field User)
volume=$work/volume
install -d -m 750 -o "${user%:*}" -g "${user#*:}" "$volume"
mapfile -t command < <(field Entrypoint && field Cmd)
mapfile -t check < <(field Healthcheck Test | sed 1d)

# inside COMMAND...: runs it in the image, in a mount namespace of its own.
inside() {
    # shellcheck disable=SC2016
    exec unshare -m bash -ec 'root=$1 volume=$2 user=$3; shift 3
        mount --bind "$root" "$root"
        mount --bind "$volume" "$root/var/lib/martlet"
        mount -t proc -o ro proc "$root/proc"
        mount -o remount,bind,ro "$root"
        exec chroot --userspec="$user" "$root" "$@"' inside "$work/root" "$volume" "$user" "$@"
}

(inside "${command[@]}" "--web.listen-address=$address") >"$work/log" 2>&1 &
daemon=$!
healthy=""
for _ in $(seq 60); do
    kill -0 "$daemon" 2>/dev/null || break
    if (inside "${check[@]//127.0.0.1:9090/$address}") >"$work/health" 2>&1; then
        healthy=yes
        break
    fi
    sleep 0.5
done
[ -n "$healthy" ] || { cat "$work/log" "$work/health" >&2; echo "check-image.sh: not healthy" >&2; exit 1; }
(inside /usr/bin/martlet version) | head -1
grep -qE "^Uid:(.${user%:*}){4}$" "/proc/$daemon/status" || { echo "check-image.sh: another user" >&2; exit 1; }
kill -TERM "$daemon"
status=0
wait "$daemon" || status=$?
daemon=""
[ "$status" = 0 ] || { cat "$work/log" >&2; echo "check-image.sh: ended with $status" >&2; exit 1; }
[ -n "$(ls -A "$volume")" ] || { echo "check-image.sh: nothing in the volume" >&2; exit 1; }
echo "ran as $user with a read-only root: healthy, ended with 0 at SIGTERM"
