"""A cache says what the state says, once it has heard of everything, however often its watch began anew."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack

import anyio
import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from cosi.controller.engine.cache import CachedState, KindCache
from cosi.resource.metadata import Kind
from cosi.resource.query import ALL, Query, equal, exists, where
from cosi.resource.resource import AnyResource
from cosi.state import errors
from cosi.state.core import WatchKindOptions
from cosi.state.event import Event, EventType
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.state.stream import Pollable
from cosi.testing.listener import WAIT_SECONDS
from cosi.testing.resources import IntResource, PathResource, PathSpec, integer, path

pytestmark = pytest.mark.anyio

IDS = ("a", "b", "c", "d", "e")
KIND = PathResource.kind()
EVERYTHING = WatchKindOptions(bootstrap_contents=True)
QUERIES = (ALL, where(exists("odd")), where(equal("odd", "yes")), where(id_pattern="^[bd]"))

changes = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(IDS)),
    st.tuples(st.just("label"), st.sampled_from(IDS)),
    st.tuples(st.just("destroy"), st.sampled_from(IDS)),
    st.tuples(st.just("hear"), st.just("")),
    st.tuples(st.just("begin anew"), st.just("")),
)


class Watched:
    """A state, and a cache of its paths that hears what its watch tells when it is told to."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.state = State(MemoryState())
        self.cache = KindCache()
        self._stack = stack
        self._writes = 0

    async def begin(self) -> None:
        """Open the watch, again maybe."""
        self.cache.refill()
        watch = await self._stack.enter_async_context(self.state.watch_kind(KIND, EVERYTHING))
        assert isinstance(watch, Pollable)
        self._watch = watch

    def hear(self) -> None:
        """Let the cache hear of all that has happened."""
        while events := self._watch.take():
            for event in events:
                self.cache.learn(event)

    async def do(self, action: str, id: str) -> None:
        """Change something, or hear of what has changed."""
        self._writes += 1
        match action:
            case "write":
                await self.state.modify(PathResource.new(id, PathSpec(path=f"/{self._writes}")))
            case "label":
                await self.state.modify(path(id), self._relabelled)
            case "destroy":
                if await self.state.find(PathResource, id) is not None:
                    await self.state.destroy(PathResource.pointer_to(id))
            case "hear":
                self.hear()
            case "begin anew":
                await self.begin()

    def _relabelled(self, current: PathResource) -> PathResource:
        label = ("yes", "no")[self._writes % 2]
        return current.with_metadata(current.metadata.with_labels(odd=label))


@settings(max_examples=150)
@given(happening=st.lists(changes, max_size=40))
async def test_a_cache_that_has_heard_of_everything_equals_the_state(happening: Sequence[tuple[str, str]]) -> None:
    async with AsyncExitStack() as stack:
        watched = Watched(stack)
        await watched.begin()
        for action, id in happening:
            await watched.do(action, id)
        watched.hear()

        for query in QUERIES:
            assert list(await watched.cache.list(query)) == list(await watched.state.list(KIND, query=query))
        present = {resource.id for resource in await watched.state.list(KIND)}
        for id in IDS:
            found = await found_in(watched.cache, id)
            assert found == await watched.state.find(PathResource, id)
        assert len(watched.cache) == len(present)


async def found_in(cache: KindCache, id: str) -> AnyResource | None:
    """Return what a cache has."""
    try:
        return await cache.get(PathResource.pointer_to(id))
    except errors.NotFound:
        return None


@pytest.mark.parametrize("read", ["get", "list"])
async def test_reads_wait_until_the_cache_was_filled(read: str) -> None:
    cache, seen = KindCache(), list[object]()

    async def look() -> None:
        if read == "get":
            seen.append((await cache.get(PathResource.pointer_to("a"))).id)
        else:
            seen.extend(resource.id for resource in await cache.list(ALL))

    with anyio.fail_after(WAIT_SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(look)
            cache.learn(Event(EventType.CREATED, path("a")))
            await anyio.wait_all_tasks_blocked()
            before = list(seen)
            cache.learn(Event(EventType.BOOTSTRAPPED))

    assert before == []
    assert seen == ["a"]


async def test_while_a_cache_is_filled_again_reads_see_what_was_last_known() -> None:
    cache = KindCache()
    cache.learn(Event(EventType.CREATED, path("old")))
    cache.learn(Event(EventType.BOOTSTRAPPED))
    cache.refill()
    cache.learn(Event(EventType.CREATED, path("new")))
    during = [resource.id for resource in await cache.list(ALL)]
    cache.learn(Event(EventType.BOOTSTRAPPED))

    assert during == ["old"]
    assert [resource.id for resource in await cache.list(ALL)] == ["new"]


async def test_only_what_happens_after_the_filling_is_news() -> None:
    cache = KindCache()

    told = [
        cache.learn(Event(EventType.CREATED, path("a"))),
        cache.learn(Event(EventType.BOOTSTRAPPED)),
        cache.learn(Event(EventType.UPDATED, path("a"))),
        cache.learn(Event(EventType.DESTROYED, path("a"))),
    ]

    assert told == [False, False, True, True]


async def test_what_is_not_cached_and_what_is_written_goes_to_the_state() -> None:
    core = MemoryState()
    state = State(CachedState(core, [KIND]))
    cache = CachedState(core, [KIND]).caches[KIND]
    cache.learn(Event(EventType.BOOTSTRAPPED))

    stored = await state.create(path("a"))
    await state.create(integer("one", 1))
    await state.update(stored.with_spec(PathSpec(path="/b")))

    assert (await State(core).get(PathResource, "a")).spec.path == "/b"
    assert [number.id for number in await state.list(IntResource)] == ["one"]
    await state.destroy(stored.pointer)
    assert await State(core).find(PathResource, "a") is None


async def test_kinds_are_cached_by_namespace() -> None:
    core = MemoryState()
    elsewhere = Kind("elsewhere", KIND.type)
    cached = CachedState(core, [KIND])
    cached.caches[KIND].learn(Event(EventType.BOOTSTRAPPED))
    await core.create(path("a"))
    await core.create(path("a", namespace="elsewhere"))

    assert await cached.list(KIND, query=Query()) == []
    assert len(await cached.list(elsewhere, query=Query())) == 1
