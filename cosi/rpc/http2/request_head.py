"""What a client asks for: the headers of one request, held against HTTP/2 first and gRPC second.

    not HTTP/2     (RFC 9113, 8.2 and 8.3)      StreamError: the request is malformed
    not gRPC       (PROTOCOL-HTTP2.md)          `refusal`: the head can be read, and is answered in words
    a gRPC call                                 the method's path, metadata and timeout

A head depends on nothing but its headers, so one that a client repeats needs to be read only once.
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Sequence

from cosi.rpc.http2.errors import ErrorCode, StreamError
from cosi.rpc.http2.hpack import Header
from cosi.rpc.http2.status import Code

Metadata = tuple[tuple[str, str | bytes], ...]

TIMEOUT = b"grpc-timeout"

_NAME = re.compile(rb"[!-9;-@\[-~]+")  # visible ASCII, no upper case, no colon
_BAD_VALUE = re.compile(rb"[\0\r\n]|^[ \t]|[ \t]$")
_TIMEOUT = re.compile(rb"([0-9]{1,8})([HMSmun])")
_UNITS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_PSEUDO = frozenset((b":method", b":scheme", b":path", b":authority"))
_REQUIRED_PSEUDO = (b":method", b":scheme", b":path")
_OF_A_CONNECTION = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"))
_OURS = frozenset(
    (b"te", b"content-type", b"content-length", TIMEOUT, b"grpc-encoding", b"grpc-accept-encoding", b"host")
)
"""Headers that mean something to this room, and are no metadata."""

_MAX_LENGTH_DIGITS = 12


class HttpRefusal:
    """The answer to who does not speak gRPC: an HTTP status, and a sentence that says so."""

    __slots__ = ("body", "extra", "status")

    def __init__(self, status: int, sentence: str, extra: Sequence[Header] = (), *, silent: bool = False) -> None:
        self.status = status
        self.body = b"" if silent else sentence.encode() + b"\n"
        self.extra = extra


class GrpcRefusal:
    """The answer to a call that can't be served, whatever its method."""

    __slots__ = ("code", "message", "trailers")

    def __init__(self, code: Code, message: str, trailers: Sequence[Header] = ()) -> None:
        self.code = code
        self.message = message
        self.trailers = trailers


UNCOMPRESSED_ONLY = ((b"grpc-accept-encoding", b"identity"),)
"""What a client that compressed is told."""


class RequestHead:
    """The headers of one request, understood."""

    __slots__ = ("authority", "content_length", "metadata", "path", "refusal", "timeout_seconds")

    def __init__(
        self,
        path: str,
        *,
        authority: str = "",
        metadata: Metadata = (),
        timeout_seconds: float | None = None,
        content_length: int | None = None,
        refusal: HttpRefusal | GrpcRefusal | None = None,
    ) -> None:
        self.path = path
        self.authority = authority
        self.metadata = metadata
        self.timeout_seconds = timeout_seconds
        self.content_length = content_length
        self.refusal = refusal

    def within(self, timeout_seconds: float) -> RequestHead:
        """Return the same head with another timeout."""
        return RequestHead(
            self.path,
            authority=self.authority,
            metadata=self.metadata,
            timeout_seconds=timeout_seconds,
            content_length=self.content_length,
            refusal=self.refusal,
        )


def read_head(headers: Sequence[Header], stream_id: int) -> RequestHead:
    """Return the head of a request. Raises StreamError if it is malformed."""
    try:
        pseudo, regular = _split(headers)
        content_length = _content_length(regular)
    except _Malformed as problem:
        message = f"the request is malformed: {problem}"
        raise StreamError(ErrorCode.PROTOCOL_ERROR, message, stream_id=stream_id) from None
    path = pseudo[b":path"].decode("latin-1")
    authority = pseudo.get(b":authority", b"").decode("latin-1")
    if refusal := _not_grpc(pseudo[b":method"], regular):
        return RequestHead(path, authority=authority, content_length=content_length, refusal=refusal)
    try:
        timeout = _required_timeout(regular.get(TIMEOUT))
        metadata = _metadata(headers)
    except ValueError as problem:
        grpc_refusal = GrpcRefusal(Code.INTERNAL, str(problem))
        return RequestHead(path, authority=authority, content_length=content_length, refusal=grpc_refusal)
    return RequestHead(
        path,
        authority=authority,
        metadata=metadata,
        timeout_seconds=timeout,
        content_length=content_length,
        refusal=_compressed(regular),
    )


