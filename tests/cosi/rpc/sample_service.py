"""A service with a handler of every kind, to see what a transport makes of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

import anyio

from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Call, Feed, Frames, Refusal, Service, Waiter, frame

NAME = "test.Service"


class Letters(Feed):
    """Brings what is put into it, up to a None."""

    def __init__(self, *content: Frames | None) -> None:
        self.content = list(content)
        self.waiter: Waiter | None = None
        self.waited_for = anyio.Event()
        self.forgotten = anyio.Event()

    def put(self, content: Frames | None) -> None:
        self.content.append(content)
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def take(self) -> Frames | None:
        return self.content.pop(0) if self.content else b""

    def when_ready(self, waiter: Waiter) -> None:
        self.waiter = waiter
        self.waited_for.set()
        if self.content:
            waiter.set_result(None)

    def forget(self, waiter: Waiter) -> None:
        assert waiter is self.waiter
        self.forgotten.set()


class Sample:
    """The service, and what its handlers have seen."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.began = anyio.Event()
        self.ended = anyio.Event()
        self.feed = Letters()
        self.service = Service(
            NAME,
            unary={"Echo": self.echo, "Refuse": self.refuse, "Fail": self.fail, "Sleep": self.sleep},
            server_streaming={"Split": self.split, "Feed": self.feeding, "Stall": self.stall, "Break": self.broken},
            client_streaming={"Join": self.join},
            bidirectional={"Answer": self.answer, "Quit": self.quit},
        )

    async def echo(self, request: bytes, call: Call) -> Frames:
        self.calls.append(call)
        return frame(request)

    async def refuse(self, request: bytes, call: Call) -> Frames:
        raise Refusal(Code.DATA_LOSS, "gone: é %", (("where", "nowhere"),))

    async def fail(self, request: bytes, call: Call) -> Frames:
        raise RuntimeError("a secret detail")

    async def sleep(self, request: bytes, call: Call) -> Frames:
        try:
            self.began.set()
            await anyio.sleep_forever()
        finally:
            self.ended.set()
        raise AssertionError

    async def split(self, request: bytes, call: Call) -> AsyncGenerator[Frames, None]:
        yield b"".join(frame(bytes([byte])) for byte in request)
        yield frame(b"") + frame(b"end")

    async def feeding(self, request: bytes, call: Call) -> AsyncGenerator[Frames | Feed, None]:
        try:
            yield frame(b"before")
            yield self.feed
            yield frame(b"after")
        finally:
            self.ended.set()

    async def stall(self, request: bytes, call: Call) -> AsyncGenerator[Frames, None]:
        yield frame(await self.sleep(request, call))

    async def broken(self, request: bytes, call: Call) -> AsyncGenerator[Frames, None]:
        yield frame(b"one")
        raise Refusal(Code.ABORTED, "enough")

    async def join(self, requests: AsyncIterator[bytes], call: Call) -> Frames:
        return frame(b"+".join([request async for request in requests]))

    async def answer(self, requests: AsyncIterator[bytes], call: Call) -> AsyncGenerator[Frames, None]:
        async for request in requests:
            yield frame(b"re: " + request)

    async def quit(self, requests: AsyncIterator[bytes], call: Call) -> AsyncGenerator[Frames, None]:
        async for request in requests:
            yield frame(request)
            raise Refusal(Code.ABORTED, "enough")


def path(method: str) -> str:
    """Return the path of a method."""
    return f"/{NAME}/{method}"
