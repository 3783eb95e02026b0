"""What a state promises to whoever watches all resources of a kind."""

from __future__ import annotations

import pytest

from cosi.resource.metadata import Kind, Pointer
from cosi.state import errors
from cosi.state.core import WatchKindOptions
from cosi.state.event import EventType
from cosi.state.state import State
from cosi.testing.conformance.subject import Subject, shown, shown_before
from cosi.testing.listener import listen_kind
from cosi.testing.resources import path, string

_BOOTSTRAP = WatchKindOptions(bootstrap_contents=True)


class Kinds(Subject):
    """Watching a kind."""

    async def test_a_watch_starts_with_what_happens_next(self, state: State, namespace: str, kind: Kind) -> None:
        await state.create(path("before", namespace=namespace))
        async with listen_kind(state, kind) as events:
            after = await state.create(path("after", namespace=namespace))

            first = await events.next()

        assert first.type is EventType.CREATED
        assert shown(first) == after

    async def test_a_watch_tells_of_every_resource_in_order(self, state: State, namespace: str, kind: Kind) -> None:
        old = await state.create(path("old", namespace=namespace))
        async with listen_kind(state, kind) as events:
            new = await state.create(path("new", namespace=namespace))
            await state.teardown(old.pointer)
            await state.destroy(old.pointer)
            newer = await state.update(new)
            life = await events.take(4)

        assert [(event.type, shown(event).id) for event in life] == [
            (EventType.CREATED, "new"),
            (EventType.UPDATED, "old"),
            (EventType.DESTROYED, "old"),
            (EventType.UPDATED, "new"),
        ]
        assert shown_before(life[1]) == old
        assert shown(life[3]) == newer
        assert shown_before(life[3]) == new

    async def test_other_kinds_are_not_told_of(self, state: State, namespace: str, kind: Kind) -> None:
        async with listen_kind(state, kind) as events:
            await state.create(path("other", namespace=f"{namespace}-other"))
            await state.create(string("other", "text", namespace=namespace))
            mine = await state.create(path("mine", namespace=namespace))

            assert shown(await events.next()) == mine

    async def test_contents_come_first_if_wanted(self, state: State, namespace: str, kind: Kind) -> None:
        stored = [await state.create(path(id, namespace=namespace)) for id in ("c", "a", "b")]
        async with listen_kind(state, kind, _BOOTSTRAP) as events:
            contents = await events.take(3)
            bootstrapped = await events.next()
            updated = await state.update(stored[0])
            after = await events.next()

        assert [event.type for event in contents] == [EventType.CREATED] * 3
        assert [shown(event) for event in contents] == sorted(stored, key=lambda resource: resource.id)
        assert bootstrapped.type is EventType.BOOTSTRAPPED
        assert bootstrapped.resource is not None
        assert bootstrapped.resource.pointer == Pointer(*kind, "")
        assert after.type is EventType.UPDATED
        assert shown(after) == updated

    async def test_contents_of_an_empty_kind_are_complete_at_once(self, state: State, kind: Kind) -> None:
        async with listen_kind(state, kind, _BOOTSTRAP) as events:
            assert (await events.next()).type is EventType.BOOTSTRAPPED

    async def test_contents_are_those_of_the_moment_of_opening(self, state: State, namespace: str, kind: Kind) -> None:
        stored = await state.create(path("there", namespace=namespace))
        async with listen_kind(state, kind, _BOOTSTRAP) as events:
            await state.update(stored)
            await state.create(path("late", namespace=namespace))
            seen = await events.take(4)

        assert [(event.type, event.resource.id if event.resource else "") for event in seen] == [
            (EventType.CREATED, "there"),
            (EventType.BOOTSTRAPPED, ""),
            (EventType.UPDATED, "there"),
            (EventType.CREATED, "late"),
        ]
        assert shown(seen[0]).metadata.version == 1

    async def test_a_watcher_reads_contents_and_changes_without_a_gap(
        self, state: State, namespace: str, kind: Kind
    ) -> None:
        for id in "abc":
            await state.create(path(id, namespace=namespace))
        view: dict[str, int | None] = {}
        async with listen_kind(state, kind, _BOOTSTRAP) as events:
            await state.destroy(Pointer(*kind, "b"))
            await state.add_finalizers(Pointer(*kind, "c"), "A")
            await state.create(path("d", namespace=namespace))
            for event in await events.take(3 + 1 + 3):
                if event.type is EventType.DESTROYED:
                    del view[shown(event).id]
                elif event.type is not EventType.BOOTSTRAPPED:
                    view[shown(event).id] = shown(event).metadata.version

        assert view == {resource.id: resource.metadata.version for resource in await state.list(kind)}

    @pytest.mark.usefixtures("needs_tail_events")
    async def test_contents_do_not_go_with_the_past(self, state: State, kind: Kind) -> None:
        with pytest.raises(errors.InvalidArgument):
            async with listen_kind(state, kind, WatchKindOptions(bootstrap_contents=True, tail_events=1)):
                pass
