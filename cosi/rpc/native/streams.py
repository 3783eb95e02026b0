"""A stream of answers, as fast as the client takes them.

Three ways to go on, by what the handler waits for:

    by hand    nothing so far: its next step is taken when there is room for another answer
    a feed     for what happens: frames are taken when it tells us, without a task
    a task     for something of its own: from then on it runs in its host
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncGenerator, Awaitable
from typing import TYPE_CHECKING, Final

import structlog

from cosi.rpc.native.calls import RunningCall, cancelled_or_refused
from cosi.rpc.native.hosts import Host, InContext
from cosi.rpc.native.requests import Requests
from cosi.rpc.seam import Feed, Frames, Refusal, refusal_of

if TYPE_CHECKING:
    from cosi.rpc.native.dispatch import Dispatch

BYTES_AT_A_TIME: Final = 256 << 10
ANSWERS_AT_A_TIME: Final = 16
"""How much, and how often, one call may answer before others get their turn."""

_log = structlog.get_logger(component="rpc")


class ManyAnswers(RunningCall):
    """A call that is answered with a stream of messages. Also a waiter: a feed tells it when there is something."""

    __slots__ = ("_context", "_feed", "_over", "_responses", "_room", "_stepper")

    def __init__(
        self,
        dispatch: Dispatch,
        stream_id: int,
        responses: AsyncGenerator[Frames | Feed, None],
        requests: Requests | None = None,
    ) -> None:
        super().__init__(dispatch, stream_id, requests)
        self._responses = responses
        self._context = contextvars.copy_context()
        self._feed: Feed | None = None
        self._stepper: Host | None = None  # what made a step must make the next one, unless a feed comes between
        self._room: asyncio.Future[None] | None = None
        self._over = False

    def go_on(self) -> None:
        """Answer what there is, as far as the client takes it."""
        if self._over or self._host is not None:
            return
        if self.dispatch.clogged:
            self.dispatch.wait_until_unclogged(self)
        elif self._feed is not None:
            self._take(self._feed)
        else:
            self._answer_by_hand()

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
        self.dispatch.wake(self)

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

    def _take(self, feed: Feed) -> None:
        """Answer what a feed has; if the client takes it, the feed tells when there is more."""
        try:
            frames = feed.take()
            if frames is None:
                self._feed = None
                self._answer_by_hand()
            elif not frames or self.dispatch.send(self, frames):
                feed.when_ready(self)
        except Exception as error:  # a feed's: what handlers raise is known already
            self._finished(refusal_of(error))
            self._close_by_hand()

    def _answer_by_hand(self) -> None:
        left = BYTES_AT_A_TIME
        for _ in range(ANSWERS_AT_A_TIME):
            frames = self._step()
            if frames is None or not self.dispatch.send(self, frames):
                return
            left -= len(frames)
            if left <= 0:
                break
            if self.dispatch.clogged:
                self.dispatch.wait_until_unclogged(self)
                return
        self.dispatch.wake(self)

    def _step(self) -> Frames | None:
        """Return the next answer; None if there is none now: a feed has it, a task waits for it, or they are over."""
        hosts = self.dispatch.hosts
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
        if self._feed is not None:
            self._take(self._feed)
        return None

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
        sent = self.dispatch.send(self, frames)
        if sent and not self.dispatch.clogged:
            # Answers that are always there already must not keep the loop for themselves.
            await asyncio.sleep(0)
            return
        self._room = asyncio.get_running_loop().create_future()
        if sent:
            self.dispatch.wait_until_unclogged(self)
        await self._room

    def _close_by_hand(self) -> None:
        hosts = self.dispatch.hosts
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
