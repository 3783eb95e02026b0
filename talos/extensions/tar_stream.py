"""A tar archive is read once, front to back, in memory that does not depend on what the archive claims.

The standard library's reader keeps every member, loads extension headers of any size, and trusts sizes that a pax
header changes; here a header is 512 bytes, an extension header at most MAX_EXTENSION_BYTES, a member's data is handed
out in pieces, and whatever is ambiguous is refused. Understood are ustar, GNU long names and base-256 numbers, and
pax records for path, linkpath and size. Owners, times and extended attributes are read over: nothing here uses them.
"""

import enum
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

BLOCK_BYTES = 512
MAX_EXTENSION_BYTES = 64 * 1024  # a path and a link target of 4 KiB each, and some extended attributes
MAX_TRAILING_BYTES = 1024 * 1024  # padding after the end; tar pads to 10 KiB, some tools to more
PIECE_BYTES = 256 * 1024

_END = bytes(BLOCK_BYTES)
_CHECKSUM = slice(148, 156)
_MAX_CHAINED_EXTENSIONS = 8


class TarFault(Exception):
    """The archive is damaged, ambiguous, or over a bound; `rule` and `remedy` are a fault's."""

    def __init__(self, rule: str, problem: str, remedy: str = "rebuild the image") -> None:
        self.rule = rule
        self.problem = problem
        self.remedy = remedy
        super().__init__(problem)


class Kind(enum.Enum):
    """What a member is."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    HARDLINK = "hard link"
    SPECIAL = "device or fifo"
    UNKNOWN = "entry of an unknown type"


class Member(msgspec.Struct, frozen=True):
    """The header of one member. `path` and `link` are as the archive spells them: nothing is checked yet."""

    kind: Kind
    path: str
    mode: int
    size: int  # of the data that follows; 0 for all but files and what is unknown
    link: str


_KINDS = {
    b"0": Kind.FILE,
    b"\0": Kind.FILE,
    b"7": Kind.FILE,
    b"1": Kind.HARDLINK,
    b"2": Kind.SYMLINK,
    b"5": Kind.DIRECTORY,
    **dict.fromkeys((b"3", b"4", b"6"), Kind.SPECIAL),
}
_PAX, _PAX_GLOBAL, _GNU_LONG_NAME, _GNU_LONG_LINK = b"x", b"g", b"L", b"K"
_EXTENSIONS = frozenset({_PAX, _PAX_GLOBAL, _GNU_LONG_NAME, _GNU_LONG_LINK})
_GNU_SPARSE = b"S"


class TarReader:
    """Iterates over the members of an archive; `data` gives the bytes of the one that was yielded last."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._unread = 0  # of the current member's data
        self._padding = 0
        self._global: dict[str, str] = {}

    def __iter__(self) -> Iterator[Member]:
        """Yield each member. Raises TarFault, and whatever reading the stream raises."""
        while True:
            for _ in self.data():
                pass
            if self._padding:
                if not self._up_to(1):
                    return  # umoci ends its archives right after the last byte, and Go's reader takes them
                self._exactly(self._padding - 1, "a member's padding")
            header, extended = self._next_header()
            if header is None:
                self._check_end()
                return
            member = _member(header, extended)
            self._unread = member.size
            self._padding = -member.size % BLOCK_BYTES
            yield member

    def data(self) -> Iterator[bytes]:
        """Yield what is still unread of the current member's data."""
        while self._unread:
            piece = self._stream.read(min(self._unread, PIECE_BYTES))
            if not piece:
                raise TarFault("layer-truncated", "the archive ends inside a file")
            self._unread -= len(piece)
            yield piece

    def _next_header(self) -> tuple[bytes | None, dict[str, str]]:
        """Return the next header that is a member's, with the extensions that came before it."""
        extended: dict[str, str] = {}
        for _ in range(_MAX_CHAINED_EXTENSIONS):
            block = self._block()
            if block is None:
                if extended:
                    raise TarFault("layer-truncated", "the archive ends after an extension header")
                return None, {}
            _verify_checksum(block)
            kind = block[156:157]
            if kind not in _EXTENSIONS:
                return block, {**self._global, **extended}
            content = self._extension(block)
            if kind == _GNU_LONG_NAME:
                extended["path"] = _text(content.partition(b"\0")[0])
            elif kind == _GNU_LONG_LINK:
                extended["linkpath"] = _text(content.partition(b"\0")[0])
            else:
                (self._global if kind == _PAX_GLOBAL else extended).update(_pax_records(content))
        raise TarFault("layer-malformed", f"more than {_MAX_CHAINED_EXTENSIONS} extension headers in a row")

    def _block(self) -> bytes | None:
        """Return the next header block; None at the end of the archive, marked or not."""
        block = self._up_to(BLOCK_BYTES)
        if not block or block == _END:
            return None
        if len(block) < BLOCK_BYTES:
            raise TarFault("layer-truncated", "the archive ends inside a header")
        return block

    def _extension(self, block: bytes) -> bytes:
        size = _number(block[124:136])
        if size > MAX_EXTENSION_BYTES:
            raise TarFault("layer-bomb", f"an extension header of {size} bytes, at most {MAX_EXTENSION_BYTES} are read")
        content = self._exactly(size, "an extension header")
        self._exactly(-size % BLOCK_BYTES, "an extension header's padding")
        return content

    def _check_end(self) -> None:
        """Read on to the end of the stream, so that a compressor's own checksum is verified."""
        trailing = 0
        while piece := self._stream.read(PIECE_BYTES):
            trailing += len(piece)
            if trailing > MAX_TRAILING_BYTES:
                raise TarFault("layer-bomb", f"more than {MAX_TRAILING_BYTES} bytes after the archive's end")
            if piece.count(0) != len(piece):
                raise TarFault("layer-malformed", "there is data after the archive's end")

    def _exactly(self, size: int, what: str) -> bytes:
        content = self._up_to(size)
        if len(content) < size:
            raise TarFault("layer-truncated", f"the archive ends inside {what}")
        return content

    def _up_to(self, size: int) -> bytes:
        content = b""
        while len(content) < size and (piece := self._stream.read(size - len(content))):
            content += piece
        return content


