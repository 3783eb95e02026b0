"""MemoryState keeps every promise of a state: on both event loops, with a tiny history, behind a slow connection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio.lowlevel
import pytest

from cosi.resource.metadata import Kind, Phase, Pointer
from cosi.resource.query import ALL, Query
from cosi.resource.resource import AnyResource
from cosi.state.core import FROM_NOW, KIND_FROM_NOW, CoreState, Watch, WatchKindOptions, WatchOptions
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.testing.conformance.subject import LEAST_HISTORY_EVENTS
from cosi.testing.state_conformance import StateConformance


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestMemoryState(StateConformance):
    @pytest.fixture
    def state(self) -> State:
        return State(MemoryState())


class TestTinyHistory(StateConformance):
    overrun_events = 3 * LEAST_HISTORY_EVENTS

    @pytest.fixture
    def state(self) -> State:
        return State(MemoryState(history=LEAST_HISTORY_EVENTS, gap=2))


class TestBehindASlowConnection(StateConformance):
    """Every operation suspends before and after, so that whatever State derives from them meets its rivals."""

    @pytest.fixture
    def state(self) -> State:
        return State(_Slow(MemoryState()))


class _Slow:
    def __init__(self, core: CoreState) -> None:
        self._core = core

    async def get(self, pointer: Pointer) -> AnyResource:
        async with _suspended():
            return await self._core.get(pointer)

    async def list(self, kind: Kind, *, query: Query = ALL) -> Sequence[AnyResource]:
        async with _suspended():
            return await self._core.list(kind, query=query)

    async def create(self, resource: AnyResource, *, owner: str = "") -> AnyResource:
        async with _suspended():
            return await self._core.create(resource, owner=owner)

    async def update(
        self, resource: AnyResource, *, owner: str = "", expected_phase: Phase | None = Phase.RUNNING
    ) -> AnyResource:
        async with _suspended():
            return await self._core.update(resource, owner=owner, expected_phase=expected_phase)

    async def destroy(self, pointer: Pointer, *, owner: str = "") -> None:
        async with _suspended():
            await self._core.destroy(pointer, owner=owner)

    @asynccontextmanager
    async def watch(self, pointer: Pointer, options: WatchOptions = FROM_NOW) -> AsyncIterator[Watch]:
        async with _suspended(), self._core.watch(pointer, options) as watch:
            yield watch

    @asynccontextmanager
    async def watch_kind(self, kind: Kind, options: WatchKindOptions = KIND_FROM_NOW) -> AsyncIterator[Watch]:
        async with _suspended(), self._core.watch_kind(kind, options) as watch:
            yield watch


@asynccontextmanager
async def _suspended() -> AsyncIterator[None]:
    await anyio.lowlevel.checkpoint()
    yield
    await anyio.lowlevel.checkpoint()
