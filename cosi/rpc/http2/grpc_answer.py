"""What a gRPC answer looks like on its way out: header blocks, most of them constant.

Blocks use HPACK's static table and plain literals only, so they depend on nothing a connection knows and can be made
once. Each begins by giving the dynamic table up: whatever table the peer allows, later or now, its leave is not needed.
Faithful to gRPC's PROTOCOL-HTTP2.md.
"""

from collections.abc import Iterable

from cosi.rpc.http2.hpack import Header, encode_block
from cosi.rpc.http2.status import Code

_CONTENT_TYPE = (b"content-type", b"application/grpc")
_OK_STATUS = (b":status", b"200")
_PRINTABLE = frozenset(range(0x20, 0x7F)) - {ord("%")}
_NO_TABLE = b"\x20"  # a dynamic table of no bytes


def block(headers: Iterable[Header]) -> bytes:
    """Return a header block for any connection at any time."""
    return _NO_TABLE + encode_block(headers)


HEADERS = block([_OK_STATUS, _CONTENT_TYPE])
"""The block before the first message of any answer."""

OK_TRAILERS = block([(b"grpc-status", b"0")])
"""The block after the last message of an answer that went well."""


def trailers_block(code: Code, message: str, trailers: Iterable[Header], *, only: bool) -> bytes:
    """Return the block that ends an answer; `only` if no other block came before it."""
    headers = [_OK_STATUS, _CONTENT_TYPE] if only else []
    headers.append((b"grpc-status", b"%d" % code))
    if message:
        headers.append((b"grpc-message", percent_encode(message)))
    return block([*headers, *trailers])


def http_block(status: int, size_bytes: int, extra: Iterable[tuple[bytes, bytes]] = ()) -> bytes:
    """Return the block of an answer in plain HTTP, for who does not speak gRPC."""
    return block(
        [
            (b":status", b"%d" % status),
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % size_bytes),
            *extra,
        ]
    )


def percent_encode(message: str) -> bytes:
    """Return a status message as its header takes it."""
    # A header's value may have spaces inside, but none at its ends.
    inner = message.encode().lstrip(b" ").rstrip(b" ")
    encoded = b"".join(b"%c" % byte if byte in _PRINTABLE else b"%%%02X" % byte for byte in inner)
    before = len(message) - len(message.lstrip(" "))
    after = len(message) - len(message.rstrip(" ")) if inner else 0
    return b"%20" * before + encoded + b"%20" * after
