"""An initramfs is archives one after the other, each plain or compressed; the kernel unpacks them all, in order.

    early cpio, plain       CPU microcode, which the kernel looks for before it can decompress anything
    the initramfs given     as it is, byte for byte
    cpio, xz or zstd        extensions.yaml, the layers' squashfs images, firmware

So extensions are added without touching what is there. Sources: pkg/imager/extensions of siderolabs/talos,
Documentation/arch/x86/microcode.rst of Linux.
"""

import gzip
import lzma
import shutil
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from talos.extensions.cpio import MAGIC, CpioFault, CpioReader, CpioWriter
from talos.extensions.layers import shared_contents
from talos.extensions.placement import Placement
from talos.extensions.release import Compression
from talos.extensions.tar_stream import Kind
from talos.extensions.tree import Entry
from talos.extensions.zstandard import zstd

MAX_INITRAMFS_BYTES = 4 * 1024**3  # Talos's own has some 100 MiB
MAX_MICROCODE_BYTES = 64 * 1024**2  # all of Intel's is some 12 MiB; a blob is put together in memory
EXTENSIONS_FILE = "extensions.yaml"

_GZIP, _XZ, _ZSTD = b"\x1f\x8b", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"
_ZSTD_LEVEL = 3  # the layers are compressed already: higher levels take minutes and gain nothing
_COPY_BYTES = 1024 * 1024


class InitramfsError(Exception):
    """The initramfs cannot be read, or extensions cannot be added to it."""

    def __init__(self, path: Path, problem: str, remedy: str) -> None:
        self.path = path
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{path}: {problem}; {remedy}")


class Addition(msgspec.Struct, frozen=True):
    """What is added: extensions.yaml, squashfs images by their files' names, and where the other files come from."""

    extensions_file: bytes
    images: Sequence[Path]
    placements: Sequence[Placement]


def check(original: Path) -> None:
    """Refuse what is no initramfs at a glance. Raises InitramfsError."""
    try:
        size = original.stat().st_size
        with original.open("rb") as file:
            magic = file.read(8)
    except OSError as error:
        raise InitramfsError(original, f"cannot be read ({error.strerror})", "give an initramfs") from error
    if not magic.startswith((MAGIC, _GZIP, _XZ, _ZSTD)):
        problem = "this is no initramfs: neither a cpio archive nor one packed with gzip, xz or zstd"
        raise InitramfsError(original, problem, "give the initramfs of a Talos release")
    if size > MAX_INITRAMFS_BYTES:
        raise InitramfsError(original, f"larger than {MAX_INITRAMFS_BYTES} bytes", "use a smaller one")


def assemble(original: Path, addition: Addition, target: BinaryIO, *, compression: Compression) -> None:
    """Write the initramfs with the extensions into an empty file.

    Raises InitramfsError, and TarFault where a layer is no longer what it was when it was read.
    """
    try:
        _write_microcode(addition.placements, target, original)
        with original.open("rb") as file:
            shutil.copyfileobj(file, target, _COPY_BYTES)
        with _compressed(target, compression) as packed:
            archive = CpioWriter(packed)
            config = addition.extensions_file
            archive.file(EXTENSIONS_FILE, len(config), [config])
            for image in addition.images:
                with image.open("rb") as file:
                    archive.file(image.name, image.stat().st_size, iter(lambda: file.read(_COPY_BYTES), b""))
            _write_firmware(addition.placements, archive)
            archive.end()
    except CpioFault as fault:
        raise InitramfsError(original, str(fault), "leave the extension out, or make it smaller") from fault


def extract(original: Path, name: str, target: Path) -> bool:
    """Write one file of an initramfs to `target`, and tell whether it was there. Raises InitramfsError.

    Looked into are the plain archives in front and the first compressed one: there Talos keeps its root.
    """
    try:
        with original.open("rb") as file:
            for stream in _archives(file, original):
                reader = CpioReader(stream)
                for entry in reader:
                    if entry.path.removeprefix("./") == name:
                        with target.open("xb") as copy:
                            for piece in reader.data():
                                copy.write(piece)
                        return True
    except (CpioFault, EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, zstd.ZstdError) as error:
        raise InitramfsError(original, f"damaged ({error})", "give the initramfs of a Talos release") from error
    return False


