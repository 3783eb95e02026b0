"""What a state promises about the end of a resource: torn down first, destroyed when nobody holds a finalizer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from cosi.resource.metadata import Phase, Pointer
from cosi.resource.resource import AnyResource
from cosi.state import errors
from cosi.state.event import EventType
from cosi.state.state import State
from cosi.testing.conformance.subject import Subject
from cosi.testing.listener import WAIT_SECONDS, listen
from cosi.testing.resources import path

_RIVALS = 5


class Teardown(Subject):
    """The end of a resource."""

    async def test_teardown_tells_whether_the_resource_can_be_destroyed(self, state: State, pointer: Pointer) -> None:
        await state.create(path(pointer.id, namespace=pointer.namespace))
        await state.add_finalizers(pointer, "A")

        held = await state.teardown(pointer)
        await state.remove_finalizers(pointer, "A")
        free = await state.teardown(pointer)

        assert not held
        assert free
        assert (await state.get(pointer)).metadata.phase is Phase.TEARING_DOWN

    async def test_teardown_a_second_time_writes_nothing(self, state: State, pointer: Pointer) -> None:
        await state.create(path(pointer.id, namespace=pointer.namespace))

        await state.teardown(pointer)
        await state.teardown(pointer)

        assert (await state.get(pointer)).metadata.version == 2

    async def test_rivals_may_all_tear_down(self, state: State, pointer: Pointer) -> None:
        await state.create(path(pointer.id, namespace=pointer.namespace))

        async with anyio.create_task_group() as tasks:
            for _ in range(_RIVALS):
                tasks.start_soon(state.teardown, pointer)

        assert (await state.get(pointer)).metadata.version == 2

    async def test_what_nobody_holds_is_destroyed_at_once(self, state: State, pointer: Pointer) -> None:
        await state.create(path(pointer.id, namespace=pointer.namespace), owner="owner")

        with anyio.fail_after(WAIT_SECONDS):
            await state.teardown_and_destroy(pointer, owner="owner")

        assert await state.find(pointer) is None

    async def test_destroying_waits_for_the_last_finalizer(self, state: State, pointer: Pointer) -> None:
        await state.create(path(pointer.id, namespace=pointer.namespace))
        await state.add_finalizers(pointer, "A", "B")

        async with _destroying(state, pointer) as destroyed:
            await state.watch_for(pointer, lambda event: _torn_down(event.resource))
            await state.remove_finalizers(pointer, "A")
            await anyio.wait_all_tasks_blocked()
            assert not destroyed.is_set()
            assert (await state.get(pointer)).metadata.finalizers == ("B",)
            await state.remove_finalizers(pointer, "B")

        assert await state.find(pointer) is None

    async def test_destroying_ends_if_somebody_else_destroys(self, state: State, pointer: Pointer) -> None:
        await state.create(path(pointer.id, namespace=pointer.namespace))
        await state.add_finalizers(pointer, "A")

        async with _destroying(state, pointer):
            await state.watch_for(pointer, lambda event: _torn_down(event.resource))
            await state.remove_finalizers(pointer, "A")
            try:
                await state.destroy(pointer)
            except errors.NotFound:
                return

    async def test_rivals_may_all_tear_down_and_destroy(self, state: State, pointer: Pointer) -> None:
        await state.create(path(pointer.id, namespace=pointer.namespace))
        await state.add_finalizers(pointer, "A")

        async with _destroying(state, pointer), _destroying(state, pointer):
            await state.watch_for(pointer, lambda event: _torn_down(event.resource))
            await anyio.wait_all_tasks_blocked()
            await state.remove_finalizers(pointer, "A")

        assert await state.find(pointer) is None

    async def test_a_watcher_sees_the_end_in_order(self, state: State, pointer: Pointer) -> None:
        await state.create(path(pointer.id, namespace=pointer.namespace))
        async with listen(state, pointer) as events:
            await state.teardown_and_destroy(pointer)
            seen = await events.take(3)

        assert [event.type for event in seen] == [EventType.CREATED, EventType.UPDATED, EventType.DESTROYED]
        assert _torn_down(seen[1].resource)

    @pytest.mark.parametrize("end", ["teardown", "destroy"])
    async def test_a_body_is_cancelled_when_its_resource_ends(self, state: State, pointer: Pointer, end: str) -> None:
        await state.create(path(pointer.id, namespace=pointer.namespace))
        reached = False

        with anyio.fail_after(WAIT_SECONDS):
            async with state.until_teardown(pointer) as scope:
                await (state.teardown(pointer) if end == "teardown" else state.destroy(pointer))
                await anyio.sleep_forever()
                reached = True

        assert scope.cancelled_caught
        assert not reached

    @pytest.mark.parametrize("found", ["missing", "torn down"])
    async def test_a_body_whose_resource_has_ended_is_cancelled(
        self, state: State, pointer: Pointer, found: str
    ) -> None:
        if found == "torn down":
            await state.create(path(pointer.id, namespace=pointer.namespace))
            await state.teardown(pointer)

        with anyio.fail_after(WAIT_SECONDS):
            async with state.until_teardown(pointer) as scope:
                await anyio.sleep_forever()

        assert scope.cancelled_caught

    async def test_a_body_whose_resource_lives_on_ends_by_itself(self, state: State, pointer: Pointer) -> None:
        await state.create(path(pointer.id, namespace=pointer.namespace))
        other = await state.create(path("other", namespace=pointer.namespace))

        with anyio.fail_after(WAIT_SECONDS):
            async with state.until_teardown(pointer) as scope:
                await state.add_finalizers(pointer, "A")
                await state.destroy(other.pointer)
                await anyio.wait_all_tasks_blocked()

        assert not scope.cancelled_caught

    async def test_an_error_of_the_body_comes_out_as_it_is(self, state: State, pointer: Pointer) -> None:
        await state.create(path(pointer.id, namespace=pointer.namespace))

        with pytest.raises(ZeroDivisionError, match="the body failed"):
            async with state.until_teardown(pointer):
                raise ZeroDivisionError("the body failed")


@asynccontextmanager
async def _destroying(state: State, pointer: Pointer) -> AsyncIterator[anyio.Event]:
    """Tear down and destroy beside the body, and wait for it after the body."""
    destroyed = anyio.Event()

    async def destroy() -> None:
        await state.teardown_and_destroy(pointer)
        destroyed.set()

    with anyio.fail_after(WAIT_SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(destroy)
            yield destroyed


def _torn_down(resource: AnyResource | None) -> bool:
    return resource is not None and resource.metadata.tearing_down
