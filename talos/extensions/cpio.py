"""A cpio archive in the newc format, which the kernel unpacks as its initramfs: everything root's, without times.

An entry is a header of 110 ASCII bytes, its name and its bytes, each padded to 4; `TRAILER!!!` ends an archive, and
zeros to a multiple of 512 follow. Source: Documentation/driver-api/early-userspace/buffer-format.rst of Linux.
"""

import binascii
import stat
import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import msgspec

MAX_FILE_BYTES = 2**32 - 1  # the format has 8 hexadecimal digits for a size
MAX_NAME_BYTES = 4096  # the kernel's PATH_MAX, above which it gives up
MAGIC = b"070701"

_MAGICS = (MAGIC, b"070702")  # the second is the same with checksums
_HEADER_BYTES = 110
_FIELDS = struct.Struct(">13I")
_BLOCK_BYTES = 512
_TRAILER = "TRAILER!!!"
_PIECE_BYTES = 256 * 1024


class CpioFault(Exception):
    """The bytes are no cpio archive, or something does not fit into one."""


class CpioWriter:
    """Writes entries one after the other; whoever adds a file adds its directories first."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self._written = 0
        self._inode = 0

    def directory(self, path: str) -> None:
        """Add a directory that everybody may enter."""
        self._header(path, stat.S_IFDIR | 0o755, 0, links=2)

    def symlink(self, path: str, target: str) -> None:
        """Add a symbolic link."""
        content = target.encode()
        self._header(path, stat.S_IFLNK | 0o777, len(content))
        self._put(content)
        self._pad(4)

    def file(self, path: str, size: int, pieces: Iterable[bytes], *, mode: int = 0o644) -> None:
        """Add a file of `size` bytes. Raises CpioFault where it is too large, or the pieces are not as many."""
        if size > MAX_FILE_BYTES:
            raise CpioFault(f"{path} has {size} bytes, a file in an initramfs has at most {MAX_FILE_BYTES}")
        self._header(path, stat.S_IFREG | mode, size)
        start = self._written
        for piece in pieces:
            self._put(piece)
        if self._written - start != size:
            raise CpioFault(f"{path} was to have {size} bytes and has {self._written - start}")
        self._pad(4)

    def end(self) -> None:
        """End the archive."""
        self._put(_header(0, 0, 1, 0, _TRAILER))
        self._pad(_BLOCK_BYTES)

    def _header(self, path: str, mode: int, size: int, *, links: int = 1) -> None:
        self._inode += 1
        self._put(_header(self._inode, mode, links, size, path))

    def _put(self, content: bytes) -> None:
        self._target.write(content)
        self._written += len(content)

    def _pad(self, multiple: int) -> None:
        self._put(bytes(-self._written % multiple))


class CpioEntry(msgspec.Struct, frozen=True):
    """The header of one entry."""

    path: str
    mode: int
    size: int


class CpioReader:
    """Iterates over one archive; `data` gives the bytes of the entry that was yielded last."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._position = 0
        self._unread = 0

    def __iter__(self) -> Iterator[CpioEntry]:
        """Yield each entry, to the archive's end. Raises CpioFault."""
        while True:
            for _ in self.data():
                pass
            self._align()
            header = self._exactly(_HEADER_BYTES)
            if not header.startswith(_MAGICS):
                raise CpioFault("this is no cpio archive of the kernel's format")
            try:
                fields = _FIELDS.unpack(binascii.unhexlify(header[len(MAGIC) :]))
            except binascii.Error:
                raise CpioFault("a header holds something that is no number") from None
            _, mode, _, _, _, _, size, _, _, _, _, name_bytes, _ = fields
            if not 1 < name_bytes <= MAX_NAME_BYTES:
                raise CpioFault(f"a name of {name_bytes} bytes, at most {MAX_NAME_BYTES} are read")
            path = self._exactly(name_bytes)[:-1].decode("utf-8", "replace")
            self._align()
            if path == _TRAILER:
                return
            self._unread = size
            yield CpioEntry(path, mode, size)

    def data(self) -> Iterator[bytes]:
        """Yield what is still unread of the current entry's bytes."""
        while self._unread:
            piece = self._stream.read(min(self._unread, _PIECE_BYTES))
            if not piece:
                raise CpioFault("the archive ends early")
            self._unread -= len(piece)
            self._position += len(piece)
            yield piece

    def _align(self) -> None:
        self._exactly(-self._position % 4)

    def _exactly(self, size: int) -> bytes:
        content = b""
        while len(content) < size and (piece := self._stream.read(size - len(content))):
            content += piece
        if len(content) < size:
            raise CpioFault("the archive ends early")
        self._position += size
        return content


def _header(inode: int, mode: int, links: int, size: int, path: str) -> bytes:
    name = path.encode() + b"\0"
    numbers = (inode, mode, 0, 0, links, 0, size, 0, 0, 0, 0, len(name), 0)
    head = MAGIC + b"".join(b"%08x" % number for number in numbers) + name
    return head + bytes(-len(head) % 4)
