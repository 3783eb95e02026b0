"""What a state promises about the past it keeps: tail events, and an honest end for a watcher too slow for it."""

from __future__ import annotations

from typing import Final

import pytest

from cosi.resource.metadata import Kind, Pointer
from cosi.state import errors
from cosi.state.core import WatchKindOptions, WatchOptions
from cosi.state.event import EventType
from cosi.state.state import State
from cosi.testing.conformance.subject import LIFE, Subject, live, shown
from cosi.testing.listener import listen, listen_kind
from cosi.testing.resources import PathResource, path

_MORE_THAN_THERE_IS: Final = 1000


class History(Subject):
    """The past."""

    @pytest.mark.usefixtures("needs_tail_events")
    async def test_a_watch_with_tail_events_starts_with_the_last_ones(self, state: State, pointer: Pointer) -> None:
        await live(state, pointer)

        async with listen(state, pointer, WatchOptions(tail_events=2)) as events:
            seen = await events.take(2)
            created = await state.create(path(pointer.id, namespace=pointer.namespace))
            after = await events.next()

        assert [event.type for event in seen] == LIFE[-2:]
        assert shown(after) == created

    @pytest.mark.usefixtures("needs_tail_events")
    async def test_more_tail_events_than_there_are_is_all(self, state: State, pointer: Pointer, kind: Kind) -> None:
        await live(state, pointer)

        async with listen(state, pointer, WatchOptions(tail_events=_MORE_THAN_THERE_IS)) as events:
            one = await events.take(len(LIFE))
        async with listen_kind(state, kind, WatchKindOptions(tail_events=_MORE_THAN_THERE_IS)) as events:
            all_ = await events.take(len(LIFE))

        assert [event.type for event in one] == [event.type for event in all_] == LIFE
        assert [shown(event).metadata.version for event in one] == [1, 2, 3, 4, 4]

    @pytest.mark.usefixtures("needs_tail_events")
    async def test_tail_events_of_one_resource_are_not_those_of_others(self, state: State, pointer: Pointer) -> None:
        other = PathResource.pointer_to("other", namespace=pointer.namespace)
        await state.create(path(pointer.id, namespace=pointer.namespace))
        await live(state, other)
        await state.destroy(pointer)

        async with listen(state, pointer, WatchOptions(tail_events=2)) as events:
            seen = await events.take(2)

        assert [event.type for event in seen] == [EventType.CREATED, EventType.DESTROYED]
        assert {shown(event).id for event in seen} == {pointer.id}

    @pytest.mark.usefixtures("needs_tail_events")
    async def test_tail_events_of_a_kind_are_those_of_all(self, state: State, kind: Kind) -> None:
        for id in "abcd":
            await state.create(path(id, namespace=kind.namespace))

        async with listen_kind(state, kind, WatchKindOptions(tail_events=2)) as events:
            seen = await events.take(2)

        assert [shown(event).id for event in seen] == ["c", "d"]

    async def test_an_overrun_watcher_gets_one_error_and_the_end(
        self, state: State, pointer: Pointer, kind: Kind, enough_to_overrun: int
    ) -> None:
        stored = await state.create(path(pointer.id, namespace=kind.namespace))
        async with listen(state, pointer) as one, listen_kind(state, kind) as all_:
            await one.next()
            for _ in range(enough_to_overrun):
                stored = await state.update(stored)

            for events in (one, all_):
                last, version = await events.next(), 1
                # A connection may have taken some events before the overrun: those come first, none is left out.
                while last.type is not EventType.ERRORED:
                    version += 1
                    assert shown(last).metadata.version == version
                    last = await events.next()
                assert last.resource is None
                assert isinstance(last.error, errors.StateError)
                assert "buffer overrun" in str(last.error)
                await events.ended()

    @pytest.mark.usefixtures("needs_bookmarks")
    async def test_a_bookmark_that_was_overrun_is_refused(
        self, state: State, kind: Kind, enough_to_overrun: int
    ) -> None:
        async with listen_kind(state, kind) as events:
            stored = await state.create(path("busy", namespace=kind.namespace))
            created = await events.next()
        for _ in range(enough_to_overrun):
            stored = await state.update(stored)

        with pytest.raises(errors.InvalidBookmark):
            async with listen_kind(state, kind, WatchKindOptions(bookmark=created.bookmark)):
                pass

    @pytest.mark.usefixtures("needs_tail_events")
    async def test_after_an_overrun_tail_events_are_the_ones_kept(
        self, state: State, kind: Kind, enough_to_overrun: int
    ) -> None:
        stored = await state.create(path("busy", namespace=kind.namespace))
        for _ in range(enough_to_overrun):
            stored = await state.update(stored)
        assert stored.metadata.version is not None

        async with listen_kind(state, kind, WatchKindOptions(tail_events=_MORE_THAN_THERE_IS)) as events:
            versions = [shown(await events.next()).metadata.version]
            while versions[-1] != stored.metadata.version:
                versions.append(shown(await events.next()).metadata.version)

        assert versions == list(range(stored.metadata.version - len(versions) + 1, stored.metadata.version + 1))
        assert 1 < len(versions) <= enough_to_overrun
