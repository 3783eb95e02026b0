"""Calls of a server's services: request messages in, response bytes out, and every way to fail is an error of a state.

A call that is cancelled while it waits is given up on both sides at once. The deadline of the scopes around a call
travels with it, so that a server does not work for somebody who has left. A watch has none: it outlives the scope it
was opened in.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import anyio
import anyio.lowlevel
from google.protobuf.message import Message as Request

from cosi.resource.metadata import Metadata
from cosi.rpc import runtime_service, service
from cosi.rpc.codes import ERROR_KEY, Method, RuntimeMethod, error_of
from cosi.rpc.http2.events import Ended
from cosi.rpc.http2.status import Code
from cosi.rpc.remote.call import RemoteCall
from cosi.rpc.remote.channel import Channel
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


class MessageStream(RemoteCall):
    """A call of one of our services: what goes wrong is a StateError that speaks of a resource."""

    __slots__ = ("_about", "_method")

    def __init__(self, channel: Channel, method: Method | RuntimeMethod, request: bytes, about: Metadata) -> None:
        super().__init__(channel, _PATHS[method], request)
        self._method = method
        self._about = about

    async def _set_out(self) -> None:
        if self._method not in _LASTING:
            remaining = anyio.current_effective_deadline() - self._channel.loop.time()
            if remaining <= 0:
                await anyio.lowlevel.checkpoint_if_cancelled()
            if remaining < math.inf:
                self.timeout_seconds = remaining

    async def _fail(self, ended: Ended) -> None:
        if self.timeout_seconds is not None and ended.code in _OUT_OF_TIME:
            # Both sides measure one deadline. Where it has passed, it is its own scope that says so.
            await anyio.lowlevel.checkpoint()
        message = ended.message or ended.code.name
        name = next((value for key, value in ended.trailers if key == _ERROR_HEADER), b"")
        raise error_of(ended.code, message, self._method, self._about, name=name.decode("ascii", "replace"))
