"""The model kit finds the story in which a state breaks a promise."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import msgspec
import pytest
from hypothesis import Phase as Stage
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from cosi.resource.metadata import Kind, Phase, Pointer
from cosi.resource.query import ALL, Query
from cosi.resource.resource import AnyResource
from cosi.state.core import FROM_NOW, KIND_FROM_NOW, CoreState, WatchKindOptions, WatchOptions
from cosi.state.memory.state import MemoryState
from cosi.state.memory.watch import MemoryWatch
from cosi.testing.model.machine import StateMachine

_HISTORY, _GAP = 4, 1
_SETTINGS = settings(max_examples=200, stateful_step_count=40, database=None, derandomize=True, phases=[Stage.generate])


class _IgnoresThePhase(MemoryState):
    async def update(
        self, resource: AnyResource, *, owner: str = "", expected_phase: Phase | None = Phase.RUNNING
    ) -> AnyResource:
        return await super().update(resource, owner=owner, expected_phase=None)


class _ListsBackwards(MemoryState):
    async def list(self, kind: Kind, *, query: Query = ALL) -> Sequence[AnyResource]:
        return list(reversed(await super().list(kind, query=query)))


class _DestroysWhatIsHeld(MemoryState):
    async def destroy(self, pointer: Pointer, *, owner: str = "") -> None:
        found = await self.get(pointer)
        await self.update(found.with_metadata(found.metadata.replace(finalizers=())), owner=owner, expected_phase=None)
        await super().destroy(pointer, owner=owner)


class _WatchesWithoutTheQuery(MemoryState):
    @asynccontextmanager
    async def watch_kind(self, kind: Kind, options: WatchKindOptions = KIND_FROM_NOW) -> AsyncIterator[MemoryWatch]:
        async with super().watch_kind(kind, msgspec.structs.replace(options, query=ALL)) as watch:
            yield watch


class _TakesAnyBookmark(MemoryState):
    @asynccontextmanager
    async def watch(self, pointer: Pointer, options: WatchOptions = FROM_NOW) -> AsyncIterator[MemoryWatch]:
        async with super().watch(pointer, WatchOptions(options.tail_events)) as watch:
            yield watch


class _OverrunsTooLate(MemoryState):
    def __init__(self, *, history: int, gap: int) -> None:
        super().__init__(history=history + 1, gap=gap + 1)


@pytest.mark.parametrize(
    "core",
    [
        _IgnoresThePhase, _ListsBackwards, _DestroysWhatIsHeld,
        _WatchesWithoutTheQuery, _TakesAnyBookmark, _OverrunsTooLate,
    ],
)  # fmt: skip
def test_a_broken_promise_is_found(core: Callable[..., MemoryState]) -> None:
    with pytest.raises(AssertionError):
        run_state_machine_as_test(_machine(core), settings=_SETTINGS)


def test_a_state_machine_without_a_backend_says_what_to_do() -> None:
    class Unfinished(StateMachine):
        history, gap = _HISTORY, _GAP

    with pytest.raises(NotImplementedError, match=r"^Unfinished must override `backend`"):
        Unfinished()


def _machine(core: Callable[..., MemoryState]) -> type[StateMachine]:
    class Broken(StateMachine):
        history, gap = _HISTORY, _GAP

        @asynccontextmanager
        async def backend(self) -> AsyncIterator[CoreState]:
            yield core(history=_HISTORY, gap=_GAP)

    return Broken
