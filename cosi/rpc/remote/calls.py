"""Calls of a server's services: request messages in, response bytes out, and every way to fail is an error of a state.

A call that is cancelled while it waits is given up on both sides at once. The deadline of the scopes around a call
travels with it, so that a server does not work for somebody who has left. A watch has none: it outlives the scope it
was opened in.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Final

import anyio
import anyio.lowlevel
from google.protobuf.message import Message as Request

from cosi.resource.metadata import Metadata
from cosi.rpc import runtime_service, service
from cosi.rpc.codes import ERROR_KEY, Method, RuntimeMethod, error_of
from cosi.rpc.http2.events import Ended, Message
from cosi.rpc.http2.status import Code
from cosi.rpc.remote.channel import Channel, Closed
from cosi.rpc.remote.connection import Connection
from cosi.rpc.remote.loop import TaskWaiter
from cosi.state import errors

_PATHS: Final[Mapping[Method | RuntimeMethod, str]] = {
    **{method: f"/{service.NAME}/{method}" for method in Method},
    **{method: f"/{runtime_service.NAME}/{method}" for method in RuntimeMethod},
}
_LASTING: Final = frozenset({Method.WATCH, RuntimeMethod.JOIN})
"""Calls that go on for as long as somebody wants them to."""
_ERROR_HEADER: Final = ERROR_KEY.encode()
_OUT_OF_TIME: Final = (Code.DEADLINE_EXCEEDED, Code.CANCELLED)
"""What servers say at a deadline."""


class Calls:
    """The methods of our services on a channel."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def unary(self, method: Method | RuntimeMethod, request: Request, about: Metadata) -> bytes:
        """Return the answer. Raises a StateError; `about` is the resource it then speaks of."""
        stream = self.stream(method, request, about)
        try:
            answer = await stream.read()
            if answer is None or await stream.read() is not None:
                raise errors.ProtocolViolation(f"the server's answer to {method} makes no sense: not one message")
        finally:
            stream.close()
        return answer

    def stream(self, method: Method | RuntimeMethod, request: Request, about: Metadata) -> MessageStream:
        """Prepare a call with any number of answers, which begins with the first read; to be closed by the caller."""
        return MessageStream(self._channel, method, request.SerializeToString(), about)


class MessageStream:
    """The answers of one call as they arrive. Only one task may read it."""

    __slots__ = (
        "_about",
        "_channel",
        "_closed",
        "_connection",
        "_end",
        "_messages",
        "_method",
        "_reader",
        "path",
        "request",
        "stream_id",
        "timeout_seconds",
    )

    def __init__(self, channel: Channel, method: Method | RuntimeMethod, request: bytes, about: Metadata) -> None:
        self.stream_id = 0
        self.path = _PATHS[method]
        self.request = request
        self.timeout_seconds: float | None = None
        self._channel = channel
        self._connection: Connection | None = None
        self._method = method
        self._about = about
        self._messages: deque[Message] = deque()
        self._end: Ended | None = None
        self._closed = False
        self._reader: TaskWaiter | None = None

    async def read(self) -> bytes | None:
        """Return the next message, None once the call has ended well. Raises a StateError.

        A read that is cancelled takes nothing: the next one returns what this one would have.
        """
        connection = self._connection or await self._begin()
        while not self._messages:
            if self._end is not None or self._closed:
                await self._require_success()
                return None
            self._reader = self._channel.loop.waiter()
            await self._reader
        message = self._messages.popleft()
        if self._end is None:
            connection.taken(message)
        return message.content

    def close(self) -> None:
        """Give the call up, unless it has ended."""
        if self._end is None and self._connection is not None:
            self._connection.cancel(self)
        self.cut_off()

    def tell(self, event: Message | Ended) -> None:
        """Take what the server says, or why it says nothing more."""
        if isinstance(event, Message):
            self._messages.append(event)
        else:
            self._end = event
        self._wake()

    def cut_off(self) -> None:
        """Take note that the connection was closed on this side."""
        self._closed = True
        self._wake()

    async def _begin(self) -> Connection:
        connection = self._channel.ready() or await self._channel.connected()
        if self._method not in _LASTING:
            remaining = anyio.current_effective_deadline() - self._channel.loop.time()
            if remaining <= 0:
                await anyio.lowlevel.checkpoint_if_cancelled()
            if remaining < math.inf:
                self.timeout_seconds = remaining
        if self._closed:
            raise Closed
        self._connection = connection
        connection.begin(self)
        return connection

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def _require_success(self) -> None:
        if self._end is None:
            raise Closed
        if self._end.code is Code.OK:
            return
        if self.timeout_seconds is not None and self._end.code in _OUT_OF_TIME:
            # Both sides measure one deadline. Where it has passed, it is its own scope that says so.
            await anyio.lowlevel.checkpoint()
        message = self._end.message or self._end.code.name
        name = next((value for key, value in self._end.trailers if key == _ERROR_HEADER), b"")
        raise error_of(self._end.code, message, self._method, self._about, name=name.decode("ascii", "replace"))
