"""The same files always make the same archive: sorted, owned by root, without times, in one dialect of tar.

A tree's bytes lie in compressed layers, in the layers' order, while an archive wants them in the order of its paths.
Every size is known beforehand, so every place in the archive is too: headers are written first, then each file's
bytes to where they belong, as the layers bring them. Nothing is spilled, and no file is held in memory.
"""

import tarfile
from collections import defaultdict
from collections.abc import Iterator
from typing import BinaryIO

from talos.extensions.layers import contents
from talos.extensions.tar_stream import BLOCK_BYTES, Kind
from talos.extensions.tree import Content, Entry, Tree

_END_BYTES = 2 * BLOCK_BYTES
_TYPES = {Kind.FILE: tarfile.REGTYPE, Kind.DIRECTORY: tarfile.DIRTYPE, Kind.SYMLINK: tarfile.SYMTYPE}


def write_tree(tree: Tree, target: BinaryIO) -> None:
    """Write a tree as an archive into an empty file that can seek.

    Raises TarFault where a layer is no longer what it was when the tree was read.
    """
    places: defaultdict[Content, list[int]] = defaultdict(list)
    position = 0
    for path, entry in tree.entries.items():
        head = header(path, entry)
        target.seek(position)
        target.write(head)
        position += len(head)
        if entry.content is not None and entry.size:
            places[entry.content].append(position)
            position += entry.size + padding(entry.size)
    for content, pieces in contents(tree.layers, places):
        _write_at(target, places[content], pieces)
    target.truncate(position + _END_BYTES)


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


def _write_at(target: BinaryIO, positions: list[int], pieces: Iterator[bytes]) -> None:
    written = 0
    for piece in pieces:
        for position in positions:
            target.seek(position + written)
            target.write(piece)
        written += len(piece)