def timeout_of(text: bytes) -> float | None:
    """Return the seconds of a grpc-timeout, None if it is none."""
    parts = _TIMEOUT.fullmatch(text)
    return None if parts is None else int(parts[1]) * _UNITS[parts[2]]


def read_trailers(headers: Sequence[Header], stream_id: int) -> None:
    """Hold a request's trailers against HTTP/2; gRPC has none, so nothing is kept. Raises StreamError."""
    try:
        pseudo, _ = _split(headers, trailers=True)
    except _Malformed as problem:
        message = f"the request's trailers are malformed: {problem}"
        raise StreamError(ErrorCode.PROTOCOL_ERROR, message, stream_id=stream_id) from None
    assert not pseudo


class _Malformed(Exception):
    pass


def _split(headers: Sequence[Header], *, trailers: bool = False) -> tuple[dict[bytes, bytes], dict[bytes, bytes]]:
    """Return the pseudo-headers and the others by name; of several others with one name, the last."""
    pseudo: dict[bytes, bytes] = {}
    regular: dict[bytes, bytes] = {}
    for name, value in headers:
        if name[:1] == b":":
            if trailers or regular:
                raise _Malformed("a pseudo-header is out of place")
            if name not in _PSEUDO:
                raise _Malformed(f"{name[:20]!r} is no pseudo-header of a request")
            if name in pseudo:
                raise _Malformed(f"{name.decode()} comes twice")
            pseudo[name] = value
        else:
            if not _NAME.fullmatch(name):
                raise _Malformed(f"{name[:40]!r} is no header name in HTTP/2")
            if name in _OF_A_CONNECTION:
                raise _Malformed(f"{name.decode()} belongs to HTTP/1 connections")
            if name == b"te" and value != b"trailers":
                raise _Malformed("te may only say trailers")
            if name == b"content-length" and regular.get(name, value) != value:
                raise _Malformed("it has two content-lengths")
            regular[name] = value
        if _BAD_VALUE.search(value):
            raise _Malformed(f"the value of {name.decode()} has characters that no header may have")
    if not trailers:
        missing = [name.decode() for name in _REQUIRED_PSEUDO if not pseudo.get(name)]
        if missing:
            raise _Malformed(f"it lacks {' and '.join(missing)}")
    return pseudo, regular


def _content_length(regular: dict[bytes, bytes]) -> int | None:
    text = regular.get(b"content-length")
    if text is None:
        return None
    if not text.isdigit() or len(text) > _MAX_LENGTH_DIGITS:
        raise _Malformed("its content-length is no number")
    return int(text)


def _not_grpc(method: bytes, regular: dict[bytes, bytes]) -> HttpRefusal | None:
    if method != b"POST":
        sentence = "This server speaks gRPC, and gRPC calls are POST requests."
        return HttpRefusal(405, sentence, [(b"allow", b"POST")], silent=method == b"HEAD")
    content_type = regular.get(b"content-type", b"")
    if content_type != b"application/grpc" and not content_type.startswith(
        (b"application/grpc+", b"application/grpc;")
    ):
        return HttpRefusal(415, "This server speaks gRPC: the content-type must be application/grpc.")
    return None


def _compressed(regular: dict[bytes, bytes]) -> GrpcRefusal | None:
    encoding = regular.get(b"grpc-encoding", b"identity")
    if encoding == b"identity":
        return None
    message = f"messages compressed with {encoding[:20].decode('latin-1')!r} are not accepted here"
    return GrpcRefusal(Code.UNIMPLEMENTED, message, UNCOMPRESSED_ONLY)


def _required_timeout(text: bytes | None) -> float | None:
    if text is None:
        return None
    seconds = timeout_of(text)
    if seconds is None:
        raise ValueError(f"malformed grpc-timeout: {text[:20].decode('latin-1')!r}")
    return seconds


def _metadata(headers: Sequence[Header]) -> Metadata:
    """Return what the headers say to the method. Raises ValueError for binary metadata that is not base64."""
    metadata: list[tuple[str, str | bytes]] = []
    for name, value in headers:
        if name[:1] == b":" or name in _OURS:
            continue
        key = name.decode("ascii")
        if not name.endswith(b"-bin"):
            metadata.append((key, value.decode("latin-1")))
            continue
        for part in value.split(b","):
            try:
                metadata.append((key, a2b_base64(part + b"=" * (-len(part) % 4), strict_mode=True)))
            except Base64Error:
                raise ValueError(f"malformed metadata: {key} is not base64") from None
    return tuple(metadata)
