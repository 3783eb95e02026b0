"""Limits that hold over the wire: for clients that do not read, and for requests that are too large.

Counted are the versions of a resource that somebody still holds, as in the limits of the state in memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import grpc
import pytest

from cosi._pb.v1alpha1 import resource_pb2, state_pb2
from cosi.resource.metadata import Kind
from cosi.rpc.address import Address
from cosi.rpc.grpcio.server import MAX_REQUEST_BYTES
from cosi.rpc.remote.state import connected
from cosi.rpc.serving import serving
from cosi.state.core import KIND_FROM_NOW, CoreState, WatchKindOptions
from cosi.state.event import EventType
from cosi.state.memory.log import SLACK
from cosi.state.memory.state import MemoryState
from cosi.state.memory.watch import MemoryWatch
from cosi.state.state import State
from cosi.testing.resources import PathResource, PathSpec, path, sample_registry
from tests.cosi.state.observed import Held

pytestmark = pytest.mark.anyio

_PATIENCE_SECONDS = 20.0
_HISTORY, _GAP = 16, 2
_WATCHERS = 20
_UPDATES = 400
_LARGE = "x" * 30_000
_BOMB_BYTES = 64 << 20
_CREATE = "/cosi.resource.State/Create"


class ObservedPath(PathResource, gc=True, weakref=True):
    """A path that can be referred to weakly."""


class _Core(MemoryState):
    """Tells when nobody watches any more."""

    def __init__(self) -> None:
        super().__init__(history=_HISTORY, gap=_GAP)
        self.all_closed = anyio.Event()
        self._open = 0

    @asynccontextmanager
    async def watch_kind(self, kind: Kind, options: WatchKindOptions = KIND_FROM_NOW) -> AsyncIterator[MemoryWatch]:
        self._open += 1
        try:
            async with super().watch_kind(kind, options) as watch:
                yield watch
        finally:
            self._open -= 1
            if not self._open:
                self.all_closed.set()


@pytest.fixture
def core() -> _Core:
    return _Core()


@pytest.fixture
async def server(core: _Core, tmp_path: Path) -> AsyncIterator[Address]:
    socket = Address(path=str(tmp_path / "cosi.sock"))
    async with serving(core, sample_registry(), [socket]):
        yield socket


async def test_watchers_that_do_not_read_hold_one_batch_each_and_nobody_up(core: _Core, server: Address) -> None:
    state, held = State(core), Held()
    await state.create(ObservedPath.new("busy", PathSpec()))
    with anyio.fail_after(_PATIENCE_SECONDS):
        async with (
            connected(server, sample_registry()) as idle,
            connected(server, sample_registry()) as busy,
            AsyncExitStack() as open_watches,
        ):
            stalled = [
                await open_watches.enter_async_context(idle.watch_kind(PathResource.kind())) for _ in range(_WATCHERS)
            ]
            await _write(state, busy, held)

            assert held.count <= SLACK * 2 * _HISTORY + _WATCHERS * _HISTORY
            for watch in stalled:
                versions, types = [], []
                async for event in watch:
                    types.append(event.type)
                    if event.resource is not None:
                        versions.append(event.resource.metadata.version)
                assert types == [EventType.UPDATED] * len(versions) + [EventType.ERRORED]
                assert versions == list(range(2, 2 + len(versions)))
            await idle.get(PathResource.pointer_to("busy"))


async def test_a_client_that_hangs_up_leaves_nothing_behind(core: _Core, server: Address) -> None:
    state, held = State(core), Held()
    await state.create(ObservedPath.new("busy", PathSpec()))
    async with connected(server, sample_registry()) as idle, AsyncExitStack() as open_watches:
        for _ in range(_WATCHERS):
            await open_watches.enter_async_context(idle.watch_kind(PathResource.kind()))
        await _write(state, idle, held)

    with anyio.fail_after(_PATIENCE_SECONDS):
        await core.all_closed.wait()
    assert held.count <= SLACK * 2 * _HISTORY


@pytest.mark.parametrize(
    ("compression", "code"),
    [
        (grpc.Compression.NoCompression, grpc.StatusCode.RESOURCE_EXHAUSTED),
        (grpc.Compression.Gzip, grpc.StatusCode.UNIMPLEMENTED),  # what is never unpacked can't be a bomb
    ],
)
async def test_a_request_over_the_limit_is_refused_and_the_connection_lives_on(
    server: Address, compression: grpc.Compression, code: grpc.StatusCode, capfd: pytest.CaptureFixture[str]
) -> None:
    size = 2 * MAX_REQUEST_BYTES if compression is grpc.Compression.NoCompression else _BOMB_BYTES
    async with grpc.aio.insecure_channel(server.target) as channel:
        create: Any = channel.unary_unary(_CREATE)

        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await create(bytes(size), compression=compression)
        answer = await create(
            state_pb2.CreateRequest(
                resource=resource_pb2.Resource(
                    metadata=resource_pb2.Metadata(namespace="default", type="T", version="undefined", phase="running"),
                    spec=resource_pb2.Spec(yaml_spec="{}"),
                )
            ).SerializeToString()
        )

    assert refusal.value.code() is code
    assert state_pb2.CreateResponse.FromString(answer).resource.metadata.version == "1"
    assert capfd.readouterr() == ("", "")


async def test_what_is_stored_in_many_parts_is_listed_and_watched_in_messages_that_any_client_takes(
    core: _Core, server: Address
) -> None:
    for id in "abcdefgh":
        await core.create(path(id).with_spec(PathSpec(path=_LARGE * 10)))

    async with grpc.aio.insecure_channel(server.target) as default:
        listing: Any = default.unary_stream("/cosi.resource.State/List")
        request = state_pb2.ListRequest(namespace="default", type=PathResource.definition.type)
        sizes = [len(message) async for message in listing(request.SerializeToString())]

    assert len(sizes) == len(await core.list(Kind("default", PathResource.definition.type)))
    assert max(sizes) < MAX_REQUEST_BYTES


async def _write(state: State, other_client: CoreState, held: Held) -> None:
    """Update a large resource again and again, while another client goes on reading it."""
    for number in range(_UPDATES):
        current = await state.get(ObservedPath, "busy")
        held.note(await state.update(current.with_spec(PathSpec(path=f"{number}{_LARGE}"))))
        await other_client.get(current.pointer)
