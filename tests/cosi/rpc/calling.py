"""Calls a service as a transport does, but for the transport: messages in, messages out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import anyio

from cosi.rpc.seam import Call, Feed, Frames, Service, messages


class Bell:
    """A waiter that a test can look at, and wait for."""

    def __init__(self) -> None:
        self.rung = anyio.Event()

    def done(self) -> bool:
        return self.rung.is_set()

    def set_result(self, _: None, /) -> None:
        self.rung.set()


async def unary(service: Service, method: str, request: bytes) -> bytes:
    """Return the answer to a request."""
    (answer,) = messages(await service.unary[method](request, Call()))
    return answer


def stream(service: Service, method: str, request: bytes) -> AsyncGenerator[bytes, None]:
    """Return the answers to a request."""
    return one_by_one(service.server_streaming[method](request, Call()))


def conversation(service: Service, method: str, *requests: bytes) -> AsyncGenerator[bytes, None]:
    """Return the answers to requests that come one after the other."""

    async def sent() -> AsyncIterator[bytes]:
        for request in requests:
            yield request

    return one_by_one(service.bidirectional[method](sent(), Call()))


async def one_by_one(parts: AsyncGenerator[Frames | Feed, None]) -> AsyncGenerator[bytes, None]:
    """Return the messages in what a handler says."""
    async with aclosing(parts):
        async for part in parts:
            if not isinstance(part, Feed):
                for message in messages(part):
                    yield message
                continue
            while (frames := part.take()) is not None:
                for message in messages(frames):
                    yield message
                if not frames:
                    await _readiness(part)


async def _readiness(feed: Feed) -> None:
    bell = Bell()
    feed.when_ready(bell)
    try:
        await bell.rung.wait()
    finally:
        feed.forget(bell)
