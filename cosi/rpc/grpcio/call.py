"""Calls on a channel: request messages in, response bytes out, and every way to fail is an error of a state.

Nothing above this module awaits anything of grpc.aio, because two of its habits must not get out: a cancelled call
forgets which scope cancelled it, and a cancelled read ends its stream.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import anyio
import anyio.lowlevel
import grpc
from google.protobuf.message import Message

from cosi.resource.metadata import Metadata
from cosi.rpc import service
from cosi.rpc.codes import ERROR_KEY, Method, error_of
from cosi.rpc.http2.status import Code
from cosi.state import errors

_STREAMING: Final = {Method.LIST, Method.WATCH}


class Closed(errors.Unavailable):
    """The channel was closed on this side, while the call went on or before it: trying again is no use."""

    def __init__(self) -> None:
        super().__init__("the connection to the state was closed on this side")


class Calls:
    """The methods of the State service on a channel. Runs on asyncio only, as grpc.aio does."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._methods: dict[Method, Any] = {
            method: (channel.unary_stream if method in _STREAMING else channel.unary_unary)(f"/{service.NAME}/{method}")
            for method in Method
        }

    async def unary(self, method: Method, request: Message, about: Metadata) -> bytes:
        """Return the answer. Raises a StateError; `about` is the resource it then speaks of."""
        try:
            answer: bytes = await _cancellable(self._begin(method, request))
        except grpc.aio.AioRpcError as error:
            raise _error_of(error, method, about) from None
        return answer

    def stream(self, method: Method, request: Message, about: Metadata) -> MessageStream:
        """Begin a call with any number of answers, to be closed by the caller. Raises Unavailable."""
        return MessageStream(self._begin(method, request), method, about)

    def _begin(self, method: Method, request: Message) -> Any:
        try:
            return self._methods[method](request.SerializeToString())
        except grpc.aio.UsageError:
            raise Closed from None


class MessageStream:
    """The answers of one call as they arrive. Only one task may read it."""

    def __init__(self, call: Any, method: Method, about: Metadata) -> None:
        self._call = call
        self._method = method
        self._about = about
        self._reading: asyncio.Future[Any] | None = None

    async def read(self) -> bytes | None:
        """Return the next message, None once the call has ended well. Raises a StateError.

        A read that is cancelled takes nothing: the next one returns what this one would have.
        """
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._call.read())
        await asyncio.wait((self._reading,))
        reading, self._reading = self._reading, None
        if reading.cancelled():
            raise Closed
        try:
            message = reading.result()
        except grpc.aio.AioRpcError as error:
            raise _error_of(error, self._method, self._about) from None
        return None if message is grpc.aio.EOF else message

    async def aclose(self) -> None:
        """Give the call up, whether it has ended or not."""
        await _cancel(self._call)
        if self._reading is not None:
            with anyio.CancelScope(shield=True):
                await asyncio.wait((self._reading,))
            if not self._reading.cancelled():
                self._reading.exception()  # nobody else will ask, and asyncio would complain


async def _cancellable(call: Any) -> Any:
    """Await a call so that anyio knows its own cancellation.

    grpc.aio awaits an inner task and loses the message by which anyio tells that one of its scopes was cancelled; the
    bare CancelledError would escape the scope.
    """
    try:
        return await call
    except asyncio.CancelledError:
        await _cancel(call)
        await anyio.lowlevel.checkpoint_if_cancelled()
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        # Nobody cancelled this task, so it was the call: its channel was closed.
        raise Closed from None


async def _cancel(call: Any) -> None:
    """Give a call up, unless it has ended, and wait the moment until grpc's core has let go of it.

    What the core reports of a call after its event loop was closed is an error in whichever loop comes next.
    """
    if call.cancel():
        with anyio.CancelScope(shield=True):
            await asyncio.wait((asyncio.ensure_future(call.code()),))


def _error_of(error: grpc.aio.AioRpcError, method: Method, about: Metadata) -> errors.StateError:
    code = error.code()
    trailers = error.trailing_metadata()
    name = trailers.get(ERROR_KEY) if trailers else None
    message = error.details() or code.name
    return error_of(Code(code.value[0]), message, method, about, name=name if isinstance(name, str) else None)
