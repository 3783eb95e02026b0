"""What a state promises to whoever watches one resource."""

from __future__ import annotations

import anyio

from cosi.resource.metadata import Phase, Pointer
from cosi.resource.resource import AnyResource
from cosi.state.event import Event, EventType
from cosi.state.state import State
from cosi.testing.conformance.subject import Subject, shown, shown_before
from cosi.testing.listener import WAIT_SECONDS, listen
from cosi.testing.resources import PathSpec, path

_WATCHERS = 5


class Watching(Subject):
    """Watching one resource."""

    async def test_a_watch_starts_with_the_resource_as_it_is(self, state: State, namespace: str) -> None:
        stored = await state.create(path("var/run", namespace=namespace))

        async with listen(state, stored.pointer) as events:
            first = await events.next()

        assert first.type is EventType.CREATED
        assert shown(first) == stored

    async def test_a_watch_of_what_does_not_exist_starts_with_a_tombstone(self, state: State, pointer: Pointer) -> None:
        async with listen(state, pointer) as events:
            first = await events.next()

        assert first.type is EventType.DESTROYED
        assert first.resource is not None
        assert first.resource.pointer == pointer
        assert first.resource.metadata.version is None

    async def test_a_watch_tells_the_whole_life(self, state: State, pointer: Pointer) -> None:
        async with listen(state, pointer) as events:
            await events.next()

            created = await state.create(path(pointer.id, namespace=pointer.namespace))
            await state.teardown(pointer)
            await state.add_finalizers(pointer, "A")
            await state.remove_finalizers(pointer, "A")
            await state.destroy(pointer)
            life = await events.take(5)

        assert [event.type for event in life] == [
            EventType.CREATED, EventType.UPDATED, EventType.UPDATED, EventType.UPDATED, EventType.DESTROYED,
        ]  # fmt: skip
        assert shown(life[0]) == created
        assert [shown(event).metadata.version for event in life] == [1, 2, 3, 4, 4]
        assert shown(life[1]).metadata.phase is Phase.TEARING_DOWN
        assert shown(life[2]).metadata.finalizers == ("A",)
        assert shown(life[4]) == shown(life[3])

    async def test_an_update_tells_what_was_before(self, state: State, pointer: Pointer) -> None:
        first = await state.create(path(pointer.id, namespace=pointer.namespace))
        async with listen(state, pointer) as events:
            created = await events.next()

            second = await state.update(first.with_spec(PathSpec(path="/elsewhere")))
            updated = await events.next()
            await state.destroy(pointer)
            destroyed = await events.next()

        assert shown(updated) == second
        assert shown_before(updated) == first
        assert created.old is None
        assert destroyed.old is None

    async def test_others_are_not_told_of(self, state: State, namespace: str, pointer: Pointer) -> None:
        async with listen(state, pointer) as events:
            await events.next()

            await state.create(path(f"{pointer.id}/below", namespace=namespace))
            await state.create(path(pointer.id, namespace=f"{namespace}-other"))
            mine = await state.create(path(pointer.id, namespace=namespace))

            assert shown(await events.next()) == mine

    async def test_nothing_between_opening_and_reading_is_lost(self, state: State, pointer: Pointer) -> None:
        stored = await state.create(path(pointer.id, namespace=pointer.namespace))
        async with listen(state, pointer) as events:
            await state.update(stored)
            first, second = await events.take(2)

        assert (first.type, shown(first).metadata.version) == (EventType.CREATED, 1)
        assert (second.type, shown(second).metadata.version) == (EventType.UPDATED, 2)

    async def test_all_watchers_see_the_same(self, state: State, pointer: Pointer) -> None:
        seen: list[list[tuple[EventType, int | None]]] = []

        async def follow(ready: anyio.Event) -> None:
            async with listen(state, pointer) as events:
                await events.next()
                ready.set()
                seen.append([_summary(event) for event in await events.take(3)])

        async with anyio.create_task_group() as tasks:
            readies = [anyio.Event() for _ in range(_WATCHERS)]
            for ready in readies:
                tasks.start_soon(follow, ready)
            for ready in readies:
                await ready.wait()
            await state.update(await state.create(path(pointer.id, namespace=pointer.namespace)))
            await state.destroy(pointer)

        assert seen == [[(EventType.CREATED, 1), (EventType.UPDATED, 2), (EventType.DESTROYED, 2)]] * _WATCHERS

    async def test_a_waiting_watch_can_be_cancelled(self, state: State, pointer: Pointer) -> None:
        waiting, cancelled = anyio.Event(), anyio.Event()

        async def wait_forever() -> None:
            async with state.watch(pointer) as watch:
                await watch.batch()
                waiting.set()
                try:
                    await watch.batch()
                finally:
                    cancelled.set()

        with anyio.fail_after(WAIT_SECONDS):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wait_forever)
                await waiting.wait()
                await anyio.wait_all_tasks_blocked()
                tasks.cancel_scope.cancel()

        assert cancelled.is_set()
        await self._still_watches(state, pointer)

    async def test_a_watch_left_behind_unread_harms_nobody(self, state: State, pointer: Pointer) -> None:
        async with state.watch(pointer):
            pass

        await self._still_watches(state, pointer)

    async def test_a_watch_can_be_iterated(self, state: State, pointer: Pointer) -> None:
        types = []
        with anyio.fail_after(WAIT_SECONDS):
            async with state.watch(pointer) as watch:
                await state.create(path(pointer.id, namespace=pointer.namespace))
                async for event in watch:
                    types.append(event.type)
                    if event.type is EventType.CREATED:
                        break

        assert types == [EventType.DESTROYED, EventType.CREATED]

    async def _still_watches(self, state: State, pointer: Pointer) -> None:
        stored: AnyResource = await state.create(path(pointer.id, namespace=pointer.namespace))
        async with listen(state, pointer) as events:
            assert shown(await events.next()) == stored
            await state.destroy(pointer)
            assert (await events.next()).type is EventType.DESTROYED


def _summary(event: Event) -> tuple[EventType, int | None]:
    return event.type, shown(event).metadata.version