def _archives(file: BinaryIO, original: Path) -> Iterator[BinaryIO]:
    """Yield a stream at the start of each archive; whoever takes it reads the archive to its end."""
    while True:
        _skip_zeros(file)
        magic = file.read(8)
        file.seek(-len(magic), 1)
        if not magic:
            return
        if magic.startswith(MAGIC):
            yield file
            continue
        if magic.startswith(_GZIP):
            yield cast(BinaryIO, gzip.GzipFile(fileobj=file, mode="rb"))
        elif magic.startswith(_XZ):
            yield cast(BinaryIO, lzma.LZMAFile(file, "rb"))  # noqa: SIM115 - closing it would not close `file`
        elif magic.startswith(_ZSTD):
            yield cast(BinaryIO, zstd.ZstdFile(file, "rb"))
        else:
            problem = "it holds something that is neither cpio, gzip, xz nor zstd"
            raise InitramfsError(original, problem, "give the initramfs of a Talos release")
        return


def _skip_zeros(file: BinaryIO) -> None:
    while piece := file.read(4096):
        if rest := piece.lstrip(b"\0"):
            file.seek(-len(rest), 1)
            return


@contextmanager
def _compressed(target: BinaryIO, compression: Compression) -> Iterator[BinaryIO]:
    if compression is Compression.ZSTD:
        with zstd.ZstdFile(target, "wb", level=_ZSTD_LEVEL) as packed:
            yield cast(BinaryIO, packed)
    else:
        # The kernel's decompressor knows no other checksum than this one.
        with lzma.LZMAFile(target, "wb", check=lzma.CHECK_CRC32, preset=0) as packed:
            yield cast(BinaryIO, packed)


def _write_microcode(placements: Sequence[Placement], target: BinaryIO, original: Path) -> None:
    """Write the early archive, where there is anything for it; all extensions' microcode goes into the same blobs."""
    blobs: dict[str, list[bytes]] = {}
    total = 0
    for placement in placements:
        entries = placement.source.entries
        wanted = {path: entries[path] for paths in placement.microcode.values() for path in paths}
        total += sum(entry.size for entry in wanted.values())
        if total > MAX_MICROCODE_BYTES:
            problem = f"the extensions bring more than {MAX_MICROCODE_BYTES} bytes of microcode"
            raise InitramfsError(original, problem, "leave one of them out")
        found = dict.fromkeys(wanted, b"")
        for sharing, pieces in shared_contents(placement.source, wanted):
            found.update(dict.fromkeys(sharing, b"".join(pieces)))
        for blob, paths in placement.microcode.items():
            blobs.setdefault(blob, []).extend(found[path] for path in paths)
    if not blobs:
        return
    archive = CpioWriter(target)
    for path in ("kernel", "kernel/x86", "kernel/x86/microcode"):
        archive.directory(path)
    for blob, parts in sorted(blobs.items()):
        archive.file(blob, sum(map(len, parts)), parts)
    archive.end()


def _write_firmware(placements: Sequence[Placement], archive: CpioWriter) -> None:
    """Write every extension's firmware; what a later one brings again replaces what was there."""
    brought_by = {path: index for index, placement in enumerate(placements) for path in placement.firmware.entries}
    made: set[str] = set()
    for index, placement in enumerate(placements):
        tree = placement.firmware
        files: dict[str, Entry] = {}
        for path, entry in tree.entries.items():
            if entry.kind is Kind.DIRECTORY:
                if path not in made:
                    archive.directory(path)
                made.add(path)
            elif brought_by[path] != index:
                continue
            elif entry.kind is Kind.SYMLINK:
                archive.symlink(path, entry.link)
            elif entry.content is None or not entry.size:
                archive.file(path, 0, [], mode=entry.mode)
            else:
                files[path] = entry
        for (first, *others), pieces in shared_contents(tree, files):
            entry = tree.entries[first]
            if others:
                whole = b"".join(pieces)
                for path in others:
                    archive.file(path, entry.size, [whole], mode=entry.mode)
                pieces = iter([whole])
            archive.file(first, entry.size, pieces, mode=entry.mode)
