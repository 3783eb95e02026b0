"""What a state promises about bookmarks: a watch resumes right after the event that carried it, or not at all."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from cosi.resource.metadata import Kind, Pointer
from cosi.resource.query import exists, where
from cosi.state import errors
from cosi.state.core import WatchKindOptions, WatchOptions
from cosi.state.event import Event, EventType
from cosi.state.state import State
from cosi.testing.conformance.subject import LIFE, Subject, live, shown
from cosi.testing.listener import Listener, listen, listen_kind
from cosi.testing.resources import path


class Bookmarks(Subject):
    """Resuming."""

    @pytest.mark.usefixtures("needs_bookmarks")
    async def test_events_carry_bookmarks(self, state: State, pointer: Pointer, kind: Kind) -> None:
        async with listen(state, pointer) as one, listen_kind(state, kind) as all_:
            await live(state, pointer)
            await one.next()
            of_one, of_all = await one.take(len(LIFE)), await all_.take(len(LIFE))

        assert all(event.bookmark for event in (*of_one, *of_all))
        assert len({event.bookmark for event in of_one}) == len(LIFE)

    @pytest.mark.usefixtures("needs_bookmarks")
    async def test_a_bookmark_resumes_the_watch_of_a_resource_exactly_once(
        self, state: State, pointer: Pointer
    ) -> None:
        async with listen(state, pointer) as events:
            await live(state, pointer)
            life = (await events.take(1 + len(LIFE)))[1:]
        last = await state.create(path(pointer.id, namespace=pointer.namespace))

        for index, event in enumerate(life):
            async with listen(state, pointer, WatchOptions(bookmark=event.bookmark)) as resumed:
                await _sees(resumed, life[index + 1 :])
                assert shown(await resumed.next()) == last

    @pytest.mark.usefixtures("needs_bookmarks")
    @pytest.mark.parametrize("contents", [True, False])
    async def test_a_bookmark_resumes_the_watch_of_a_kind_exactly_once(
        self, state: State, pointer: Pointer, kind: Kind, contents: bool
    ) -> None:
        await state.create(path("there", namespace=kind.namespace))
        start = WatchKindOptions(bootstrap_contents=contents, bootstrap_bookmark=not contents)
        async with listen_kind(state, kind, start) as events:
            await live(state, pointer)
            seen = await events.take(contents + 1 + len(LIFE))
        last = await state.create(path(pointer.id, namespace=pointer.namespace))

        seen = seen[contents:]
        assert seen[0].type is (EventType.BOOTSTRAPPED if contents else EventType.NOOP)
        for index, event in enumerate(seen):
            async with listen_kind(state, kind, WatchKindOptions(bookmark=event.bookmark)) as resumed:
                await _sees(resumed, seen[index + 1 :])
                assert shown(await resumed.next()) == last

    @pytest.mark.usefixtures("needs_bookmarks")
    async def test_a_bookmark_before_anything_happened_is_good(self, state: State, kind: Kind) -> None:
        async with listen_kind(state, kind, WatchKindOptions(bootstrap_bookmark=True)) as events:
            nothing_yet = await events.next()
        stored = await state.create(path("first", namespace=kind.namespace))

        async with listen_kind(state, kind, WatchKindOptions(bookmark=nothing_yet.bookmark)) as events:
            assert shown(await events.next()) == stored
        assert nothing_yet.type is EventType.NOOP
        assert nothing_yet.resource is not None
        assert nothing_yet.resource.pointer == Pointer(*kind, "")

    @pytest.mark.usefixtures("needs_bookmarks")
    async def test_contents_may_be_followed_by_a_bookmark(self, state: State, kind: Kind) -> None:
        stored = await state.create(path("there", namespace=kind.namespace))
        both = WatchKindOptions(bootstrap_contents=True, bootstrap_bookmark=True)
        async with listen_kind(state, kind, both) as events:
            seen = await events.take(3)
        updated = await state.update(stored)

        assert [event.type for event in seen] == [EventType.CREATED, EventType.BOOTSTRAPPED, EventType.NOOP]
        for event in seen[1:]:
            async with listen_kind(state, kind, WatchKindOptions(bookmark=event.bookmark)) as resumed:
                assert shown(await resumed.next()) == updated

    @pytest.mark.usefixtures("needs_bookmarks")
    async def test_a_bookmark_goes_with_a_query(self, state: State, kind: Kind) -> None:
        query = where(exists("app"))
        async with listen_kind(state, kind, WatchKindOptions(query=query, bootstrap_bookmark=True)) as events:
            start = await events.next()
        await state.create(path("bare", namespace=kind.namespace))
        labeled = await state.create(path("labeled", namespace=kind.namespace, labels={"app": ""}))

        async with listen_kind(state, kind, WatchKindOptions(query=query, bookmark=start.bookmark)) as events:
            assert shown(await events.next()) == labeled

    @pytest.mark.usefixtures("needs_bookmarks")
    @pytest.mark.parametrize("shape", ["empty", "short", "changed", "long", "random"])
    async def test_a_bookmark_that_is_none_is_refused(
        self, state: State, pointer: Pointer, kind: Kind, shape: str
    ) -> None:
        async with listen_kind(state, kind) as events:
            await state.create(path(pointer.id, namespace=kind.namespace))
            good = (await events.next()).bookmark
        bad = {
            "empty": b"",
            "short": good[:-1],
            "changed": bytes([good[0] ^ 1]) + good[1:],
            "long": good + b"\0",
            "random": b"no bookmark at all",
        }[shape]

        with pytest.raises(errors.InvalidBookmark):
            async with listen(state, pointer, WatchOptions(bookmark=bad)):
                pass
        with pytest.raises(errors.InvalidBookmark):
            async with listen_kind(state, kind, WatchKindOptions(bookmark=bad)):
                pass

    @pytest.mark.usefixtures("needs_bookmarks")
    async def test_a_bookmark_does_not_go_with_tail_events_or_contents(
        self, state: State, pointer: Pointer, kind: Kind
    ) -> None:
        async with listen_kind(state, kind) as events:
            await state.create(path(pointer.id, namespace=kind.namespace))
            bookmark = (await events.next()).bookmark

        with pytest.raises(errors.InvalidArgument):
            async with listen(state, pointer, WatchOptions(bookmark=bookmark, tail_events=1)):
                pass
        for options in (
            WatchKindOptions(bookmark=bookmark, tail_events=1),
            WatchKindOptions(bookmark=bookmark, bootstrap_contents=True),
        ):
            with pytest.raises(errors.InvalidArgument):
                async with listen_kind(state, kind, options):
                    pass


async def _sees(listener: Listener, expected: Sequence[Event]) -> None:
    seen = await listener.take(len(expected))
    assert [(event.type, shown(event), event.bookmark) for event in seen] == [
        (event.type, shown(event), event.bookmark) for event in expected
    ]
