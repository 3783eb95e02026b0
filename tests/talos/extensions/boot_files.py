"""What boots: an initramfs as Talos makes it, with a root that has kernel modules, and ways to look into the result."""

import io
import lzma
import struct
import subprocess
from pathlib import Path

from talos.extensions.cpio import CpioReader, CpioWriter
from talos.extensions.layers import read_tree
from talos.extensions.release import Compression
from talos.extensions.squashfs import write_squashfs
from talos.extensions.tree import Tree
from tests.programs import needed
from tests.talos.extensions.archives import archive, compress_zstd, file, layers

KERNEL = "6.12.0-talos"


def module(name: str) -> bytes:
    """Return a kernel module with nothing in it but what it says of itself."""
    info = b"".join(f"{key}={value}\0".encode() for key, value in (("name", name), ("alias", f"alias-{name}")))
    info += b"depends=\0license=GPL\0"
    names = b"\0.modinfo\0.strtab\0.symtab\0.shstrtab\0"
    strings = b"\0"
    symbols = bytes(24)
    bodies = [(b".modinfo", 1, info), (b".strtab", 3, strings), (b".symtab", 2, symbols), (b".shstrtab", 3, names)]
    offset, content, table = 64, b"", bytes(64)
    for section, kind, body in bodies:
        link, entry_size = (2, 24) if section == b".symtab" else (0, 0)
        at = names.index(section)
        table += struct.pack("<IIQQQQIIQQ", at, kind, 0, 0, offset + len(content), len(body), link, 0, 8, entry_size)
        content += body + bytes(-len(body) % 8)
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = struct.pack("<HHIQQQIHHHHHH", 1, 62, 1, 0, 0, offset + len(content), 0, 64, 0, 0, 64, 5, 4)
    return ident + header + content + table


def tree_of(directory: Path, content: bytes) -> Tree:
    """Return the tree of one archive."""
    directory.mkdir()
    tree, faults = read_tree(layers(directory, content), root=())
    assert not faults
    return tree


def initramfs(
    directory: Path, *, compression: Compression = Compression.ZSTD, modules: str = "usr/lib/modules"
) -> Path:
    """Write an initramfs whose root has one module, `own`, and Talos's init, `/init`."""
    needed("mksquashfs")
    needed("depmod")
    root = archive(file(f"{modules}/{KERNEL}/kernel/own.ko", module("own")), file("usr/bin/init"))
    image = directory / "rootfs.sqsh"
    write_squashfs(tree_of(directory / "root", root), image, compression=compression)
    plain = io.BytesIO()
    writer = CpioWriter(plain)
    writer.file("init", 4, [b"init"], mode=0o755)
    writer.file("rootfs.sqsh", image.stat().st_size, [image.read_bytes()])
    writer.end()
    image.unlink()
    path = directory / "initramfs.img"
    packed = compress_zstd(plain.getvalue())
    if compression is Compression.XZ:
        packed = lzma.compress(plain.getvalue(), check=lzma.CHECK_CRC32)
    path.write_bytes(packed)
    return path


def unpacked(content: bytes) -> dict[str, bytes]:
    """Return the files of one cpio archive, as cpio(1) lists them."""
    reader = CpioReader(io.BytesIO(content))
    found = {entry.path: b"".join(reader.data()) for entry in reader}
    listed = subprocess.run([needed("cpio"), "-t", "--quiet"], input=content, capture_output=True, check=True).stdout
    assert listed.decode().split() == list(found)
    return found


def squashfs_files(image: bytes, directory: Path) -> dict[str, bytes]:
    """Return the files of a squashfs image, as unsquashfs unpacks it."""
    directory.mkdir()
    (directory / "image").write_bytes(image)
    target = directory / "files"
    command = [needed("unsquashfs"), "-n", "-d", str(target), str(directory / "image")]
    subprocess.run(command, capture_output=True, check=True)
    found = {}
    for path in sorted(target.rglob("*")):
        name = str(path.relative_to(target))
        if path.is_symlink():
            found[f"{name} -> {path.readlink()}"] = b""
        elif path.is_file():
            found[name] = path.read_bytes()
    return found
