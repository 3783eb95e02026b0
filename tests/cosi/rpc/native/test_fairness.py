"""A client that asks for too much, or takes too little, costs what one client may, and others are served meanwhile."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from cosi._pb.v1alpha1 import state_pb2
from cosi.rpc.address import Address
from cosi.rpc.http2 import frames
from cosi.rpc.http2.status import Code
from cosi.rpc.native.connection import WRITE_BUFFER_BYTES
from cosi.rpc.native.server import READ_BYTES
from cosi.rpc.native.streams import ANSWERS_AT_A_TIME, BYTES_AT_A_TIME
from cosi.rpc.seam import Call, Feed, Frames, Refusal, Waiter, frame
from cosi.rpc.serving import Transport, serving
from cosi.state.event import EventType
from cosi.state.memory.log import SLACK
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.testing.resources import PathResource, PathSpec, sample_registry
from tests.cosi.rpc.http2.server.peer import message, request, serialized
from tests.cosi.rpc.native.handlers import ECHO, PATIENCE_SECONDS, SERVER, UNARY, served
from tests.cosi.rpc.native.raw_client import RawClient, connected, fields
from tests.cosi.state.observed import Held

pytestmark = pytest.mark.anyio

WIDE = {frames.INITIAL_WINDOW_SIZE: frames.MAX_WINDOW_BYTES}
WIDE_TOO = frames.WindowUpdate(0, frames.MAX_WINDOW_BYTES - 65_535)
SOCKET_BYTES = 1 << 20  # what the kernel may keep of a connection, with room to spare
TURNS = 8  # of the loop, until an answer that is made at once has come


@asynccontextmanager
async def meanwhile(client: RawClient, said: bytes) -> AsyncIterator[None]:
    """Have a client talk and talk, as fast as it is listened to, and read all that it is told."""
    async with anyio.create_task_group() as group:

        async def read() -> None:
            while not client.over:
                await client.hear()

        group.start_soon(client.say, said)
        group.start_soon(read)
        yield
        group.cancel_scope.cancel()


# --- who asks for much ---


async def test_a_flood_of_requests_keeps_nobody_from_being_served(tmp_path: Path) -> None:
    handled = 0

    async def unary(content: bytes, _: Call) -> Frames:
        nonlocal handled
        handled += 1
        return frame(content)

    # Made before anything is served, as what takes patience is to be the server's part.
    asked = fields(UNARY)
    one = request(1, asked).serialize()
    flood = serialized([part for id in range(1, 20_000, 2) for part in (request(id, asked), message(id, end=True))])
    async with (
        served(tmp_path, unary=unary) as where,
        connected(where) as greedy,
        connected(where) as other,
        meanwhile(greedy, flood),
    ):
        most = 0
        for _ in range(10):
            before = handled
            assert (await other.ask(ECHO, b"hello")).contents == [b"hello"]
            most = max(most, handled - before)

    assert 0 < most <= TURNS * READ_BYTES // len(one)


@pytest.mark.parametrize("in_a_task", [False, True])
@pytest.mark.parametrize("size", [0, 1 << 14])
async def test_a_stream_that_never_has_to_wait_keeps_nobody_from_being_served(
    tmp_path: Path, size: int, in_a_task: bool
) -> None:
    made = 0

    async def server(_: bytes, _call: Call) -> AsyncGenerator[Frames, None]:
        nonlocal made
        if in_a_task:
            await anyio.lowlevel.checkpoint()
        while True:
            made += 1
            yield frame(bytes(size))

    async with served(tmp_path, server=server) as where, connected(where, WIDE) as greedy, connected(where) as other:
        _, spoken = greedy.request(SERVER, b"")
        async with meanwhile(greedy, b"".join(part.serialize() for part in (WIDE_TOO, *spoken))):
            await other.settle()
            most = 0
            for _ in range(10):
                before = made
                assert (await other.ask(ECHO, b"hello")).contents == [b"hello"]
                most = max(most, made - before)

    assert 0 < most <= TURNS * ANSWERS_AT_A_TIME


class Busy(Feed):
    """Is always worth taking, and never brings anything; gives up in the end."""

    def __init__(self) -> None:
        self.asked = 0

    def take(self) -> Frames:
        if self.asked > 10_000:
            raise Refusal(Code.ABORTED, "nobody stopped it")
        return b""

    def when_ready(self, waiter: Waiter) -> None:
        self.asked += 1
        waiter.set_result(None)

    def forget(self, waiter: Waiter) -> None:
        pass


@pytest.mark.parametrize("in_a_task", [False, True])
async def test_a_feed_that_never_has_to_wait_keeps_nobody_from_being_served(tmp_path: Path, in_a_task: bool) -> None:
    feed = Busy()

    async def server(_: bytes, _call: Call) -> AsyncGenerator[Frames | Feed, None]:
        if in_a_task:
            await anyio.lowlevel.checkpoint()
        yield frame(b"begun")
        yield feed

    async with served(tmp_path, server=server) as where, connected(where) as client:
        await client.begun(await client.call(SERVER, b""))
        async with connected(where) as other:
            assert (await other.ask(ECHO, b"hello")).contents == [b"hello"]

    assert feed.asked < 1000


# --- who takes little ---


async def test_clients_that_do_not_read_cost_what_fits_their_sockets_and_keep_nobody(tmp_path: Path) -> None:
    made_bytes = 0

    async def server(_: bytes, _call: Call) -> AsyncGenerator[Frames, None]:
        nonlocal made_bytes
        while True:
            made_bytes += 1 << 14
            yield frame(bytes(1 << 14))

    streams = 50
    async with served(tmp_path, server=server) as where, connected(where, WIDE) as idle, connected(where) as other:
        await idle.say(WIDE_TOO, *(part for _ in range(streams) for part in idle.request(SERVER, b"")[1]))
        for _ in range(20):
            assert (await other.ask(ECHO, b"hello")).contents == [b"hello"]
        before = made_bytes
        for _ in range(20):
            assert (await other.ask(ECHO, b"hello")).contents == [b"hello"]

    assert made_bytes == before
    assert made_bytes < SOCKET_BYTES + WRITE_BUFFER_BYTES + (streams + 1) * BYTES_AT_A_TIME


async def test_streams_that_take_nothing_hold_no_more_than_a_connection_may(tmp_path: Path) -> None:
    made_bytes = 0

    async def server(_: bytes, _call: Call) -> AsyncGenerator[Frames, None]:
        nonlocal made_bytes
        made_bytes += 1 << 20
        yield frame(bytes(1 << 20))

    streams = 64
    async with served(tmp_path, server=server) as where, connected(where, {frames.INITIAL_WINDOW_SIZE: 1}) as idle:
        await idle.say(*(part for _ in range(streams) for part in idle.request(SERVER, b"")[1]))
        await idle.settle()

    assert made_bytes <= 32 << 20


# --- watchers ---


class ObservedPath(PathResource, gc=True, weakref=True):
    """A path that can be referred to weakly."""


HISTORY, UPDATES, LARGE = 16, 200, "x" * 30_000


@asynccontextmanager
async def serving_state(directory: Path, state: State) -> AsyncIterator[Address]:
    address = Address(path=str(directory / "socket"))
    with anyio.fail_after(PATIENCE_SECONDS):
        async with serving(state.core, sample_registry(), [address], transport=Transport.NATIVE):
            yield address


@pytest.mark.parametrize("takes_nothing", ["its windows stay closed", "it does not read"])
async def test_a_watcher_that_does_not_read_costs_one_batch_and_ends_with_the_overrun(
    tmp_path: Path, takes_nothing: str
) -> None:
    window = 40_000 if takes_nothing == "its windows stay closed" else frames.MAX_WINDOW_BYTES
    kind, held = PathResource.kind(), Held()
    state = State(MemoryState(history=HISTORY, gap=2))
    await state.create(ObservedPath.new("busy", PathSpec()))
    watch = state_pb2.WatchRequest(namespace=kind.namespace, type=kind.type, api_version=1).SerializeToString()
    async with (
        serving_state(tmp_path, state) as where,
        connected(where, {frames.INITIAL_WINDOW_SIZE: window}) as idle,
        connected(where, WIDE) as busy,
    ):
        await idle.say(WIDE_TOO)
        await busy.say(WIDE_TOO)
        call = await idle.call("/cosi.resource.State/Watch", watch)
        await idle.begun(call)
        await _write(state, busy, held)

        assert held.count <= SLACK * 2 * HISTORY + HISTORY
        await idle.say(frames.WindowUpdate(call, 1 << 30)) if window == 40_000 else None
        answer = await idle.answer(call)

    events = [event for each in answer.contents for event in state_pb2.WatchResponse.FromString(each).event]
    versions = [int(event.resource.metadata.version) for event in events[:-1]]
    assert [int(event.event_type) for event in events] == [EventType.UPDATED] * len(versions) + [EventType.ERRORED]
    assert versions == list(range(2, 2 + len(versions)))
    assert len(versions) < UPDATES


async def _write(state: State, other: RawClient, held: Held) -> None:
    """Update a large resource again and again, while another client goes on reading it."""
    pointer = ObservedPath.pointer_to("busy")
    get = state_pb2.GetRequest(namespace=pointer.namespace, type=pointer.type, id=pointer.id).SerializeToString()
    for number in range(UPDATES):
        current = await state.get(ObservedPath, "busy")
        held.note(await state.update(current.with_spec(PathSpec(path=f"{number}{LARGE}"))))
        if number % 10 == 0:
            assert (await other.ask("/cosi.resource.State/Get", get)).code is Code.OK
