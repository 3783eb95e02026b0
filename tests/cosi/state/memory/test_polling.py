"""A watch in memory can be asked what there is, by who has no task to wait with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest

from cosi.resource.metadata import Pointer
from cosi.state.core import WatchKindOptions
from cosi.state.event import Event, EventType
from cosi.state.memory.state import MemoryState
from cosi.state.memory.watch import MemoryWatch
from cosi.testing.resources import IntResource, integer

pytestmark = pytest.mark.anyio

HISTORY = 8


class Bell:
    """A waiter that counts how often it was woken."""

    def __init__(self) -> None:
        self.rung = 0

    def done(self) -> bool:
        return False

    def set_result(self, result: None, /) -> None:
        self.rung += 1


@pytest.fixture
def state() -> MemoryState:
    return MemoryState(history=HISTORY, gap=1)


@pytest.fixture
async def kind(state: MemoryState) -> AsyncIterator[MemoryWatch]:
    async with state.watch_kind(IntResource.kind()) as watch:
        yield watch


@pytest.fixture
async def single(state: MemoryState) -> AsyncIterator[MemoryWatch]:
    """A watch of one resource, after what it starts with."""
    async with state.watch(Pointer(*IntResource.kind(), "mine")) as watch:
        assert told(watch.take()) == ["mine"]
        yield watch


def told(events: Sequence[Event] | None) -> list[str]:
    assert events is not None
    return [event.resource.metadata.id for event in events if event.resource is not None]


async def test_nothing_is_told_before_something_happens(kind: MemoryWatch) -> None:
    assert told(kind.take()) == []


async def test_all_that_is_pending_is_told_at_once_and_only_once(state: MemoryState, kind: MemoryWatch) -> None:
    await state.create(integer("a", 1))
    await state.create(integer("b", 2))

    assert told(kind.take()) == ["a", "b"]
    assert told(kind.take()) == []


async def test_what_the_watch_starts_with_comes_first(state: MemoryState) -> None:
    await state.create(integer("a", 1))

    async with state.watch_kind(IntResource.kind(), WatchKindOptions(bootstrap_contents=True)) as watch:
        await state.create(integer("b", 2))

        assert told(watch.take()) == ["a", ""]
        assert told(watch.take()) == ["b"]


async def test_a_waiter_is_woken_once_for_each_time_it_asks(state: MemoryState, kind: MemoryWatch) -> None:
    bell = Bell()

    kind.when_ready(bell)
    await state.create(integer("a", 1))
    await state.create(integer("b", 2))

    assert bell.rung == 1


async def test_a_waiter_is_woken_at_once_if_there_is_something(state: MemoryState, kind: MemoryWatch) -> None:
    bell = Bell()
    await state.create(integer("a", 1))

    kind.when_ready(bell)

    assert bell.rung == 1


async def test_a_waiter_that_was_forgotten_is_not_woken(
    state: MemoryState, kind: MemoryWatch, single: MemoryWatch
) -> None:
    bells = Bell(), Bell()
    for watch, bell in zip((kind, single), bells, strict=True):
        watch.when_ready(bell)
        watch.forget(bell)

    await state.create(integer("mine", 1))

    assert [bell.rung for bell in bells] == [0, 0]


async def test_who_waits_for_one_resource_sleeps_through_all_others(state: MemoryState, single: MemoryWatch) -> None:
    bell = Bell()
    single.when_ready(bell)

    for index in range(2 * HISTORY):
        await state.create(integer(f"other-{index}", index))
        single.when_ready(bell)

    assert bell.rung == 0
    assert told(single.take()) == []
    await state.create(integer("mine", 1))
    assert bell.rung == 1
    assert told(single.take()) == ["mine"]


async def test_who_waits_again_after_being_forgotten_misses_nothing(state: MemoryState, single: MemoryWatch) -> None:
    bell = Bell()
    single.when_ready(bell)
    await state.create(integer("other", 1))
    single.forget(bell)

    single.when_ready(bell)
    await state.create(integer("mine", 1))

    assert bell.rung == 1
    assert told(single.take()) == ["mine"]


async def test_a_watch_that_was_overrun_says_so_and_ends(state: MemoryState, kind: MemoryWatch) -> None:
    for index in range(HISTORY + 1):
        await state.create(integer(f"{index}", index))

    events = kind.take()

    assert events is not None
    assert [event.type for event in events] == [EventType.ERRORED]
    assert kind.take() is None
    bell = Bell()
    kind.when_ready(bell)
    assert bell.rung == 1
