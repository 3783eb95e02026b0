"""A kernel boots what `machined image build` made, and finds the extensions where Talos's init looks for them.

The kernel is Debian's, in qemu's software emulation. The init is a script of ours that does what Talos's does: it
mounts the layers named in extensions.yaml, lays them over the root, the first on top, and binds extensions.yaml.
"""

import io
import platform
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from machined.main import cli
from talos.extensions.cpio import CpioWriter
from talos.extensions.release import Compression
from talos.extensions.squashfs import write_squashfs
from tests.programs import needed, needed_kernel
from tests.talos.extensions import archives
from tests.talos.extensions.archives import archive, compress_zstd, extension, file
from tests.talos.extensions.boot_files import tree_of

BOOT_SECONDS = 240
MODULES = ("drivers/block/loop.ko", "fs/squashfs/squashfs.ko", "fs/overlayfs/overlay.ko")

INIT = """\
#!/bin/busybox sh
/bin/busybox mkdir -p /bin /proc /dev /layers /root /sbin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
for module in loop squashfs overlay; do insmod /$module.ko; done
lower=
for image in $(sed -n 's/^    - image: //p' /extensions.yaml) rootfs.sqsh; do
    mkdir -p "/layers/$image"
    mount -t squashfs -o ro,loop "/$image" "/layers/$image" || echo "BAD $image"
    lower="$lower${lower:+:}/layers/$image"
done
mount -t overlay -o "ro,lowerdir=$lower" overlay /root || echo "BAD overlay"
mount -o bind,ro /extensions.yaml /root/etc/extensions.yaml
[ ! -d /usr/lib/firmware ] || mount -o bind,ro /usr/lib/firmware /root/usr/lib/firmware
cd /root
echo "=== files"
find . -type f | sort | while read -r path; do echo "$path $(head -n 1 "$path")"; done
echo "=== write"
touch /root/usr/local/new 2>&1
echo "=== extensions.yaml"
cat /root/etc/extensions.yaml
echo "=== end"
poweroff -f
"""

pytestmark = [
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the kernel is for amd64"),
    pytest.mark.timeout(BOOT_SECONDS + 60),
]


def own_initramfs(directory: Path) -> None:
    """Write an initramfs with our init, a root, and the modules that this kernel mounts them with."""
    needed("mksquashfs")
    root = archive(
        file("etc/extensions.yaml", b"the root's"),
        file("usr/lib/firmware/own", b"own"),
        file("usr/local/same", b"root"),
    )
    write_squashfs(tree_of(directory / "root", root), directory / "rootfs.sqsh", compression=Compression.ZSTD)
    modules = next((needed_kernel() / "unpacked/lib/modules").iterdir()) / "kernel"
    plain = io.BytesIO()
    writer = CpioWriter(plain)
    writer.directory("bin")
    contents = {
        "bin/busybox": Path(needed("busybox")).read_bytes(),
        "init": INIT.encode(),
        "rootfs.sqsh": (directory / "rootfs.sqsh").read_bytes(),
        **{Path(each).name: (modules / each).read_bytes() for each in MODULES},
    }
    for path, content in contents.items():
        writer.file(path, len(content), [content], mode=0o755)
    writer.end()
    (directory / "initramfs.img").write_bytes(compress_zstd(plain.getvalue()))


def boot(initramfs: Path) -> str:
    """Boot, and return what came over the serial console until the machine was off."""
    command = [
        needed("qemu-system-x86_64"), "-accel", "tcg", "-m", "512", "-nographic", "-no-reboot", "-nic", "none",
        "-kernel", str(needed_kernel() / "kernel"), "-initrd", str(initramfs),
        "-append", "console=ttyS0 panic=-1 quiet",
    ]  # fmt: skip
    finished = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=BOOT_SECONDS, check=True)
    return finished.stdout.decode("utf-8", "replace").replace("\r\n", "\n")


def between(console: str, section: str) -> list[str]:
    """Return the lines of one section."""
    return console.split(f"=== {section}\n")[1].split("===")[0].splitlines()


def test_a_kernel_boots_into_the_extensions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    own_initramfs(tmp_path)
    one = extension(file("rootfs/usr/local/one", b"one"), file("rootfs/usr/local/same", b"one"))
    two = extension(
        file("rootfs/usr/local/two", b"two"),
        file("rootfs/usr/local/same", b"two"),
        file("rootfs/usr/lib/firmware/card.bin", b"card"),
        file("rootfs/usr/lib/firmware/intel-ucode/06-01-01", b"microcode"),
    )
    archives.image(tmp_path / "images", "one", [one])
    archives.image(tmp_path / "images", "two", [two])

    result = CliRunner().invoke(
        cli,
        [
            "image", "build", "--initramfs", "initramfs.img", "--output", "out.img", "--cache", str(tmp_path / "cache"),
            "--platform", "linux/amd64", "--extension", "oci:images:one", "--extension", "oci:images:two",
        ],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    console = boot(tmp_path / "out.img")

    assert "BAD" not in console
    assert between(console, "files") == [
        "./etc/extensions.yaml layers:",
        "./usr/lib/firmware/card.bin card",
        "./usr/local/one one",
        "./usr/local/same one",
        "./usr/local/two two",
    ], console
    assert between(console, "write") == ["touch: /root/usr/local/new: Read-only file system"]
    listed = between(console, "extensions.yaml")
    assert listed[:4] == [
        "layers:",
        "    - image: 000.oci-images-one.sqsh",
        "      metadata:",
        "        name: sample",
    ]
    assert "    - image: 001.oci-images-two.sqsh" in listed
