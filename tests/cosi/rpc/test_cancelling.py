"""A caller that gives up is out at once, the server too, and nothing is lost that was not asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from anyio.lowlevel import checkpoint

from cosi.resource.registry import Registry
from cosi.rpc.address import Address
from cosi.rpc.codes import Method
from cosi.rpc.remote.state import connected
from cosi.rpc.serving import serving
from cosi.state.memory.state import MemoryState
from cosi.testing.resources import path, sample_registry
from tests.cosi.rpc.operations import (
    KIND,
    POINTER,
    Operation,
    every_operation,
)
from tests.cosi.rpc.scripted_server import STREAMING, Context, scripted

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 5.0


@pytest.fixture
def where(tmp_path: Path) -> Address:
    return Address(path=str(tmp_path / "cosi.sock"))


@every_operation
async def test_a_cancel_scope_ends_any_call_on_both_sides(where: Address, operation: Operation) -> None:
    given_up = anyio.Event()

    async def never(_request: bytes, _context: Context) -> bytes:
        try:
            await anyio.sleep_forever()
        finally:
            given_up.set()
        raise AssertionError

    async def nothing(request: bytes, context: Context) -> AsyncIterator[bytes]:
        yield await never(request, context)

    script = {method: nothing if method in STREAMING else never for method in Method}
    async with scripted(where, script) as asked, connected(where, Registry()) as remote:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:

                async def call() -> None:
                    await operation(remote)

                tasks.start_soon(call)
                while not asked:
                    await checkpoint()
                scope.cancel()
        with anyio.fail_after(PATIENCE_SECONDS):
            await given_up.wait()

    assert scope.cancelled_caught


async def test_a_call_is_cancelled_by_asyncio_too(where: Address) -> None:
    async def never(_request: bytes, _context: Context) -> bytes:
        await anyio.sleep_forever()
        raise AssertionError

    async with scripted(where, {Method.GET: never}), connected(where, Registry()) as remote:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await remote.get(POINTER)


async def test_a_read_of_a_watch_that_was_given_up_takes_nothing_from_it(where: Address) -> None:
    core = MemoryState()

    async with (
        serving(core, sample_registry(), [where]),
        connected(where, sample_registry()) as remote,
        remote.watch_kind(KIND) as watch,
    ):
        for _ in range(3):
            with anyio.move_on_after(0) as impatient:
                await watch.batch()
            assert impatient.cancelled_caught
        await core.create(path("a"))
        with anyio.fail_after(PATIENCE_SECONDS):
            events = await watch.batch()

    assert [event.resource.id for event in events if event.resource] == ["a"]
