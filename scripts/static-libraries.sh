#!/usr/bin/env bash
# The libraries that the release binary contains: static-libraries.sh archives FOLDER fills a folder with links to their
# archives, static-libraries.sh licences FOLDER copies their licences.
#
# The linker looks in the first folder before it looks for shared libraries. What libcurl loads anyway, TLS, and libcrypt,
# which has the LGPL, stay shared: docs/decisions/0009-c-libraries.md.
set -euo pipefail
what=$1
folder=$2
mkdir -p "$folder"
for name in snappy yaml re2 stdc++; do
    archive=$(realpath "$(clang -print-file-name="lib$name.a")")
    package=$(dpkg-query -S "*/lib$name.a" 2>/dev/null | sed -n '1s/:.*//p')
    if [ ! -f "$archive" ] || [ -z "$package" ]; then
        echo "static-libraries.sh: lib$name.a is missing; 'make deps' installs it" >&2
        exit 1
    fi
    case $what in
    archives) ln -sfn "$archive" "$folder/lib$name.a" ;;
    licences) install -m 644 "/usr/share/doc/$package/copyright" "$folder/copyright.$name" ;;
    *)
        echo "static-libraries.sh: archives or licences, not $what" >&2
        exit 2
        ;;
    esac
done
