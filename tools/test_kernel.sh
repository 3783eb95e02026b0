#!/bin/sh
# Unpacks Debian's kernel, with its modules, for the test that boots an initramfs; nothing is installed.
# usage: test_kernel.sh DIRECTORY
set -eu
directory=$1
[ ! -e "$directory/kernel" ] || exit 0
command -v apt-get >/dev/null 2>&1 || { echo "kernel: no apt-get here; the boot test is skipped" >&2; exit 0; }
[ "$(dpkg --print-architecture)" = amd64 ] || { echo "kernel: no amd64 machine; the boot test is skipped" >&2; exit 0; }
package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image-.*\)/\1/p' | head -n 1)
[ -n "$package" ] || { echo "kernel: apt knows no linux-image-cloud-amd64; run apt-get update" >&2; exit 1; }
echo "kernel: unpacking $package" >&2
rm -rf "$directory"
mkdir -p "$directory/unpacked"
(cd "$directory" && apt-get download -qq "$package" 2>/dev/null && dpkg-deb -x ./*.deb unpacked && rm ./*.deb)
ln -s "$(cd "$directory" && echo unpacked/boot/vmlinuz-*)" "$directory/kernel"
