"""Calls that did not end at once, and how they end: with their handler, their client, or their deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Final

from cosi.rpc.http2.status import Code
from cosi.rpc.native.hosts import Host
from cosi.rpc.native.requests import Requests
from cosi.rpc.seam import Frames, Refusal, refusal_of

if TYPE_CHECKING:
    from cosi.rpc.native.dispatch import Dispatch

EXPIRED: Final = Refusal(Code.DEADLINE_EXCEEDED, "the call's deadline has passed")


class RunningCall:
    """A call that did not end at once. `requests` if its request streams, else its handler holds `request_bytes`."""

    __slots__ = ("_host", "_timer", "dispatch", "request_bytes", "requests", "stream_id")

    def __init__(self, dispatch: Dispatch, stream_id: int, requests: Requests | None = None) -> None:
        self.dispatch = dispatch
        self.stream_id = stream_id
        self.requests = requests
        self.request_bytes = 0
        self._host: Host | None = None
        self._timer: asyncio.TimerHandle | None = None

    def cancel(self) -> None:
        """Stop the handler, because nobody waits for its answer."""
        self._stop_timer()
        if self._host is not None:
            self._host.cancel()

    def writable(self) -> None:
        """Go on: all that was answered has gone out."""

    def end_by(self, deadline: float | None) -> None:
        """End the call when its deadline passes, if it has one."""
        if deadline is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, deadline - time.monotonic()), self._expire)

    def _expire(self) -> None:
        self._timer = None
        self.dispatch.finish(self, EXPIRED)
        self.cancel()

    def _fail(self, error: BaseException) -> None:
        """End the call because its handler raised, in a task; unless that is how the task is stopped."""
        if isinstance(error, asyncio.CancelledError) and self._host is not None and self._host.cancelled:
            raise error
        self._finished(cancelled_or_refused(error))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _finished(self, refusal: Refusal | None) -> None:
        self._stop_timer()
        self.dispatch.finish(self, refusal)


class OneAnswer(RunningCall):
    """A call that is answered with one message, and has to wait for something first."""

    __slots__ = ()

    def start(self, answer: Awaitable[Frames], host: Host | None) -> None:
        """Have the answer made in a task: by the host that made its first step, if one did."""

        async def work() -> None:
            try:
                frames = await answer
            except (Exception, asyncio.CancelledError) as error:
                self._fail(error)
            else:
                self._stop_timer()
                self.dispatch.respond(self, frames)

        self._host = self.dispatch.hosts.run(work, host)


def cancelled_or_refused(error: BaseException) -> Refusal:
    """Return what a client is told of a handler's failure; one that cancels itself is no bug of the server."""
    if isinstance(error, Exception):
        return refusal_of(error)
    return Refusal(Code.CANCELLED, "the call was cancelled by its handler")
