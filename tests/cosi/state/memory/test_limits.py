"""What nobody reads costs nothing: memory is bounded by the history, whatever watchers and clients do.

Counted are the versions of a resource that somebody still holds.
"""

from __future__ import annotations

import gc
import weakref
from contextlib import AsyncExitStack

import anyio
import pytest

from cosi.resource.metadata import Kind, Pointer
from cosi.resource.query import exists, where
from cosi.state import errors
from cosi.state.core import WatchKindOptions
from cosi.state.event import EventType
from cosi.state.memory.collection import Collection
from cosi.state.memory.log import SLACK
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.testing.listener import WAIT_SECONDS
from cosi.testing.resources import IntResource, IntSpec, integer
from tests.cosi.state.observed import Held, Observed, update_again_and_again

pytestmark = pytest.mark.anyio

_HISTORY = 128
_WATCHERS = 1000
_UPDATES = 100_000
_HELD_BY_AN_EVENT = 2
"""An update's event holds the resource and what it was before."""


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_watchers_that_never_read_hold_nothing_and_are_told_once() -> None:
    state, held = State(MemoryState(history=_HISTORY)), Held()
    await state.create(Observed.new("busy", IntSpec()))
    options = WatchKindOptions(query=where(exists("app", invert=True)))
    async with AsyncExitStack() as open_watches:
        stalled = []
        for number in range(_WATCHERS):
            one, kind = IntResource.pointer_to("busy"), IntResource.kind()
            opening = [state.watch(one), state.watch_kind(kind), state.watch_kind(kind, options)][number % 3]
            stalled.append(await open_watches.enter_async_context(opening))

        await update_again_and_again(state, "busy", _UPDATES, held)

        assert held.count <= _HELD_BY_AN_EVENT * SLACK * _HISTORY
        with anyio.fail_after(WAIT_SECONDS):
            for watch in stalled:
                told = [event async for event in watch if event.type is not EventType.CREATED]
                assert [type(event.error) for event in told] == [errors.Overrun]


async def test_a_watcher_that_fell_asleep_over_a_batch_holds_that_batch_and_no_more() -> None:
    state, held = State(MemoryState(history=_HISTORY)), Held()
    await state.create(Observed.new("busy", IntSpec()))
    async with state.watch_kind(IntResource.kind()) as watch:
        await update_again_and_again(state, "busy", _HISTORY, held)
        batch = await watch.batch()

        await update_again_and_again(state, "busy", _UPDATES, held)

        assert held.count <= _HELD_BY_AN_EVENT * (SLACK * _HISTORY + len(batch))
        assert [event.type for event in await watch.batch()] == [EventType.ERRORED]


async def test_watches_that_were_closed_leave_nothing_behind() -> None:
    state = MemoryState(history=_HISTORY)
    seen = []
    for _ in range(_WATCHERS):
        async with state.watch_kind(IntResource.kind()) as watch:
            seen.append(weakref.ref(watch))
        del watch

    assert not any(watch() for watch in seen)


async def test_asking_for_kinds_that_do_not_exist_leaves_nothing_behind() -> None:
    state = MemoryState(history=_HISTORY)
    before = _collections()
    for number in range(_WATCHERS):
        kind = Kind(f"nowhere-{number}", "Nothings.test.cosi.dev")
        assert await state.list(kind) == []
        for attempt in (state.get, state.destroy):
            with pytest.raises(errors.NotFound):
                await attempt(Pointer(*kind, "a"))
        with pytest.raises(errors.NotFound):
            await state.update(integer("a", 0, namespace=kind.namespace))
        async with state.watch_kind(kind) as watch:
            pass
    del watch

    assert _collections() <= before


async def test_a_kind_is_watched_before_anything_is_in_it_and_forgotten_by_nobody() -> None:
    state = MemoryState(history=_HISTORY)
    async with state.watch_kind(IntResource.kind()) as watch:
        gc.collect()
        assert await state.list(IntResource.kind()) == []

        stored = await state.create(integer("a", 0))

        assert [event.resource for event in await watch.batch()] == [stored]


async def test_what_was_destroyed_is_held_no_longer_than_the_history() -> None:
    state = MemoryState(history=_HISTORY)
    held = Held()
    for number in range(_UPDATES):
        resource = await state.create(Observed.new(str(number), IntSpec()))
        held.note(resource)
        await state.destroy(resource.pointer)
    del resource

    assert await state.list(IntResource.kind()) == []
    assert held.count <= SLACK * _HISTORY


def _collections() -> int:
    gc.collect()
    return sum(isinstance(found, Collection) for found in gc.get_objects())
