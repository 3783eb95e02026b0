"""A call that nobody waits for any more ends at once, whatever its handler is doing, and leaves nothing behind."""

from __future__ import annotations

import gc
import weakref
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from cosi.rpc.address import Address
from cosi.rpc.http2 import frames
from cosi.rpc.http2.errors import ErrorCode
from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Call, Feed, Frames, frame
from tests.cosi.rpc.native.handlers import BOTH, CLIENT, ECHO, SERVER, UNARY, Stay, served
from tests.cosi.rpc.native.raw_client import RawClient, connected
from tests.cosi.rpc.sample_service import Letters

pytestmark = pytest.mark.anyio


class Handlers:
    """One handler of each shape, all of which wait for something that does not come."""

    def __init__(self) -> None:
        self.stay = Stay()
        self.feed = Letters()
        self.closed = anyio.Event()
        self.made = 0

    async def unary(self, _: bytes, _call: Call) -> Frames:
        await self.stay.here()
        return frame(b"")

    async def client(self, requests: AsyncIterator[bytes], _: Call) -> Frames:
        self.stay.began.set()
        try:
            return frame(b"".join([content async for content in requests]))
        finally:
            self.stay.ended.set()

    async def server(self, request: bytes, _: Call) -> AsyncGenerator[Frames | Feed, None]:
        """Wait for what the request says: a feed, in a task or not; something else; room; nothing, without end."""
        try:
            yield frame(b"begun")
            if request == b"something":
                await self.stay.here()
            self.stay.began.set()
            if request == b"feed in a task":
                await anyio.lowlevel.checkpoint()
            if request.startswith(b"feed"):
                yield self.feed
            while request in (b"room", b"nothing"):
                self.made += 1
                yield frame(b"more")
            if request == b"room in a task":
                await anyio.lowlevel.checkpoint()
                while True:
                    self.made += 1
                    yield frame(b"more")
        finally:
            self.stay.ended.set()
            self.closed.set()

    async def both(self, requests: AsyncIterator[bytes], call: Call) -> AsyncGenerator[Frames, None]:
        yield frame(b"begun")
        yield await self.client(requests, call)

    def served(self, directory: Path) -> AbstractAsyncContextManager[Address]:
        return served(directory, unary=self.unary, server=self.server, client=self.client, both=self.both)


each_wait = pytest.mark.parametrize(
    ("method", "waits_for"),
    [
        (UNARY, "something"),
        (CLIENT, "requests"),
        (BOTH, "requests"),
        (SERVER, "something"),
        (SERVER, "feed"),
        (SERVER, "feed in a task"),
        (SERVER, "room"),
        (SERVER, "room in a task"),
        (SERVER, "nothing"),
    ],
)


def settings_for(waits_for: str) -> dict[int, int]:
    window = 100 if waits_for.startswith("room") else frames.MAX_WINDOW_BYTES
    return {frames.INITIAL_WINDOW_SIZE: window}


async def waiting_call(client: RawClient, handlers: Handlers, method: str, waits_for: str, **headers: str) -> int:
    call = await client.call(method, waits_for.encode(), end=method in (UNARY, SERVER), **headers)
    await handlers.stay.began.wait()
    return call


# --- three ends ---


@each_wait
async def test_a_client_that_takes_its_call_back_ends_the_handler(tmp_path: Path, method: str, waits_for: str) -> None:
    handlers = Handlers()
    async with handlers.served(tmp_path) as where, connected(where, settings_for(waits_for)) as client:
        call = await waiting_call(client, handlers, method, waits_for)
        await client.say(frames.RstStream(call, ErrorCode.CANCEL), frames.WindowUpdate(0, 1000))
        await handlers.stay.ended.wait()
        made = handlers.made

        assert (await client.ask(ECHO, b"hello")).contents == [b"hello"]
        assert handlers.made == made


@each_wait
async def test_a_deadline_ends_the_handler_and_the_client_is_told(tmp_path: Path, method: str, waits_for: str) -> None:
    handlers = Handlers()
    async with handlers.served(tmp_path) as where, connected(where, settings_for(waits_for)) as client:
        call = await waiting_call(client, handlers, method, waits_for, grpc_timeout="20m")
        await handlers.stay.ended.wait()
        await client.say(frames.WindowUpdate(call, 1000), frames.WindowUpdate(0, 1 << 30))
        answer = await client.answer(call)

    assert answer.code is Code.DEADLINE_EXCEEDED


@each_wait
async def test_a_connection_that_is_lost_ends_its_handlers(tmp_path: Path, method: str, waits_for: str) -> None:
    handlers = Handlers()
    async with handlers.served(tmp_path) as where:
        async with connected(where, settings_for(waits_for)) as client:
            await waiting_call(client, handlers, method, waits_for)
        await handlers.stay.ended.wait()


@pytest.mark.parametrize("bytes_that_break", [b"\0" * 9 + b"\xff" * 9, frames.Data(0, b"").serialize()])
async def test_a_connection_that_its_client_breaks_ends_its_handlers(tmp_path: Path, bytes_that_break: bytes) -> None:
    handlers = Handlers()
    async with handlers.served(tmp_path) as where, connected(where) as client:
        await waiting_call(client, handlers, UNARY, "something")
        await client.say(bytes_that_break)
        await handlers.stay.ended.wait()

        assert (await client.goodbye()).code == ErrorCode.PROTOCOL_ERROR


