"""Files below a confined root as one compressed archive, made as it is read: no more than a piece of it exists.

    listing ─▶ header │ bytes, zeros up to a block │ header … │ end ─▶ gzip ─▶ pieces

Names are as from where the listing began; links stay links; devices and pipes are named and not opened. What can't be
archived is left out and put down in `problems`. A file that turns out shorter than it said breaks the archive off,
because its header is gone already. Faithful to Talos's pkg/archiver.
"""

from __future__ import annotations

import errno
import os
import stat
import tarfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, Final

from talos.confined import Entry, Found, found, listing, words

PIECE_BYTES: Final = 64 << 10
"""How much of a file is read at a time, and about how much of the archive is handed out at a time."""

READ_BYTES: Final = 4 << 20
"""How much is read before a piece is handed out whatever its size: there are files that shrink to nothing."""

MAX_PROBLEMS: Final = 10
"""How many problems are put down; the error that tells of them is short."""

_GZIP: Final = 16 + zlib.MAX_WBITS
_TYPES: Final = {
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE,
    stat.S_IFBLK: tarfile.BLKTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
}


class BrokenOff(Exception):
    """An archive can't be gone on with; the message is the path and what was wrong."""


class Tarball:
    """An archive of what a path below a root leads to; a directory itself is not in it."""

    def __init__(self, root: Path, path: str) -> None:
        self._root = root
        self._path = path
        self.problems: list[str] = []

    def pieces(self) -> Generator[bytes, None, None]:
        """Yield the archive from its beginning, in pieces of which any may be empty.

        Raises OSError if the path leads nowhere, BrokenOff. Closing the iterator closes all files.
        """
        packer = zlib.compressobj(wbits=_GZIP)
        packed, read = bytearray(), 0
        with closing(self._archive()) as archive:
            for piece in archive:
                packed += packer.compress(piece)
                read += len(piece)
                if len(packed) >= PIECE_BYTES or read >= READ_BYTES:
                    yield bytes(packed)
                    packed, read = bytearray(), 0
        yield bytes(packed + packer.flush())

    def _archive(self) -> Generator[bytes, None, None]:
        with closing(listing(self._root, self._path)) as entries:
            for entry in entries:
                if entry.error or entry.status is None:
                    self._leave_out(entry, entry.error)
                elif entry.relative == ".":
                    continue
                elif stat.S_ISREG(entry.status.st_mode):
                    yield from self._file(entry)
                elif stat.S_IFMT(entry.status.st_mode) in _TYPES:
                    yield _header(entry, entry.status)
                else:
                    self._leave_out(entry, "sockets not supported")
        yield bytes(2 * tarfile.BLOCKSIZE)

    def _file(self, entry: Entry) -> Iterator[bytes]:
        """Yield a regular file; what the header says is what was opened."""
        try:
            with found(self._root, entry.path) as there:
                file = _opened(there)
        except OSError as error:
            self._leave_out(entry, f"open {entry.path}: {words(error)}")
            return
        with file:
            status = os.fstat(file.fileno())
            yield _header(entry, status)
            yield from _content(file, entry, status.st_size)
            yield bytes(-status.st_size % tarfile.BLOCKSIZE)

    def _leave_out(self, entry: Entry, problem: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(f"skipping {entry.path}: {problem}")


def _content(file: BinaryIO, entry: Entry, size: int) -> Iterator[bytes]:
    while size:
        try:
            piece = file.read(min(size, PIECE_BYTES))
        except OSError as error:
            raise BrokenOff(f"read {entry.path}: {words(error)}") from error
        if not piece:
            raise BrokenOff(f"read {entry.path}: its last {size} bytes are missing")
        size -= len(piece)
        yield piece


def _opened(there: Found) -> BinaryIO:
    if not stat.S_ISREG(there.status.st_mode):
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), there.path)
    return open(there.open(), "rb", buffering=0)


def _header(entry: Entry, status: os.stat_result) -> bytes:
    kind = stat.S_IFMT(status.st_mode)
    info = tarfile.TarInfo(entry.relative)
    info.type = _TYPES[kind]
    info.mode = stat.S_IMODE(status.st_mode)
    info.uid, info.gid = status.st_uid, status.st_gid
    info.mtime = int(status.st_mtime)
    info.size = status.st_size if kind == stat.S_IFREG else 0
    info.linkname = entry.link
    info.devmajor, info.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")
