"""A watch in memory is a cursor: it takes everything pending at once, and nobody knows of it but itself."""

from __future__ import annotations

import anyio
import pytest

from cosi.resource.query import exists, where
from cosi.state.core import WatchKindOptions
from cosi.state.event import EventType
from cosi.state.memory.state import MemoryState
from cosi.testing.listener import WAIT_SECONDS
from cosi.testing.resources import PathResource, path

pytestmark = pytest.mark.anyio

_MANY = 1000
_KIND = PathResource.kind()


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_all_that_is_pending_comes_as_one_batch() -> None:
    state = MemoryState(history=_MANY)
    async with state.watch_kind(_KIND) as watch:
        for number in range(_MANY):
            await state.create(path(str(number)))

        assert len(await watch.batch()) == _MANY


async def test_all_watchers_and_readers_get_the_same_object() -> None:
    state = MemoryState()
    async with (
        state.watch_kind(_KIND) as one,
        state.watch_kind(_KIND) as other,
        state.watch(path("a").pointer) as third,
    ):
        await third.batch()
        stored = await state.create(path("a"))
        batches = [await watch.batch() for watch in (one, other, third)]

    assert batches[0][0] is batches[1][0] is batches[2][0]
    assert batches[0][0].resource is stored
    assert await state.get(stored.pointer) is stored


async def test_reading_one_by_one_and_in_batches_can_be_mixed() -> None:
    state = MemoryState()
    async with state.watch_kind(_KIND) as watch:
        for id in "abcd":
            await state.create(path(id))
        events = aiter(watch)

        first, second = await anext(events), await anext(events)
        rest = await watch.batch()
        await state.create(path("e"))
        last = await anext(events)

    ids = [event.resource.id for event in (first, second, *rest, last) if event.resource]
    assert ids == ["a", "b", "c", "d", "e"]


async def test_a_watcher_that_is_never_idle_lets_others_run() -> None:
    state = MemoryState()
    stored = await state.create(path("a"))
    others_ran = 0

    async def count() -> None:
        nonlocal others_ran
        while True:
            others_ran += 1
            await anyio.lowlevel.checkpoint()

    with anyio.fail_after(WAIT_SECONDS):
        async with anyio.create_task_group() as tasks, state.watch_kind(_KIND) as watch:
            tasks.start_soon(count)
            for _ in range(100):
                stored = await state.update(stored)
                await watch.batch()
            tasks.cancel_scope.cancel()

    assert others_ran >= 50


async def test_a_query_does_not_wake_a_reader_for_what_it_hides() -> None:
    state = MemoryState()
    options = WatchKindOptions(query=where(exists("app")))
    batches: list[list[str]] = []

    async def read() -> None:
        async with state.watch_kind(_KIND, options) as watch:
            batches.append([event.resource.id for event in await watch.batch() if event.resource])

    with anyio.fail_after(WAIT_SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            await state.create(path("hidden"))
            await anyio.wait_all_tasks_blocked()
            assert not batches
            await state.create(path("shown", labels={"app": ""}))

    assert batches == [["shown"]]


async def test_an_event_is_projected_without_changing_what_others_see() -> None:
    state = MemoryState()
    stored = await state.create(path("a"))
    options = WatchKindOptions(query=where(exists("app")))
    async with state.watch_kind(_KIND, options) as filtered, state.watch_kind(_KIND) as plain:
        await state.update(stored.with_metadata(stored.metadata.with_labels(app="")))
        seen, whole = (await filtered.batch())[0], (await plain.batch())[0]

    assert (seen.type, seen.old) == (EventType.CREATED, None)
    assert (whole.type, whole.old) == (EventType.UPDATED, stored)
    assert seen.resource is whole.resource
    assert seen.bookmark == whole.bookmark


async def test_an_ended_watch_stays_ended() -> None:
    state = MemoryState(history=2, gap=0)
    async with state.watch_kind(_KIND) as watch:
        for id in "abc":
            await state.create(path(id))

        (error,) = await watch.batch()
        assert error.type is EventType.ERRORED
        assert str(error.error) == (
            'buffer overrun: namespace "default" type "Paths.test.cosi.dev", write pos 3, pos 0, capacity 2'
        )
        assert await watch.batch() == ()
        assert [event async for event in watch] == []


async def test_an_idle_watch_of_one_resource_sleeps_through_what_happens_to_others() -> None:
    state = MemoryState(history=4, gap=1)
    seen: list[str] = []

    async def read() -> None:
        async with state.watch(PathResource.pointer_to("mine")) as watch:
            async for event in watch:
                seen.append(event.type.name)
                if event.type is EventType.CREATED:
                    return

    with anyio.fail_after(WAIT_SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            for index in range(100):
                await state.create(path(f"other-{index}"))
            await state.create(path("mine"))

    assert seen == ["DESTROYED", "CREATED"]
