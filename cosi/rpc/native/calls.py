"""Calls under way: a handler's answers to the connection, as fast as the client takes them.

Three ways to be under way, by what the handler waits for:

    by hand    nothing so far: its next step is taken when there is room for another answer
    a feed     for what happens: frames are taken when it tells us, without a task
    a task     for something of its own: from then on it runs in its host

A call ends when its handler does, when the client gives it up, or when its deadline passes, whatever comes first.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from typing import TYPE_CHECKING, Final

import structlog

from cosi.rpc.http2.status import Code
from cosi.rpc.native.hosts import Host, InContext
from cosi.rpc.seam import Feed, Frames, Refusal, refusal_of

if TYPE_CHECKING:
    from cosi.rpc.native.connection import Connection

BYTES_AT_A_TIME: Final = 256 << 10
ANSWERS_AT_A_TIME: Final = 16
"""How much, and how often, one call may answer before others get their turn."""

EXPIRED: Final = Refusal(Code.DEADLINE_EXCEEDED, "the call's deadline has passed")

_log = structlog.get_logger(component="rpc")


class Requests:
    """The messages of a request that streams, in the order they came."""

    def __init__(self, connection: Connection, stream_id: int) -> None:
        self._connection = connection
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
        self._connection.taken(self._stream_id, message)
        return message

    def _tell(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)


class RunningCall:
    """A call that did not end at once. `requests` if its request streams."""

    __slots__ = ("_host", "_timer", "connection", "requests", "stream_id")

    def __init__(self, connection: Connection, stream_id: int, requests: Requests | None = None) -> None:
        self.connection = connection
        self.stream_id = stream_id
        self.requests = requests
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
        self.connection.finish(self, EXPIRED)
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
        self.connection.finish(self, refusal)


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
                self.connection.respond(self, frames)

        self._host = self.connection.hosts.run(work, host)


class ManyAnswers(RunningCall):
    """A call that is answered with a stream of messages. Also a waiter: a feed tells it when there is something."""

    __slots__ = ("_context", "_feed", "_over", "_responses", "_room", "_stepper")

    def __init__(
        self,
        connection: Connection,
        stream_id: int,
        responses: AsyncGenerator[Frames | Feed, None],
        requests: Requests | None = None,
    ) -> None:
        super().__init__(connection, stream_id, requests)
        self._responses = responses
        self._context = contextvars.copy_context()
        self._feed: Feed | None = None
        self._stepper: Host | None = None  # what made a step must make the next one, unless a feed comes between
        self._room: asyncio.Future[None] | None = None
        self._over = False

    def go_on(self) -> None:
        """Answer what there is, as far as the client takes it."""
        left = BYTES_AT_A_TIME
        for _ in range(ANSWERS_AT_A_TIME):
            if self._over or self._host is not None:
                return
            if self.connection.clogged:
                self.connection.wait_until_unclogged(self)
                return
            try:
                frames = self._step() if self._feed is None else self._take(self._feed)
            except Exception as error:  # a feed's: what handlers raise is known already
                self._finished(refusal_of(error))
                self._close_by_hand()
                return
            if frames is None or not self.connection.send(self, frames):
                return
            left -= len(frames)
            if left <= 0:
                break
        self.connection.wake(self)

    def writable(self) -> None:
        """Go on: all that was answered has gone out."""
        if self._host is None:
            self.go_on()
        elif self._room is not None and not self._room.done():
            self._room.set_result(None)

    def done(self) -> bool:
        """Whether a feed need not tell it any more."""
        return self._over

    def set_result(self, result: None, /) -> None:
        """Note that the feed has something, to be taken soon."""
        self.connection.wake(self)

    def cancel(self) -> None:
        """Stop the handler, because nobody waits for its answers."""
        super().cancel()
        self._over = True
        if self._host is not None:
            return
        if self._feed is not None:
            self._feed.forget(self)
            self._feed = None
        self._close_by_hand()

    def _take(self, feed: Feed) -> Frames | None:
        frames = feed.take()
        if frames:
            return frames
        if frames is None:
            self._feed = None
            return self._step()
        feed.when_ready(self)
        return None

    def _step(self) -> Frames | None:
        """Return the next answer; None if there is none now: it must be waited for, or they are over."""
        hosts = self.connection.hosts
        host = self._stepper or hosts.take()
        self._stepper = None
        if host is None:
            self._host = hosts.run(lambda: self._answer(self._next()))
            return None
        try:
            answer = host.step(self._responses.__anext__(), self._context)
        except StopAsyncIteration:
            self._finished(None)
        except (Exception, asyncio.CancelledError) as error:
            self._finished(cancelled_or_refused(error))
        else:
            if isinstance(answer, InContext):
                self._host = hosts.run(lambda: self._answer(answer), host)
                return None
            if not isinstance(answer, Feed):
                self._stepper = host
                return answer  # type: ignore[no-any-return]
            self._feed = answer
        hosts.give_back(host)
        return None if self._feed is None else self._take(self._feed)

    async def _answer(self, first: Awaitable[Frames | Feed]) -> None:
        """Answer in a task, from an answer on that has to be waited for."""
        try:
            answer = await first
            while True:
                if isinstance(answer, Feed):
                    await self._drain(answer)
                else:
                    await self._send(answer)
                answer = await self._next()
        except StopAsyncIteration:
            self._finished(None)
        except (Exception, asyncio.CancelledError) as error:
            self._fail(error)
        finally:
            await InContext(self._responses.aclose(), self._context)

    def _next(self) -> Awaitable[Frames | Feed]:
        return InContext(self._responses.__anext__(), self._context)

    async def _drain(self, feed: Feed) -> None:
        while (frames := feed.take()) is not None:
            if frames:
                await self._send(frames)
                continue
            ready = asyncio.get_running_loop().create_future()
            feed.when_ready(ready)
            if ready.done():
                await asyncio.sleep(0)
                continue
            try:
                await ready
            finally:
                feed.forget(ready)

    async def _send(self, frames: Frames) -> None:
        sent = self.connection.send(self, frames)
        if sent and not self.connection.clogged:
            # Answers that are always there already must not keep the loop for themselves.
            await asyncio.sleep(0)
            return
        self._room = asyncio.get_running_loop().create_future()
        if sent:
            self.connection.wait_until_unclogged(self)
        await self._room

    def _close_by_hand(self) -> None:
        hosts = self.connection.hosts
        host, self._stepper = self._stepper or hosts.take(), None
        closing = self._responses.aclose()
        if host is None:
            self._host = hosts.run(lambda: InContext(closing, self._context))
            return
        try:
            closed = host.step(closing, self._context)
        except (Exception, asyncio.CancelledError) as error:
            _log.error("a call could not be closed", exc_info=error)
        else:
            if isinstance(closed, InContext):
                self._host = hosts.run(lambda: closed, host)
                return
        hosts.give_back(host)

    def _finished(self, refusal: Refusal | None) -> None:
        self._over = True
        super()._finished(refusal)


def cancelled_or_refused(error: BaseException) -> Refusal:
    """Return what a client is told of a handler's failure; one that cancels itself is no bug of the server."""
    if isinstance(error, Exception):
        return refusal_of(error)
    return Refusal(Code.CANCELLED, "the call was cancelled by its handler")
