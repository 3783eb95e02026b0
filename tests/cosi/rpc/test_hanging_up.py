"""A client may hang up in the middle of anything: what it had asked for is not done later, and no log tells of it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import grpc
import pytest

from cosi._pb.v1alpha1 import state_pb2
from cosi.resource.metadata import Phase, Pointer
from cosi.rpc.address import Address
from cosi.rpc.codes import Method
from cosi.rpc.service import NAME
from cosi.rpc.serving import serving
from cosi.state.core import FROM_NOW, WatchOptions
from cosi.state.memory.state import MemoryState
from cosi.state.memory.watch import MemoryWatch
from cosi.state.state import State
from cosi.testing.resources import PathResource, PathSpec, path, sample_registry

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 20.0
POINTER = PathResource.pointer_to("a")
DESTROY = state_pb2.TeardownAndDestroyRequest(**POINTER._asdict()).SerializeToString()
KIND = PathResource.kind()._asdict()


class _Core(MemoryState):
    """Tells when somebody begins to watch one resource, and when they no longer do."""

    def __init__(self) -> None:
        super().__init__()
        self.watched, self.forgotten = anyio.Event(), anyio.Event()

    @asynccontextmanager
    async def watch(self, pointer: Pointer, options: WatchOptions = FROM_NOW) -> AsyncIterator[MemoryWatch]:
        async with super().watch(pointer, options) as watch:
            self.watched.set()
            try:
                yield watch
            finally:
                self.forgotten.set()


@pytest.fixture
def core() -> _Core:
    return _Core()


@pytest.fixture
def where(tmp_path: Path) -> Address:
    return Address(path=str(tmp_path / "cosi.sock"))


@pytest.mark.parametrize("how", ["cancels", "hangs up"])
async def test_a_destruction_that_is_given_up_while_it_waits_is_not_made_later(
    core: _Core, where: Address, how: str
) -> None:
    state = State(core)
    await state.create(path("a"))
    await state.add_finalizers(POINTER, "A")

    with anyio.fail_after(PATIENCE_SECONDS):
        async with serving(core, sample_registry(), [where]):
            async with grpc.aio.insecure_channel(where.target) as channel:
                call = _unary(channel, Method.TEARDOWN_AND_DESTROY)(DESTROY)
                await core.watched.wait()
                if how == "cancels":
                    call.cancel()
                    await core.forgotten.wait()
            await core.forgotten.wait()
            await state.remove_finalizers(POINTER, "A")
            await anyio.wait_all_tasks_blocked()

    found = (await state.get(POINTER)).metadata
    assert (found.phase, found.finalizers) == (Phase.TEARING_DOWN, ())


async def test_nothing_is_logged_of_clients_that_hang_up_in_mid_call(
    core: _Core, where: Address, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    state = State(core)
    for id in "abcdefgh":
        await state.create(path(id).with_spec(PathSpec(path="x" * 200_000)))
    await state.add_finalizers(POINTER, "A")
    contents = state_pb2.WatchOptions(bootstrap_contents=True)

    with anyio.fail_after(PATIENCE_SECONDS):
        async with serving(core, sample_registry(), [where]):
            async with grpc.aio.insecure_channel(where.target) as channel:
                listing = _stream(channel, Method.LIST)(state_pb2.ListRequest(**KIND).SerializeToString())
                unread = _stream(channel, Method.WATCH)(
                    state_pb2.WatchRequest(**KIND, options=contents).SerializeToString()
                )
                idle = _stream(channel, Method.WATCH)(state_pb2.WatchRequest(**KIND).SerializeToString())
                waiting = _unary(channel, Method.TEARDOWN_AND_DESTROY)(DESTROY)
                for stream in (listing, unread, idle):
                    await anext(aiter(stream))
                await core.watched.wait()
            await core.forgotten.wait()
            # A change that those who hung up would have been told of.
            await state.remove_finalizers(POINTER, "A")
            async with grpc.aio.insecure_channel(where.target) as channel:
                await _unary(channel, Method.GET)(state_pb2.GetRequest(**POINTER._asdict()).SerializeToString())

    assert waiting.cancelled()
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def _unary(channel: grpc.aio.Channel, method: Method) -> Any:
    return channel.unary_unary(f"/{NAME}/{method}")


def _stream(channel: grpc.aio.Channel, method: Method) -> Any:
    return channel.unary_stream(f"/{NAME}/{method}")
