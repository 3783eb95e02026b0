"""What a gRPC call looks like when it sets out: the request headers, and a message in its five-byte envelope."""

from binascii import b2a_base64
from collections.abc import Iterable
from struct import Struct

from cosi.rpc.http2.hpack import Header

Metadata = Iterable[tuple[str, str | bytes]]

MAX_TIMEOUT_VALUE = 99_999_999  # grpc-timeout has at most eight digits
USER_AGENT = b"cosi-python"
ENVELOPE = Struct(">BL")  # compressed flag, length

_RESERVED_KEYS = frozenset(
    (
        "connection",
        "content-length",
        "content-type",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "transfer-encoding",
        "upgrade",
    )
)
_KEY_CHARACTERS = frozenset("0123456789abcdefghijklmnopqrstuvwxyz_-.")


def request_headers(
    *,
    path: str,
    authority: str,
    scheme: str = "http",
    metadata: Metadata = (),
    timeout_seconds: float | None = None,
) -> list[Header]:
    """Return the header list of a call.

    Raises ValueError for metadata that gRPC cannot carry: keys are lower case, and only those that end in -bin have
    bytes.
    """
    headers = [
        (b":method", b"POST"),
        (b":scheme", scheme.encode()),
        (b":path", path.encode()),
        (b":authority", authority.encode()),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
        (b"user-agent", USER_AGENT),
    ]
    if timeout_seconds is not None:
        headers.append((b"grpc-timeout", _timeout(timeout_seconds)))
    headers.extend(metadata_header(key, value) for key, value in metadata)
    return headers


def envelope(message: bytes) -> bytes:
    """Put an uncompressed message into its envelope."""
    return ENVELOPE.pack(0, len(message)) + message


def _timeout(seconds: float) -> bytes:
    # Rounded up, so that the server never gives up before the client does.
    milliseconds = max(1, int(seconds * 1000) + 1)
    if milliseconds <= MAX_TIMEOUT_VALUE:
        return b"%dm" % milliseconds
    return b"%dS" % min(int(seconds) + 1, MAX_TIMEOUT_VALUE)


def metadata_header(key: str, value: str | bytes) -> Header:
    """Return metadata as the header it travels in. Raises ValueError if gRPC can't carry it."""
    if key in _RESERVED_KEYS:
        raise ValueError(f"{key!r} is no metadata key: the header of that name means something to HTTP")
    if not key or not _KEY_CHARACTERS.issuperset(key) or key.startswith("grpc-"):
        raise ValueError(f"{key!r} is no metadata key: use lower case, digits, '-', '_' and '.', not 'grpc-' in front")
    if key.endswith("-bin"):
        content = value.encode() if isinstance(value, str) else value
        return key.encode(), b2a_base64(content, newline=False).rstrip(b"=")
    if isinstance(value, bytes):
        raise ValueError(f"metadata {key!r} has bytes: only keys that end in '-bin' may")
    if value != value.strip(" "):
        raise ValueError(f"metadata {key!r} begins or ends with a space: use a key that ends in '-bin'")
    if not value.isascii() or not value.isprintable():
        raise ValueError(f"metadata {key!r} has characters outside printable ASCII: use a key that ends in '-bin'")
    return key.encode(), value.encode()
