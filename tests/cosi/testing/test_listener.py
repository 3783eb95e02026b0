"""A listener reads a watch one event at a time, and its failures say what was missing."""

from __future__ import annotations

import pytest

from cosi.state.event import EventType
from cosi.state.memory.state import MemoryState
from cosi.testing.listener import listen, listen_kind
from cosi.testing.resources import PathResource, path

pytestmark = pytest.mark.anyio


async def test_events_come_one_by_one_or_by_number() -> None:
    state = MemoryState()
    async with listen_kind(state, PathResource.kind()) as events:
        for id in "abc":
            await state.create(path(id))

        first, rest = await events.next(), await events.take(2)

    assert [event.resource.id for event in (first, *rest) if event.resource] == ["a", "b", "c"]


async def test_an_event_after_the_end_is_a_failure() -> None:
    state = MemoryState(history=1, gap=0)
    async with listen_kind(state, PathResource.kind()) as events:
        for id in "ab":
            await state.create(path(id))
        assert (await events.next()).type is EventType.ERRORED

        await events.ended()
        with pytest.raises(AssertionError, match="the watch has ended"):
            await events.next()


async def test_more_events_before_the_end_are_a_failure() -> None:
    state = MemoryState()
    pointer = path("a").pointer
    async with listen(state, pointer) as events:
        await state.create(path("a"))
        await events.next()

        with pytest.raises(AssertionError, match="should have ended"):
            await events.ended()
