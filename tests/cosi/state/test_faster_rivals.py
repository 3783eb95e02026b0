"""Somebody may be faster between any two steps: what is derived from several ends as if it had been one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import pytest

from cosi.resource.metadata import Pointer
from cosi.state.core import FROM_NOW, WatchOptions
from cosi.state.memory.state import MemoryState
from cosi.state.memory.watch import MemoryWatch
from cosi.state.state import State
from cosi.testing.listener import WAIT_SECONDS
from cosi.testing.resources import PathResource, path

pytestmark = pytest.mark.anyio

POINTER = PathResource.pointer_to("a")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class _Rivalled(MemoryState):
    """Something happens just before a watch is opened."""

    def __init__(self, rival: Callable[[State], Awaitable[None]]) -> None:
        super().__init__()
        self._rival = rival

    @asynccontextmanager
    async def watch(self, pointer: Pointer, options: WatchOptions = FROM_NOW) -> AsyncIterator[MemoryWatch]:
        await self._rival(State(self))
        async with super().watch(pointer, options) as watch:
            yield watch


async def _let_go(state: State) -> None:
    await state.remove_finalizers(POINTER, "A")


async def _let_go_and_destroy(state: State) -> None:
    await _let_go(state)
    await state.destroy(POINTER)


@pytest.mark.parametrize("rival", [_let_go, _let_go_and_destroy])
async def test_destroying_ends_though_what_it_waits_for_has_happened_before_it_looks(
    rival: Callable[[State], Awaitable[None]],
) -> None:
    state = State(_Rivalled(rival))
    await state.create(path("a"))
    await state.add_finalizers(POINTER, "A")

    with anyio.fail_after(WAIT_SECONDS):
        await state.teardown_and_destroy(POINTER)

    assert await state.find(POINTER) is None


@pytest.mark.parametrize("end", [State.teardown, State.destroy])
async def test_a_body_does_not_outlive_a_resource_that_ended_before_it_was_watched(
    end: Callable[[State, Pointer], Awaitable[object]],
) -> None:
    async def rival(state: State) -> None:
        await end(state, POINTER)

    state = State(_Rivalled(rival))
    await state.create(path("a"))

    with anyio.fail_after(WAIT_SECONDS):
        async with state.until_teardown(POINTER) as scope:
            await anyio.sleep_forever()

    assert scope.cancelled_caught
