#!/usr/bin/env bash
# Copies martlet to where programs lie, or removes it: install.sh install|uninstall BINARY, with prefix, sysconfdir,
# unitdir and DESTDIR from the environment. Configuration that is there already is kept; uninstall keeps it and the data.
set -euo pipefail
cd "$(dirname "$0")/.."
action=$1
binary=${2:-}
prefix=${prefix:-/usr/local}
sysconfdir=${sysconfdir:-/etc}
unitdir=${unitdir:-$prefix/lib/systemd/system}
root=${DESTDIR:-}
share=$prefix/share/martlet
documents=$prefix/share/doc/martlet

# place FILE TARGET: a file of the configuration, which only the first installation writes.
place() {
    if [ -e "$root$2" ]; then echo "kept $2"; else install -D -m 644 "$1" "$root$2"; fi
}

case $action in
install)
    install -D -m 755 "$binary" "$root$prefix/bin/martlet"
    install -d -m 755 "$root$unitdir" "$root$share/rules" "$root$share/dashboards" "$root$documents"
    sed -e "s|/usr/bin/martlet|$prefix/bin/martlet|; s|/usr/share/doc/martlet|$documents|" \
        -e "s|/etc/|$sysconfdir/|g" deploy/systemd/martlet.service >"$root$unitdir/martlet.service"
    chmod 644 "$root$unitdir/martlet.service"
    install -m 644 rules/*.yml "$root$share/rules"
    install -m 644 dashboards/*.json "$root$share/dashboards"
    install -m 644 docs/deploying.md "$root$documents"
    place deploy/martlet.yml "$sysconfdir/martlet/martlet.yml"
    place deploy/systemd/martlet.default "$sysconfdir/default/martlet"
    ;;
uninstall)
    rm -f "$root$prefix/bin/martlet" "$root$unitdir/martlet.service"
    rm -rf "$root$share" "$root$documents"
    ;;
*)
    echo "install.sh: install or uninstall, not $action" >&2
    exit 2
    ;;
esac
