"""Entries as an archive writes them: root's, without times, in one dialect of tar; the same entry, the same bytes."""

import tarfile

from talos.extensions.tar_stream import BLOCK_BYTES, Kind
from talos.extensions.tree import Entry

_END_BYTES = 2 * BLOCK_BYTES
_TYPES = {Kind.FILE: tarfile.REGTYPE, Kind.DIRECTORY: tarfile.DIRTYPE, Kind.SYMLINK: tarfile.SYMTYPE}


def header(path: str, entry: Entry) -> bytes:
    """Return what stands before an entry's bytes in an archive."""
    info = tarfile.TarInfo(path)
    info.type = _TYPES[entry.kind]
    info.mode = entry.mode
    info.size = entry.size
    info.linkname = entry.link
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def padding(size: int) -> int:
    """Return how many zero bytes follow a file of `size` bytes."""
    return -size % BLOCK_BYTES


def end_of_archive() -> bytes:
    """Return what stands after the last entry."""
    return bytes(_END_BYTES)
