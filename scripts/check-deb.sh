#!/usr/bin/env bash
# Installs, starts, upgrades, removes and purges a package in a Debian 12 of its own, as root:
# check-deb.sh PACKAGE FOLDER [ADDRESS]. FOLDER is that Debian; debootstrap makes it if it is not there. No service
# manager runs in it: a stand-in for systemctl notes what the package's scripts ask for, and the command of the unit is
# run as the user of the unit.
# shellcheck disable=SC2016 # dpkg-query's formats are in quotes.
set -euo pipefail
[ "${MARTLET_OWN_MOUNTS:-}" = yes ] || MARTLET_OWN_MOUNTS=yes exec unshare -m "$0" "$@"
cd "$(dirname "$0")/.."
package=$1
root=$2
address=${3:-127.0.0.1:9090}
data=$root/var/lib/martlet

work=$(mktemp -d)
daemon=""
stand_in=""
cleanup() {
    [ -z "$stand_in" ] || rm -f "$stand_in"
    [ -z "$daemon" ] || kill -KILL "$daemon" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT
fail() { echo "check-deb.sh: $*" >&2; [ ! -s "$work/log" ] || tail -20 "$work/log" >&2; exit 1; }
expect() { local what=$1; shift; "$@" || fail "$what"; }
absent() { [ ! -e "$root$1" ]; }
inside() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C "$@"; }
apt() { inside apt-get -qq -y --no-install-recommends "$@" >"$work/apt" 2>&1 || { cat "$work/apt" >&2; fail "apt-get $*"; }; }
has_user() { inside getent passwd martlet >/dev/null; }
state() { inside dpkg-query -W -f '${db:Status-Status}' martlet 2>/dev/null || true; }
# ask EXPRESSION: the value of the first series.
ask() {
    curl -fsS -m 5 "http://$address/api/v1/query" --data-urlencode "query=$1" |
        sed -n 's/.*"value":\[[^,]*,"\([^"]*\)"\].*/\1/p'
}
start() {
    local unit=$root/lib/systemd/system/martlet.service user ARGS=""
    user=$(sed -n 's/^User=//p' "$unit")
    # shellcheck disable=SC1090
    . "$root$(sed -n 's/^EnvironmentFile=-*//p' "$unit")"
    read -ra words <<<"$(sed -n 's/^ExecStart=//p' "$unit" | sed "s|\$ARGS|$ARGS|")"
    chroot --userspec="$user:$user" "$root" /usr/bin/env -i "${words[@]}" >>"$work/log" 2>&1 &
    daemon=$!
    for _ in $(seq 60); do
        kill -0 "$daemon" 2>/dev/null || fail "the daemon ended"
        [ "$(ask 'count(up)' 2>/dev/null)" != 1 ] || return 0
        sleep 0.5
    done
    fail "no sample after 30 seconds"
}
stop() {
    local status=0
    kill -TERM "$daemon"
    wait "$daemon" || status=$?
    daemon=""
    [ "$status" = 0 ] || fail "the daemon ended with $status"
}

[ -e "$root/etc/debian_version" ] || debootstrap --variant=minbase bookworm "$root" >/dev/null
mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
cp "$package" "$root/tmp/old.deb"
# The same package in a higher version.
dpkg-deb -R "$package" "$work/new"
sed -i 's/^Version: .*/&.1/' "$work/new/DEBIAN/control"
dpkg-deb --root-owner-group -Zgzip -z1 --build "$work/new" "$root/tmp/new.deb" >/dev/null

