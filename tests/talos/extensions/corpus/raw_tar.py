"""Tar archives written byte by byte, for headers that no writer would make."""

BLOCK_BYTES = 512
END = bytes(2 * BLOCK_BYTES)


def octal(value: int, width: int = 12) -> bytes:
    """Return a number as a header holds it."""
    return b"%0*o\0" % (width - 1, value)


def base_256(value: int, width: int = 12) -> bytes:
    """Return a number as GNU tar writes those that are negative, or too large for octal digits."""
    raw = bytearray(value.to_bytes(width, "big", signed=True))
    raw[0] |= 0x80
    return bytes(raw)


def header(
    path: bytes, size: int | bytes = 0, *, kind: bytes = b"0", link: bytes = b"", mode: int = 0o644, prefix: bytes = b""
) -> bytes:
    """Return one header; a size given as bytes is put there as it is."""
    block = bytearray(BLOCK_BYTES)
    block[0 : len(path)] = path
    block[100:108] = octal(mode, 8)
    block[124:136] = octal(size) if isinstance(size, int) else size
    block[156:157] = kind
    block[157 : 157 + len(link)] = link
    block[257:265] = b"ustar\x0000"
    block[345 : 345 + len(prefix)] = prefix
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padded(content: bytes) -> bytes:
    """Return a member's data, up to the next block."""
    return content + bytes(-len(content) % BLOCK_BYTES)


def member(path: str | bytes, content: bytes = b"", *, kind: bytes = b"0", link: str = "", mode: int = 0o644) -> bytes:
    """Return a header and its data."""
    name = path if isinstance(path, bytes) else path.encode()
    return header(name, len(content), kind=kind, link=link.encode(), mode=mode) + padded(content)


def file(path: str, content: bytes = b"content", *, mode: int = 0o644) -> bytes:
    return member(path, content, mode=mode)


def directory(path: str, *, mode: int = 0o755) -> bytes:
    return member(path, kind=b"5", mode=mode)


def symlink(path: str, target: str) -> bytes:
    return member(path, kind=b"2", link=target)


def hardlink(path: str, target: str) -> bytes:
    return member(path, kind=b"1", link=target)


def record(key: str, value: bytes) -> bytes:
    """Return one pax record, which starts with its own length."""
    rest = b" " + key.encode() + b"=" + value + b"\n"
    length = len(rest)
    while len(b"%d" % length + rest) != length:
        length = len(b"%d" % length + rest)
    return b"%d" % length + rest


def pax(*records: bytes, kind: bytes = b"x") -> bytes:
    """Return an extension header for the member that follows, or with the kind `g` for all of them."""
    return member("PaxHeader", b"".join(records), kind=kind)


def named(path: bytes, following: bytes) -> bytes:
    """Return a member under another name, of any length, which a pax record gives."""
    return pax(record("path", path)) + following