def _member(header: bytes, extended: dict[str, str]) -> Member:
    kind_byte = header[156:157]
    if kind_byte == _GNU_SPARSE or any(key.startswith("GNU.sparse.") for key in extended):
        raise TarFault("layer-malformed", "a sparse file, whose data lies elsewhere than its header says")
    path = extended.get("path") or _header_path(header)
    kind = _KINDS.get(kind_byte, Kind.UNKNOWN)
    if kind is Kind.FILE and path.endswith("/"):
        kind = Kind.DIRECTORY  # how archives older than POSIX mark one
    size = _number(header[124:136])
    if "size" in extended:
        if not extended["size"].isascii() or not extended["size"].isdigit() or len(extended["size"]) > 20:
            raise TarFault("layer-malformed", "a pax record gives a size that is no number")
        size = int(extended["size"])
    if size and kind not in (
        Kind.FILE,
        Kind.HARDLINK,
        Kind.UNKNOWN,
    ):  # some tools repeat the target's size in a hard link
        raise TarFault("layer-malformed", f"{path[:200]!r} is a {kind.value} with data")
    link = (extended.get("linkpath") or _text(_until_nul(header[157:257]))) if kind in _LINKS else ""
    return Member(kind, path, _number(header[100:108]) & 0o7777, 0 if kind in _LINKS else size, link)


_LINKS = frozenset({Kind.SYMLINK, Kind.HARDLINK})


def _header_path(header: bytes) -> str:
    name = _until_nul(header[0:100])
    prefix = _until_nul(header[345:500]) if header[257:263] == b"ustar\0" else b""
    return _text(prefix + b"/" + name if prefix else name)


def _pax_records(content: bytes) -> dict[str, str]:
    """Split `LENGTH KEY=VALUE\\n` records; those that matter must be text, the rest is read over."""
    records: dict[str, str] = {}
    position = 0
    while position < len(content) and content[position]:
        space = content.find(b" ", position, position + 8)
        digits = content[position:space] if space > 0 else b""
        end = position + int(digits) if digits.isdigit() else 0
        record = content[space + 1 : end]
        key, equals, value = record.partition(b"=")
        if not position < end <= len(content) or not record.endswith(b"\n") or not equals:
            raise TarFault("layer-malformed", "a pax header that cannot be read")
        name = key.decode("utf-8", "replace")
        if name in ("path", "linkpath", "size") or name.startswith("GNU.sparse."):
            records[name] = _text(value[:-1])
        position = end
    return records


def _verify_checksum(block: bytes) -> None:
    digits = block[_CHECKSUM].strip(b" \0")
    found = sum(block) - sum(block[_CHECKSUM]) + 8 * ord(" ")
    # What is no archive at all fails here first, and is to be called that.
    if not digits or digits.strip(b"01234567") or int(digits, 8) != found:
        raise TarFault("layer-malformed", "this is no tar archive, or a header in it is damaged")


def _number(field: bytes) -> int:
    """Read octal digits, or GNU's base 256; a negative number is refused."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big", signed=False) - (0x80 << 8 * (len(field) - 1))
        if field[0] & 0x40:
            raise TarFault("layer-malformed", "a header holds a negative number")
        return value
    digits = field.strip(b" \0")
    if not digits:
        return 0
    if digits.strip(b"01234567"):
        raise TarFault("layer-malformed", "a header holds something that is no number")
    return int(digits, 8)


def _until_nul(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise TarFault("path-encoding", f"the name {raw[:200]!r} is not UTF-8") from None
