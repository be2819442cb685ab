#!/usr/bin/env bash
# Copies a binary and what it needs into an empty folder, the root of a container: image-rootfs.sh BINARY FOLDER.
# That is: its shared libraries, their licences, certificate authorities, time zones, an account, a configuration.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$1
root=$2
umask 022

mkdir -p "$root"
[ -z "$(ls -A "$root")" ] || { echo "image-rootfs.sh: $root is not empty" >&2; exit 1; }
install -D -m 755 "$binary" "$root/usr/bin/martlet"

libraries=$(ldd "$binary" | sed -nE 's/^.*(=> |\t)(\/[^ ]+) \(0x.*/\2/p' | sort -u)
[ -n "$libraries" ] || { echo "image-rootfs.sh: ldd found no libraries" >&2; exit 1; }
for library in $libraries; do install -D -m 755 "$library" "$root$library"; done
# dpkg knows some libraries below /usr/lib, some below /lib.
packages=$(for library in $libraries; do
    dpkg-query -S "$library" 2>/dev/null || dpkg-query -S "/usr$library" 2>/dev/null || dpkg-query -S "${library#/usr}"
done | sed 's/:.*//' | sort -u)
for package in $packages; do
    if [ -e "/usr/share/doc/$package/copyright" ]; then
        install -D -m 644 "/usr/share/doc/$package/copyright" "$root/usr/share/doc/$package/copyright"
    fi
done
install -D -m 644 deploy/debian/copyright "$root/usr/share/doc/martlet/copyright"
scripts/static-libraries.sh licences "$root/usr/share/doc/martlet"

install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
mkdir -p "$root/usr/share/zoneinfo"
tar -C /usr/share/zoneinfo --exclude=./posix --exclude=./right --exclude=./localtime -cf - . |
    tar -C "$root/usr/share/zoneinfo" --no-same-owner -xf -

printf 'root:x:0:0:root:/:/nonexistent\nmartlet:x:65532:65532::/var/lib/martlet:/nonexistent\n' >"$root/etc/passwd"
printf 'root:x:0:\nmartlet:x:65532:\n' >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
install -D -m 644 deploy/martlet.yml "$root/etc/martlet/martlet.yml"
mkdir -p "$root/proc" "$root/sys" "$root/dev"
install -d -m 750 "$root/var/lib/martlet"