# What the package's scripts see of a service manager. asked COMMAND: whether exactly that was asked of it since the last.
mount -t tmpfs tmpfs "$root/run"
mkdir -p "$root/run/systemd/system"
[ ! -x "$root/bin/systemctl" ] || fail "$root has systemd: a minimal Debian is needed"
stand_in=$root/usr/bin/systemctl
cat >"$stand_in" <<'EOF'
#!/bin/sh
case " $* " in
*" start "* | *" stop "* | *" restart "*) echo "$*" | grep -oE '(start|stop|restart) .*' >>/run/asked ;;
*" preset "*) ln -s /lib/systemd/system/martlet.service /etc/systemd/system/multi-user.target.wants/ ;;
*" is-enabled "*) echo enabled ;;
*" is-active "*) echo active ;;
esac
EOF
chmod 755 "$stand_in"
asked() {
    local found
    found=$(cat "$root/run/asked" 2>/dev/null || true)
    rm -f "$root/run/asked"
    [ "$found" = "$1" ] || fail "asked of systemctl: '$found', expected '$1'"
}

apt update
apt install /tmp/old.deb
asked "start martlet.service"
expect "not installed" [ "$(state)" = installed ]
expect "no account" has_user
expect "another owner or mode of the data" [ "$(inside stat -c '%U:%G %a' /var/lib/martlet)" = "martlet:martlet 750" ]
expect "the unit is not enabled" [ -L "$root/etc/systemd/system/multi-user.target.wants/martlet.service" ]
expect "conffiles" [ "$(inside dpkg-query -W -f '${Conffiles}\n' martlet | grep -c /etc/)" = 2 ]
! inside ldd /usr/bin/martlet | grep 'not found' || fail "a library is missing"
inside dpkg -V martlet | grep . && fail "files differ from the package"
inside martlet check config /etc/martlet/martlet.yml >/dev/null || fail "the configuration is refused"
echo "installed $(inside dpkg-query -W -f '${Version}' martlet)"

# What an administrator changes must survive: here the address and how often is scraped.
sed -i "s|127.0.0.1:9090|$address|" "$root/etc/default/martlet" "$root/etc/martlet/martlet.yml"
sed -i "s|scrape_interval: 15s|scrape_interval: 1s|" "$root/etc/martlet/martlet.yml"
changed=$(inside md5sum /etc/default/martlet /etc/martlet/martlet.yml)
start
expect "another user" [ "$(stat -c %u "/proc/$daemon")" = "$(inside id -u martlet)" ]
sleep 3
stop
echo "started and stopped as $(inside stat -c %U /var/lib/martlet)"

apt install /tmp/new.deb
asked "restart martlet.service"
start
kept=$(ask 'count_over_time(up[10m] offset 0s)')
before=$(ask 'count_over_time(up[10m] @ '"$(stat -c %Y "$root/var/lib/dpkg/info/martlet.list")"')')
expect "the samples from before the upgrade are gone" [ "${before:-0}" -ge 3 ]
stop
expect "a changed conffile was replaced" [ "$changed" = "$(inside md5sum /etc/default/martlet /etc/martlet/martlet.yml)" ]
echo "upgraded to $(inside dpkg-query -W -f '${Version}' martlet): $before of $kept samples are from before"

apt remove martlet
asked "stop martlet.service"
expect "the binary stays" absent /usr/bin/martlet
expect "the unit stays" absent /lib/systemd/system/martlet.service
expect "the configuration is gone after remove" [ -e "$root/etc/martlet/martlet.yml" ]
expect "the samples are gone after remove" [ -n "$(ls -A "$data")" ]
apt purge martlet
expect "the configuration stays after purge" absent /etc/martlet
expect "the defaults stay after purge" absent /etc/default/martlet
expect "the samples are gone after purge" [ -n "$(ls -A "$data")" ]
expect "the account of the samples is gone after purge" has_user
expect "links of the unit stay" [ -z "$(find "$root/etc/systemd" "$root/var/lib/systemd" -name '*martlet*')" ]
echo "removed and purged: the samples are still there"

rm -r "$data"
apt install /tmp/old.deb
apt purge martlet
expect "an empty data directory stays after purge" absent /var/lib/martlet
! has_user || fail "the account stays after purge without samples"
rm "$root/tmp/old.deb" "$root/tmp/new.deb"
echo "installed and purged without samples: nothing is left"
