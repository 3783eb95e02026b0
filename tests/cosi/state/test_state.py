"""A State is typed for who names a type, and is a core like any other."""

from __future__ import annotations

import anyio
import pytest

from cosi.resource.metadata import Kind, Pointer
from cosi.resource.resource import OpaqueSpec, Resource
from cosi.state import errors
from cosi.state.core import SupportsTeardown
from cosi.state.event import EventType
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.testing.listener import WAIT_SECONDS, listen_kind
from cosi.testing.resources import PathResource, PathSpec, path

pytestmark = pytest.mark.anyio


@pytest.fixture
def state() -> State:
    return State(MemoryState())


async def test_what_is_read_by_type_is_typed(state: State) -> None:
    await state.create(path("a"))

    found: PathResource = await state.get(PathResource, "a")
    maybe: PathResource | None = await state.find(PathResource, "a")
    (listed,) = await state.list(PathResource)

    assert found is maybe is listed
    assert found.spec.path == "a"
    assert await state.find(PathResource, "a", namespace="elsewhere") is None


async def test_what_is_read_by_name_is_as_it_is_stored(state: State) -> None:
    opaque = Resource(path("a").metadata, OpaqueSpec(PathSpec(path="a").to_proto(), ""))
    await state.create(opaque)

    by_name = await state.get(Pointer("default", "Paths.test.cosi.dev", "a"))
    (listed,) = await state.list(Kind("default", "Paths.test.cosi.dev"))
    by_type = await state.get(PathResource, "a")

    assert by_name is listed
    assert isinstance(by_name.spec, OpaqueSpec)
    assert by_type.spec == PathSpec(path="a")


async def test_modify_sees_that_nothing_changes_where_the_core_does_not_know_the_type(state: State) -> None:
    await state.create(Resource(path("a").metadata, OpaqueSpec(PathSpec(path="a").to_proto(), "")))

    same = await state.modify(path("a"))
    changed = await state.modify(PathResource.new("a", PathSpec(path="b")))

    assert (same.metadata.version, same.spec.path) == (1, "a")
    assert (changed.metadata.version, changed.spec.path) == (2, "b")


async def test_a_state_of_a_state_is_a_state(state: State) -> None:
    outer = State(State(state))
    assert isinstance(outer.core, SupportsTeardown)
    async with listen_kind(outer, PathResource.kind()) as events:
        stored = await outer.create(path("a"))
        assert await outer.teardown(stored.pointer)
        await outer.teardown_and_destroy(stored.pointer)

        assert [event.type for event in await events.take(3)] == [
            EventType.CREATED, EventType.UPDATED, EventType.DESTROYED,
        ]  # fmt: skip
    assert await state.find(stored.pointer) is None


async def test_timestamps_are_those_of_the_clock() -> None:
    times = iter([10, 20])
    state = State(MemoryState(clock=lambda: next(times)))

    created = await state.create(path("a"))
    updated = await state.update(created)

    assert (created.metadata.created, created.metadata.updated) == (10, 10)
    assert (updated.metadata.created, updated.metadata.updated) == (10, 20)


async def test_a_failing_watch_fails_who_waits_for_a_resource() -> None:
    state = State(MemoryState(history=2, gap=0))
    stored = await state.create(path("a"))
    failures: list[Exception] = []

    async def wait() -> None:
        try:
            await state.watch_for(stored.pointer, lambda event: event.type is EventType.DESTROYED)
        except errors.Overrun as error:
            failures.append(error)

    with anyio.fail_after(WAIT_SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            for _ in range(3):
                stored = await state.update(stored)

    assert len(failures) == 1


async def test_a_failing_watch_cancels_a_body_and_comes_out_as_it_is() -> None:
    state = State(MemoryState(history=2, gap=0))
    pointer = (await state.create(path("a"))).pointer

    async def work() -> None:
        async with state.until_teardown(pointer):
            await anyio.wait_all_tasks_blocked()
            for _ in range(3):
                await state.update(await state.get(pointer))
            await anyio.sleep_forever()

    with anyio.fail_after(WAIT_SECONDS), pytest.raises(errors.Overrun):
        await work()


async def test_a_body_cancelled_from_outside_is_not_taken_for_one_whose_resource_ended(state: State) -> None:
    stored = await state.create(path("a"))

    with anyio.CancelScope() as outer:
        async with state.until_teardown(stored.pointer) as scope:
            outer.cancel()
            await anyio.sleep_forever()

    assert outer.cancelled_caught
    assert not scope.cancelled_caught