# --- at the edges ---


@pytest.mark.parametrize("timeout", ["0n", "1n", "1u", "99999999H"])
async def test_a_handler_that_does_not_wait_is_in_time_for_any_deadline(tmp_path: Path, timeout: str) -> None:
    handlers = Handlers()
    async with handlers.served(tmp_path) as where, connected(where) as client:
        answer = await client.answer(await client.call(ECHO, b"hello", grpc_timeout=timeout))

    assert (answer.code, answer.contents) == (Code.OK, [b"hello"])


@pytest.mark.parametrize("method", [ECHO, SERVER])
@pytest.mark.parametrize("contents", [0, 1])
async def test_a_deadline_holds_for_a_request_that_does_not_end(tmp_path: Path, method: str, contents: int) -> None:
    handlers = Handlers()
    async with handlers.served(tmp_path) as where, connected(where) as client:
        call = await client.call(method, *[b"nothing"] * contents, end=False, grpc_timeout="1m")

        assert (await client.answer(call)).code is Code.DEADLINE_EXCEEDED


async def test_a_call_that_is_answered_in_time_is_not_ended_by_its_deadline(tmp_path: Path) -> None:
    handlers = Handlers()
    async with handlers.served(tmp_path) as where, connected(where) as client:
        call = await waiting_call(client, handlers, UNARY, "something", grpc_timeout="10S")
        handlers.stay.leave.set()
        answer = await client.answer(call)

    assert (answer.code, handlers.stay.cancelled) == (Code.OK, False)


async def test_a_call_taken_back_in_the_breath_it_was_made_in_ends_as_well(tmp_path: Path) -> None:
    handlers = Handlers()
    async with handlers.served(tmp_path) as where, connected(where) as client:
        for method, waits_for in ((UNARY, b"something"), (SERVER, b"feed"), (SERVER, b"something")):
            handlers.stay.ended = anyio.Event()
            call, spoken = client.request(method, waits_for)
            await client.say(*spoken, frames.RstStream(call, ErrorCode.CANCEL))
            await handlers.stay.ended.wait()

        assert (await client.ask(ECHO, b"hello")).contents == [b"hello"]


async def test_a_handler_may_tidy_up_when_its_call_has_ended(tmp_path: Path) -> None:
    began, tidied = anyio.Event(), anyio.Event()

    async def unary(_: bytes, _call: Call) -> Frames:
        try:
            began.set()
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.lowlevel.checkpoint()
                tidied.set()
        return frame(b"too late")

    async with served(tmp_path, unary=unary) as where, connected(where) as client:
        call = await client.call(UNARY, b"", grpc_timeout="10m")
        answer = await client.answer(call)
        await tidied.wait()
        await client.settle()

    assert (answer.code, answer.contents) == (Code.DEADLINE_EXCEEDED, [])


async def test_a_stream_may_wait_while_it_is_closed(tmp_path: Path) -> None:
    feed, tidied = Letters(), anyio.Event()

    async def server(_: bytes, _call: Call) -> AsyncGenerator[Frames | Feed, None]:
        try:
            yield feed
        finally:
            await anyio.lowlevel.checkpoint()
            tidied.set()

    async with served(tmp_path, server=server) as where, connected(where) as client:
        call = await client.call(SERVER, b"")
        await feed.waited_for.wait()
        await client.say(frames.RstStream(call, ErrorCode.CANCEL))
        await tidied.wait()


# --- nothing is left ---


@pytest.mark.parametrize("waits_for", ["feed", "feed in a task"])
@pytest.mark.parametrize("end", ["taken back", "deadline", "lost"])
async def test_a_feed_is_forgotten_with_its_call(tmp_path: Path, waits_for: str, end: str) -> None:
    handlers = Handlers()
    feed, forgotten = weakref.ref(handlers.feed), handlers.feed.forgotten
    async with handlers.served(tmp_path) as where, connected(where) as other:
        async with connected(where) as client:
            headers = {"grpc_timeout": "20m"} if end == "deadline" else {}
            call = await waiting_call(client, handlers, SERVER, waits_for, **headers)
            await handlers.feed.waited_for.wait()
            if end == "taken back":
                await client.say(frames.RstStream(call, ErrorCode.CANCEL))
            if end != "lost":
                await forgotten.wait()
        await forgotten.wait()
        await handlers.closed.wait()
        await other.settle()

        del handlers.feed
        gc.collect()
        assert feed() is None


@pytest.mark.parametrize("method", [UNARY, SERVER])
async def test_calls_that_have_ended_hold_no_request(tmp_path: Path, method: str) -> None:
    class Content(bytearray):
        """Bytes that can be referred to weakly."""

    held: list[weakref.ref[Content]] = []

    async def unary(content: bytes, _: Call) -> Frames:
        mine = Content(content)
        held.append(weakref.ref(mine))
        await anyio.lowlevel.checkpoint()
        return frame(bytes(mine))

    async def server(content: bytes, call: Call) -> AsyncGenerator[Frames, None]:
        yield await unary(content, call)

    async with served(tmp_path, unary=unary, server=server) as where, connected(where) as client:
        for _ in range(10):
            assert (await client.ask(method, b"hello")).contents == [b"hello"]
        await client.settle()
        gc.collect()

        assert [each for each in held if each() is not None] == []
