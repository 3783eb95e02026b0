#!/bin/sh
# Installs the Debian packages that tests run as programs, where this user may; says what is missing where not.
# usage: debian_packages.sh [PACKAGE…]
set -eu
[ $# -gt 0 ] || set -- docker-registry nghttp2-client curl squashfs-tools cpio kmod xz-utils zstd umoci \
    qemu-system-x86 busybox-static openssl

missing=""
for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "packages: no apt-get here; tests that need$missing are skipped" >&2
    exit 0
fi
if [ "$(id -u)" = 0 ]; then
    as_root=""
elif sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    echo "packages: not allowed to install$missing; tests that need them are skipped (or: sudo apt-get install$missing)" >&2
    exit 0
fi
echo "packages: installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
# shellcheck disable=SC2086
$as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
