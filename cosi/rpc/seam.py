"""The seam between services and transports: a service turns request bytes into framed response bytes, a transport
carries both.

    message    the bytes of one protobuf message
    frame      a message in gRPC's five-byte envelope; a `Frames` is one frame or several in a row
    feed       responses that are taken when there are some, without a task that waits for them

A handler gets each request as a message and answers with frames, because a response that many clients get is framed
once. It raises what `cosi.rpc.codes` knows the code of, or `Refusal` with a code of its own; `refusal_of` makes of
either what the client is told. A transport runs a handler inside a cancel scope that ends when its client gives the
call up or the deadline passes.
"""

from __future__ import annotations

import abc
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
import structlog

from cosi.rpc.codes import ERROR_KEY, code_of, name_of
from cosi.rpc.http2.grpc_request import ENVELOPE, envelope
from cosi.rpc.http2.status import Code
from cosi.state import wakeups

_unpack_from = ENVELOPE.unpack_from

MAX_STATUS_MESSAGE_BYTES: Final = 2048
"""Longer error messages are cut: gRPC's C-core may refuse trailers from 8 KiB on, and the error with them."""

_log = structlog.get_logger(component="rpc")

Frames = bytes
Waiter = wakeups.Waiter
"""Who wants to be told, once, that there is something to take; an asyncio future is one."""


class Refusal(Exception):
    """A call ends with a code, a sentence for people, and trailing metadata for programs."""

    def __init__(self, code: Code, message: str, trailers: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.trailers = trailers


class Peer(NamedTuple):
    """Who calls: HOST:PORT, empty on a unix socket; and, if it was asked for one, its certificate (DER)."""

    address: str = ""
    certificate: bytes | None = None


class Call(msgspec.Struct):
    """What a handler may know of its call.

    `metadata` has lower-case keys; the values of one key are in the order they came, and bytes if the key ends in -bin.
    `deadline` is in seconds of `time.monotonic`, None if the client waits forever.
    """

    metadata: Sequence[tuple[str, str | bytes]] = ()
    deadline: float | None = None
    peer: Peer = Peer()


class Feed(abc.ABC):
    """Responses that come when something happens: taken without waiting, by whoever was told that there are some."""

    __slots__ = ()

    @abc.abstractmethod
    def take(self) -> Frames | None:
        """Return the frames that are due: empty if there are none yet, None once there will be no more.

        Raises what a handler may raise.
        """

    @abc.abstractmethod
    def when_ready(self, waiter: Waiter) -> None:
        """Tell a waiter when it is worth taking again; at once if it is already."""

    @abc.abstractmethod
    def forget(self, waiter: Waiter) -> None:
        """Take a waiter's request back."""


Unary = Callable[[bytes, Call], Awaitable[Frames]]
ServerStreaming = Callable[[bytes, Call], AsyncGenerator[Frames | Feed, None]]
ClientStreaming = Callable[[AsyncIterator[bytes], Call], Awaitable[Frames]]
Bidirectional = Callable[[AsyncIterator[bytes], Call], AsyncGenerator[Frames | Feed, None]]


class Service(msgspec.Struct, frozen=True):
    """A service's full name, such as cosi.resource.State, and its methods by their kind and name.

    A handler that streams is a generator, which the transport closes however the call ends. It may yield a feed in
    between: it goes on when the feed has ended.
    """

    name: str
    unary: Mapping[str, Unary] = {}
    server_streaming: Mapping[str, ServerStreaming] = {}
    client_streaming: Mapping[str, ClientStreaming] = {}
    bidirectional: Mapping[str, Bidirectional] = {}


frame: Final[Callable[[bytes], Frames]] = envelope
"""Puts an uncompressed message into its envelope."""


def refusal_of(error: Exception) -> Refusal:
    """Return what a client is told of a failure: its code, a message that fits the trailers, and the error's name.

    What nobody knows the code of goes to the log instead: it may say what is no client's business.
    """
    if isinstance(error, Refusal):
        return Refusal(error.code, _clipped(error.message), error.trailers)
    code = code_of(error)
    if code is None:
        _log.error("request failed", exc_info=error)
        return Refusal(Code.INTERNAL, "internal error; the server's log has the details")
    return Refusal(code, _clipped(str(error)), ((ERROR_KEY, name_of(error)),))


def messages(frames: Frames) -> Iterator[bytes]:
    """Take messages out of their envelopes again: for transports that make their own."""
    position = 0
    while position < len(frames):
        _, length = _unpack_from(frames, position)
        position += ENVELOPE.size
        yield frames[position : position + length]
        position += length


def _clipped(message: str) -> str:
    """Return a message that fits the trailers; percent-encoding makes up to three bytes of each of its bytes."""
    encoded = message.encode(errors="replace")
    if len(encoded) <= MAX_STATUS_MESSAGE_BYTES:
        return encoded.decode()
    return encoded[:MAX_STATUS_MESSAGE_BYTES].decode(errors="ignore") + "…"
