#!/usr/bin/env bash
# Builds the Debian package of a binary: build-deb.sh BINARY FOLDER. Prints the path of the package in FOLDER.
# Name, version and date come from the binary, dependencies from the libraries that it is linked to.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$1
folder=$2

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
root=$stage/debian/martlet
architecture=$(dpkg --print-architecture)
about=$("$binary" version)
version=$(sed -n 's/^martlet, version \([^ ]*\).*/\1/p' <<<"$about")
built=$(sed -n 's/^ *build date: *\([0-9]\{8\}\)-\([0-9:]\{8\}\)$/\1 \2/p' <<<"$about")
# The date of the commit makes the versions of successive builds ascend.
if [ -n "$built" ]; then
    SOURCE_DATE_EPOCH=$(date -u -d "$built" +%s)
    version=$version+$(date -u -d "$built" +%Y%m%d%H%M%S)
else
    SOURCE_DATE_EPOCH=$(stat -c %Y "$binary")
fi
export SOURCE_DATE_EPOCH

umask 022
mkdir -p "$root/DEBIAN" "$folder"
DESTDIR=$root prefix=/usr unitdir=/lib/systemd/system sysconfdir=/etc scripts/install.sh install "$binary"
documents=$root/usr/share/doc/martlet
install -m 644 deploy/debian/copyright "$documents/copyright"
scripts/static-libraries.sh licences "$documents"
gzip -9n <CHANGELOG.md >"$documents/changelog.gz"
install -m 755 deploy/debian/postinst deploy/debian/prerm deploy/debian/postrm "$root/DEBIAN/"
(cd "$root" && find etc -type f | sort | sed 's|^|/|') >"$root/DEBIAN/conffiles"
(cd "$root" && find usr lib -type f | sort | xargs md5sum) >"$root/DEBIAN/md5sums"

cat >"$stage/debian/control" <<EOF
Source: martlet

Package: martlet
Architecture: any
EOF
libraries=$(cd "$stage" && dpkg-shlibdeps --warnings=0 -O "$root/usr/bin/martlet" 2>/dev/null | sed -n 's/^shlibs:Depends=//p')
[ -n "$libraries" ] || { echo "build-deb.sh: dpkg-shlibdeps found no libraries" >&2; exit 1; }
size=$(du -sk --apparent-size --exclude=DEBIAN "$root" | cut -f1)
sed -e "s|@VERSION@|$version|; s|@ARCHITECTURE@|$architecture|; s|@SIZE@|$size|; s|@LIBRARIES@|$libraries|" \
    deploy/debian/control.in >"$root/DEBIAN/control"
find "$stage" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
package=$folder/martlet_${version}_$architecture.deb
dpkg-deb --root-owner-group -Zxz --build "$root" "$package" >/dev/null
echo "$package"
