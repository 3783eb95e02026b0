#!/bin/sh
# What `machined image build` does, by hand: pull, unpack, pack, list, assemble.
# usage: image_by_hand.sh INITRAMFS OUTPUT WORK REF…
set -eu
initramfs=$1 output=$2 work=$3
shift 3
mkdir -p "$work/add"
printf 'layers:\n' >"$work/add/extensions.yaml"
number=0
for reference in "$@"; do
    name=$(printf '%03d' "$number")
    skopeo copy -q --src-tls-verify=false "docker://$reference" "dir:$work/$name.image"
    mkdir "$work/$name"
    python3 -c 'import json, sys; [print(each["digest"][7:]) for each in json.load(open(sys.argv[1]))["layers"]]' \
        "$work/$name.image/manifest.json" | while read -r layer; do
        tar -C "$work/$name" -xf "$work/$name.image/$layer"
    done
    mksquashfs "$work/$name/rootfs" "$work/add/$name.sqsh" -all-root -no-xattrs -mkfs-time 0 -all-time 0 \
        -comp zstd -Xcompression-level 18 -noappend -no-progress -quiet >/dev/null
    printf '    - image: %s.sqsh\n' "$name" >>"$work/add/extensions.yaml"
    sed 's/^/      /' "$work/$name/manifest.yaml" >>"$work/add/extensions.yaml"
    number=$((number + 1))
done
cp "$initramfs" "$output"
(cd "$work/add" && find . -type f | sort | cpio -o -H newc --quiet | zstd -q -3 -c) >>"$output"
