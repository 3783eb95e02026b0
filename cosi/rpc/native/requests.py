"""Requests on their way to their handlers: one message that has to be complete first, or a stream of them."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from cosi.rpc.native.routes import Route
from cosi.rpc.seam import Call

if TYPE_CHECKING:
    from cosi.rpc.native.dispatch import Dispatch


class OneRequest:
    """A call that begins when its one request message is complete."""

    __slots__ = ("_timer", "call", "message", "route", "stream_id")

    def __init__(self, stream_id: int, route: Route, call: Call) -> None:
        self.stream_id = stream_id
        self.route = route
        self.call = call
        self.message: bytes | None = None
        self._timer: asyncio.TimerHandle | None = None

    def end_by_deadline(self, dispatch: Dispatch) -> None:
        """Wait for it no longer than the client does."""
        assert self.call.deadline is not None
        seconds = max(0.0, self.call.deadline - time.monotonic())
        self._timer = asyncio.get_running_loop().call_later(seconds, dispatch.expire, self.stream_id)

    def stop_timer(self) -> None:
        """Note that it began, or never will."""
        if self._timer is not None:
            self._timer.cancel()


class Requests:
    """The messages of a request that streams, in the order they came."""

    def __init__(self, dispatch: Dispatch, stream_id: int) -> None:
        self._dispatch = dispatch
        self._stream_id = stream_id
        self._messages: deque[bytes] = deque()
        self._ended = False
        self._arrived: asyncio.Future[None] | None = None

    def put(self, message: bytes) -> None:
        """Take what arrived."""
        self._messages.append(message)
        self._tell()

    def end(self) -> None:
        """Note that no more will come."""
        self._ended = True
        self._tell()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while not self._messages:
            if self._ended:
                raise StopAsyncIteration
            self._arrived = asyncio.get_running_loop().create_future()
            await self._arrived
        message = self._messages.popleft()
        self._dispatch.taken(self._stream_id, message)
        return message

    def _tell(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)
